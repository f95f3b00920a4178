package clientconf

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"drawbridge/internal/fault"
	"drawbridge/internal/splice"
)

// Client is one row of the table: a program that starts MCP servers, where its
// files are, and how it wants its entries. To know another client is to add a
// row to clients.json; a test checks all rows.
type Client struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Aliases    []string   `json:"aliases"` // other names on the command line
	Confidence Confidence `json:"confidence"`

	// User are the places of the user's own file, by preference, as patterns of
	// System.expand, by system: darwin, linux, windows, or any. In a pattern, a
	// star stands for letters and digits in the name of a folder.
	User map[string][]string `json:"user"`
	// Overrides are places that go before all others when the variables in
	// them are set.
	Overrides []string `json:"overrides"`
	// Project are the client's files in a project, below its folder.
	Project []string `json:"project"`
	// Ends are ends of the paths of its other files.
	Ends []string `json:"ends"`
	// Folders are names of folders in which any file is this client's.
	Folders []string `json:"folders"`
	// ByHand is where in the client an entry is made when it has no file.
	ByHand string `json:"by_hand"`

	// Installed are what tells by being there that the client is installed,
	// besides its file and that one's folder: patterns by system. Programs tell
	// it by lying on PATH.
	Installed map[string][]string `json:"installed"`
	Programs  []string            `json:"programs"`
	// Processes are the programs of a running client: the last segments of
	// their paths, by system; a star stands for any part of a segment.
	Processes map[string][]string `json:"processes"`

	Form
	Forms []Variant `json:"forms"`

	Reload    Reload    `json:"reload"`
	Quirks    []Quirk   `json:"quirks"`
	Expansion Expansion `json:"expansion"`
	Deeplink  Deeplink  `json:"deeplink"`
	CLI       string    `json:"cli"` // its own program that adds entries, if that is the better way
}

// Form is how entries are written in a file.
type Form struct {
	Format    splice.Format `json:"format"`
	Dialect   Dialect       `json:"dialect"` // of JSON
	BOM       BOM           `json:"bom"`
	Container []string      `json:"container"` // one literal key an element
	Layout    Layout        `json:"layout"`
	Stdio     Template      `json:"stdio"`
	HTTP      Template      `json:"http"` // none when the file takes only commands
	// Fresh are fields that a new entry gets as well. From then on they are the
	// user's.
	Fresh Template `json:"fresh"`
	// Disabled is the field that switches an entry off: "disabled" when true,
	// "enabled" when false; "" when it is not known.
	Disabled string `json:"disabled"`
}

// Variant is another way to write entries, in those of the client's files that
// it is for. What it leaves out is as in the client's usual form.
type Variant struct {
	Name    string   `json:"name"`
	Holds   []string `json:"holds"`   // for a file in which this path leads to an object
	Ends    string   `json:"ends"`    // for a file whose path ends in these segments
	Program string   `json:"program"` // for a file that does not exist yet, when this is on PATH
	Form
}

// Confidence is how sure a row's facts are.
type Confidence string

// The confidences.
const (
	High   Confidence = "high"   // the vendor's documentation, or three maintained tools
	Medium Confidence = "medium" // one or two tools
	Low    Confidence = "low"    // a weak source: used when a person names the client, never by itself
)

// Dialect is what a client reads besides plain JSON.
type Dialect string

// The dialects.
const (
	Strict    Dialect = "strict"  // comments and trailing commas break it
	AnyJSON   Dialect = "unknown" // not established: plain JSON is written, and what is there is kept
	WithNotes Dialect = "jsonc"   // comments and trailing commas are read
)

// BOM is what a client makes of a byte order mark.
type BOM string

// The kinds.
const (
	BOMRejected  BOM = "rejected" // it loses the file's content
	BOMTolerated BOM = "tolerated"
	BOMUnknown   BOM = "unknown"
)

// Layout is how the entries lie in the container.
type Layout string

// The layouts.
const (
	Map  Layout = "map"  // by name
	List Layout = "list" // with their name in the field name
)

// Reload is when a client takes up a change of its file.
type Reload string

// The kinds.
const (
	ReloadsNow     Reload = "now"     // it watches the file
	ReloadsRefresh Reload = "refresh" // when its list of servers is refreshed
	ReloadsSession Reload = "session" // in a new session
	ReloadsRestart Reload = "restart"
	ReloadsQuit    Reload = "quit" // after it was quit; closing the window is not enough
	ReloadsUnknown Reload = "unknown"
)

// Sentence tells the reader how the client takes up the change, without a full
// stop.
func (c Client) Sentence() string {
	switch c.Reload {
	case ReloadsNow:
		return c.Name + " takes up the change by itself"
	case ReloadsRefresh:
		return "refresh the list of MCP servers in " + c.Name + ", or restart it"
	case ReloadsSession:
		return "start a new session of " + c.Name
	case ReloadsRestart:
		return "restart " + c.Name
	case ReloadsQuit:
		return "quit " + c.Name + " fully (closing its window is not enough) and open it again"
	case ReloadsUnknown:
		return "if " + c.Name + " does not show the change, restart it"
	default:
		panic("clientconf: unknown reload " + string(c.Reload))
	}
}

// Quirk is a habit of a client that a change of its file has to reckon with.
type Quirk string

