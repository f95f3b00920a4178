package main

import "drawbridge/internal/catalog"

// appForm is a server in machine output: an app resource, as a gateway has
// them, with what is allowed (F-097). What may be secret, the values of headers
// and variables, is not part of it.
type appForm struct {
	Kind        string          `json:"kind"`
	Version     string          `json:"version"`
	SubKind     string          `json:"sub_kind"`
	Metadata    metadataForm    `json:"metadata"`
	Spec        specForm        `json:"spec"`
	Permissions permissionsForm `json:"permissions"`
}

type metadataForm struct {
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Labels      map[string]string `json:"labels,omitempty"`
}

type specForm struct {
	URI string       `json:"uri"`
	MCP *commandForm `json:"mcp,omitempty"`
}

type commandForm struct {
	Command string   `json:"command"`
	Args    []string `json:"args,omitempty"`
}

type permissionsForm struct {
	MCP struct {
		Tools toolsForm `json:"tools"`
	} `json:"mcp"`
}

type toolsForm struct {
	Allowed []string `json:"allowed"`
	Denied  []string `json:"denied"`
}

// listing opens the two levels that the shape of F-097 has open.
var listing = layout{objects: 80, lists: 0}

func formOfServer(s catalog.Server) appForm {
	f := appForm{Kind: "app", Version: "v1", SubKind: "mcp",
		Metadata: metadataForm{s.Name, s.About(), s.Labels}, Spec: specForm{URI: s.URI()}}
	if s.Transport == catalog.Stdio {
		f.Spec.MCP = &commandForm{s.Command, s.Args}
	}
	f.Permissions.MCP.Tools.Allowed, f.Permissions.MCP.Tools.Denied = rules(s)
	return f
}
