package demo

// tool is one of the demo's tools. None takes arguments; given ones are ignored.
type tool struct {
	name        string
	description string
	run         func(Server) string
}

var tools = []tool{
	{"drawbridge_user_info", "Reports, as JSON, the user this connection acts for: name, user_kind, roles.", Server.userInfo},
	{"drawbridge_session_info", "Reports, as JSON, how this connection came about: gateway, app_name, app_description, mcp_transport_type.", Server.sessionInfo},
	{"drawbridge_demo_info", "Explains what this demo is and what it shows.", Server.demoInfo},
}

func listing() []byte {
	type schema struct {
		Type       string   `json:"type"`
		Properties struct{} `json:"properties"`
	}
	type hints struct {
		ReadOnly  bool `json:"readOnlyHint"`
		OpenWorld bool `json:"openWorldHint"`
	}
	type entry struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Schema      schema `json:"inputSchema"`
		Hints       hints  `json:"annotations"`
	}
	list := make([]entry, 0, len(tools))
	for _, t := range tools {
		list = append(list, entry{t.name, t.description, schema{Type: "object"}, hints{ReadOnly: true}})
	}
	return encode(map[string]any{"tools": list})
}

func text(s string) []byte {
	type content struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	return encode(map[string]any{"content": []content{{"text", s}}})
}

func (s Server) userInfo() string {
	roles := s.Roles
	if roles == nil {
		roles = []string{}
	}
	return string(encode(struct {
		Name  string   `json:"name"`
		Kind  string   `json:"user_kind"`
		Roles []string `json:"roles"`
	}{s.User, s.Kind, roles}))
}

func (s Server) sessionInfo() string {
	var gateway *string // null without one
	if s.Gateway != "" {
		gateway = &s.Gateway
	}
	return string(encode(struct {
		Gateway     *string `json:"gateway"`
		App         string  `json:"app_name"`
		Description string  `json:"app_description"`
		Transport   string  `json:"mcp_transport_type"`
	}{gateway, s.App, Description, s.Transport}))
}

func (s Server) demoInfo() string {
	where := "It runs on this computer, without a gateway."
	if s.Gateway != "" {
		where = "It runs inside the gateway " + s.Gateway + ", behind the same access rules as every server there."
	}
	return "This is the demo server of Drawbridge " + s.Version + ". Drawbridge connects MCP clients, such as chat and " +
		"coding assistants, to MCP servers wherever they are. " + where + " The demo reaches nothing and changes nothing. " +
		"It has three tools without arguments: drawbridge_user_info tells for which user the calls are made, " +
		"drawbridge_session_info tells through what they come, and drawbridge_demo_info is this text. " +
		"That you can read it means that the client, Drawbridge and a server talk to each other; " +
		"add a server of your own next with `drawbridge mcp add`."
}