// The quirks.
const (
	Rewrites     Quirk = "rewrites"       // it writes the file itself, and may write back what it read before
	Hot          Quirk = "hot"            // it does so all the time
	BreaksLinks  Quirk = "breaks-links"   // when it does, a symbolic link becomes a plain file
	QuitFirst    Quirk = "quit-first"     // a change made while it runs is lost
	AsksConsent  Quirk = "asks-consent"   // macOS asks the user before another program reads the file
	InHome       Quirk = "in-home"        // the file lies in the home folder itself
	SharesFolder Quirk = "shares-folder"  // the file lies in a folder of another client's
	Approval     Quirk = "approval"       // it asks the user before it starts a server of a project
	UntypedIsSSE Quirk = "untyped-is-sse" // it takes a URL without a type for HTTP+SSE
)

// Has tells whether the client has the quirk.
func (c Client) Has(q Quirk) bool { return slices.Contains(c.Quirks, q) }

// Expansion is what a client replaces in the values of an entry.
type Expansion string

// The kinds.
const (
	ExpandsNothing  Expansion = "none"
	ExpandsBraces   Expansion = "braces"   // ${NAME}, ${env:NAME} and the like
	ExpandsDollar   Expansion = "dollar"   // $NAME as well
	ExpandsCurly    Expansion = "curly"    // {env:NAME}, {file:path}
	ExpandsUnknowns Expansion = "unknown"  // taken for braces
	ExpandsSecrets  Expansion = "template" // ${{ secrets.NAME }}
)

// Deeplink is the kind of link that makes a client add an entry itself.
type Deeplink string

// The kinds.
const (
	LinkCursor   Deeplink = "cursor"
	LinkVSCode   Deeplink = "vscode"
	LinkInsiders Deeplink = "vscode-insiders"
	LinkLMStudio Deeplink = "lm-studio"
	LinkKiro     Deeplink = "kiro"
	LinkGoose    Deeplink = "goose"
)

//go:embed clients.json
var clientsJSON []byte

type table struct {
	Version int      `json:"version"`
	Clients []Client `json:"clients"`
	// Other is how entries are written in a file of no known client.
	Other Form `json:"other"`
}

// clients is the table, read when it is first asked for.
var clients = sync.OnceValue(func() table {
	t, err := parseTable(clientsJSON)
	if err != nil {
		panic("clientconf: clients.json: " + err.Error())
	}
	return t
})

func parseTable(text []byte) (table, error) {
	var t table
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&t)
	return t, err
}

// Clients are all clients of the table, the best known first. The caller
// changes nothing in them.
func Clients() []Client { return slices.Clone(clients().Clients) }

// Find finds a client by its id or another name of it, in any case.
// DB_CLIENT_UNKNOWN for none.
func Find(name string) (Client, error) {
	for _, c := range clients().Clients {
		if strings.EqualFold(c.ID, name) || slices.ContainsFunc(c.Aliases, func(a string) bool { return strings.EqualFold(a, name) }) {
			return c, nil
		}
	}
	return Client{}, fault.New(fault.ClientUnknown, name)
}

// form is the client's form of that name.
func (c Client) form(name string) Form {
	for _, v := range c.Forms {
		if v.Name == name {
			return v.over(c.Form)
		}
	}
	return c.Form
}

// over is the variant's form, completed.
func (v Variant) over(f Form) Form {
	if len(v.Container) > 0 {
		f.Container = v.Container
	}
	if v.Stdio != nil {
		f.Stdio = v.Stdio
	}
	if v.HTTP != nil {
		f.HTTP = v.HTTP
	}
	if v.Fresh != nil {
		f.Fresh = v.Fresh
	}
	if v.Disabled != "" {
		f.Disabled = v.Disabled
	}
	return f
}

// place is where in a file of this form the entries are.
func (f Form) place() splice.Place {
	return splice.Place{
		Format: f.Format, Strict: f.Dialect == Strict, NoBOM: f.BOM == BOMRejected,
		Container: f.Container, List: f.Layout == List,
	}
}

// formOf is the form of the target's file.
func formOf(t Target) Form {
	if t.Client == "" {
		return clients().Other
	}
	c, err := Find(t.Client)
	if err != nil {
		panic(fmt.Sprintf("clientconf: the target %s names no client of the table", t.Path))
	}
	return c.form(t.Form)
}

// Template is an entry with the fields in their order. "{program}", "{args}",
// "{command}" (both in one list), "{env}", "{name}", "{url}" and "{headers}"
// stand for values, all other values for themselves.
type Template splice.Object

// UnmarshalJSON reads an object and keeps the order of its fields.
func (t *Template) UnmarshalJSON(text []byte) error {
	v, err := ordered(json.NewDecoder(bytes.NewReader(text)))
	if err != nil {
		return err
	}
	o, ok := v.(splice.Object)
	if !ok {
		return fmt.Errorf("a template is an object, and this is %s", text)
	}
	*t = Template(o)
	return nil
}

// ordered reads a value of JSON into the types of package splice.
func ordered(d *json.Decoder) (any, error) {
	d.UseNumber()
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Number:
		return splice.Number(v), nil
	case json.Delim:
		if v == '[' {
			return orderedList(d)
		}
		return orderedObject(d)
	default:
		return v, nil
	}
}

func orderedList(d *json.Decoder) (any, error) {
	list := splice.List{}
	for d.More() {
		v, err := ordered(d)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

func orderedObject(d *json.Decoder) (any, error) {
	object := splice.Object{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := ordered(d)
		if err != nil {
			return nil, err
		}
		object = append(object, splice.Member{Name: key.(string), Value: v}) // a decoder lets no other keys pass
	}
	_, err := d.Token()
	return object, err
}
