package fault

// Code is a stable name for a kind of failure. Wording may improve, codes stay.
type Code string

// The codes. Each is documented by its row in facts.
const (
	LoginRequired       Code = "DB_UPSTREAM_LOGIN_REQUIRED"
	ToolDenied          Code = "DB_TOOL_DENIED"
	ServerNotFound      Code = "DB_SERVER_NOT_FOUND"
	ServerExists        Code = "DB_SERVER_EXISTS"
	LocalToken          Code = "DB_LOCAL_TOKEN"
	OriginRefused       Code = "DB_ORIGIN_REFUSED"
	NetworkUnavailable  Code = "DB_NETWORK_UNAVAILABLE"
	UpstreamError       Code = "DB_UPSTREAM_ERROR"
	Timeout             Code = "DB_TIMEOUT"
	ConnectionLost      Code = "DB_CONNECTION_LOST"
	SessionExpired      Code = "DB_SESSION_EXPIRED"
	ServerChanged       Code = "DB_SERVER_CHANGED"
	TransportMismatch   Code = "DB_TRANSPORT_MISMATCH"
	ProtocolError       Code = "DB_PROTOCOL_ERROR"
	ParseError          Code = "DB_PARSE_ERROR"
	InvalidRequest      Code = "DB_INVALID_REQUEST"
	MessageTooLarge     Code = "DB_MESSAGE_TOO_LARGE"
	TooManyRequests     Code = "DB_TOO_MANY_REQUESTS"
	TLSUntrusted        Code = "DB_TLS_UNTRUSTED"
	CommandNotFound     Code = "DB_COMMAND_NOT_FOUND"
	CommandExited       Code = "DB_COMMAND_EXITED"
	RequestFailed       Code = "DB_REQUEST_FAILED"
	URLInvalid          Code = "DB_URL_INVALID"
	EndpointUnreachable Code = "DB_ENDPOINT_UNREACHABLE"
	EndpointNotMCP      Code = "DB_ENDPOINT_NOT_MCP"
	SelectorRequired    Code = "DB_SELECTOR_REQUIRED"
	SelectorConflict    Code = "DB_SELECTOR_CONFLICT"
	HeaderInvalid       Code = "DB_HEADER_INVALID"
	NameInvalid         Code = "DB_NAME_INVALID"
	PortInUse           Code = "DB_PORT_IN_USE"
	BindRefused         Code = "DB_BIND_REFUSED"
	AppInvalid          Code = "DB_APP_INVALID"
	CatalogInvalid      Code = "DB_CATALOG_INVALID"
	CatalogWrite        Code = "DB_CATALOG_WRITE"
	StateNewer          Code = "DB_STATE_NEWER"
	QueryInvalid        Code = "DB_QUERY_INVALID"
	UsageInvalid        Code = "DB_USAGE"
	ToolFailed          Code = "DB_TOOL_FAILED"

	ClientUnknown           Code = "DB_CLIENT_UNKNOWN"
	ClientNotInstalled      Code = "DB_CLIENT_NOT_INSTALLED"
	ClientAmbiguous         Code = "DB_CLIENT_AMBIGUOUS"
	ClientUnsupported       Code = "DB_CLIENT_UNSUPPORTED"
	ClientRestart           Code = "DB_CLIENT_RESTART"
	ClientConfigInvalid     Code = "DB_CLIENT_CONFIG_INVALID"
	ClientConfigUnsupported Code = "DB_CLIENT_CONFIG_UNSUPPORTED"
	ClientConfigTooLarge    Code = "DB_CLIENT_CONFIG_TOO_LARGE"
	ClientConfigNotAFile    Code = "DB_CLIENT_CONFIG_NOT_A_FILE"
	ClientConfigShared      Code = "DB_CLIENT_CONFIG_SHARED"
	ClientConfigReadonly    Code = "DB_CLIENT_CONFIG_READONLY"
	ClientConfigDenied      Code = "DB_CLIENT_CONFIG_DENIED"
	ClientConfigChanged     Code = "DB_CLIENT_CONFIG_CHANGED"
	ClientConfigWrite       Code = "DB_CLIENT_CONFIG_WRITE"
	EntryNameTaken          Code = "DB_ENTRY_NAME_TAKEN"
	EntryRemoved            Code = "DB_ENTRY_REMOVED"
	EntryUnsupported        Code = "DB_ENTRY_UNSUPPORTED"
	NothingToUndo           Code = "DB_NOTHING_TO_UNDO"
)

type facts struct {
	text   string // after the subject, no full stop
	next   string // one step, no full stop; NAME stands for the subject
	rpc    int    // JSON-RPC code on MCP faces
	status int    // HTTP status on local endpoints
	exit   int    // exit code of the command line
	retry  bool
}

// facts is the table of the codes. A code without a row is our bug.
func (c Code) facts() facts {
	switch c {
	case LoginRequired:
		return facts{"the server itself asks for a sign-in", "give it an Authorization header with `drawbridge mcp add NAME … -H`", -32603, 403, 3, false}
	case ToolDenied:
		return facts{"you may not use this tool", "allow it with `--allow-tool`, or use another tool", -32602, 200, 4, false}
	case ServerNotFound:
		return facts{"there is no server of this name", "run `drawbridge mcp ls`", -32603, 404, 4, false}
	case ServerExists:
		return facts{"a server of this name is there already", "choose another name, or run `drawbridge mcp rm NAME` first", -32603, 409, 2, false}
	case LocalToken:
		return facts{"this local address needs its access token", "copy the address again from Drawbridge", -32603, 403, 4, false}
	case OriginRefused:
		return facts{"the request did not come from this computer's client", "use the address as Drawbridge shows it", -32600, 403, 4, false}
	case NetworkUnavailable:
		return facts{"the server cannot be reached", "check that it is running and the network is up, then repeat", -32603, 502, 5, true}
	case UpstreamError:
		return facts{"the server reported a fault", "repeat; if it stays, tell the server's operator", -32603, 502, 5, true}
	case Timeout:
		return facts{"no answer in time", "repeat; if it stays, tell the server's operator", -32603, 504, 5, true}
	case ConnectionLost:
		return facts{"the connection broke while this request ran; it may or may not have taken effect", "check the effect, then repeat", -32603, 502, 5, true}
	case SessionExpired:
		return facts{"the server ended the session and did not open a new one", "repeat in a minute", -32603, 502, 5, true}
	case ServerChanged:
		return facts{"another server answers now under this name", "start a new chat or session in the client", -32603, 502, 1, false}
	case TransportMismatch:
		return facts{"the server speaks another transport than it is registered with", "add it again with `--transport auto`", -32603, 502, 2, false}
	case ProtocolError:
		return facts{"the server sent a message that is not valid MCP", "report it to the server's author with the log", -32603, 502, 5, false}
	case ParseError:
		return facts{"the request is not valid JSON", "report it to the client's author", -32700, 400, 1, false}
	case InvalidRequest:
		return facts{"the request is not a valid MCP message", "report it to the client's author", -32600, 400, 1, false}
	case MessageTooLarge:
		return facts{"the message is larger than the limit", "ask for less data in one call", -32603, 413, 1, false}
	case TooManyRequests:
		return facts{"too many requests are open", "wait for one to finish", -32603, 429, 1, true}
	case TLSUntrusted:
		return facts{"the server's certificate is not trusted", "install its authority's certificate, or give it with `--ca`", -32603, 502, 5, false}
	case CommandNotFound:
		return facts{"the command was not found", "install it or correct its path", -32603, 502, 5, false}
	case CommandExited:
		return facts{"the server program ended", "run its command in a terminal to see why", -32603, 502, 5, true}
	case RequestFailed:
		return facts{"the request failed", "run `drawbridge mcp check NAME`", -32603, 502, 1, false}
	case URLInvalid:
		return facts{"this is not a web address", "write it like `http://127.0.0.1:8000/sse`", -32603, 502, 2, false}
	case EndpointUnreachable:
		return facts{"nothing accepts connections there", "start the MCP server, or correct the address", -32603, 502, 5, true}
	case EndpointNotMCP:
		return facts{"something answers there, but it does not speak MCP", "check the path, often `/mcp` or `/sse`", -32603, 502, 5, false}
	case SelectorRequired:
		return facts{"several servers fit", "name one, or use `--all`", -32603, 502, 2, false}
	case SelectorConflict:
		return facts{"only one of NAME, `--all`, `--labels` and `--query` can be used", "leave the others out", -32603, 502, 2, false}
	case HeaderInvalid:
		return facts{"this header has no colon", "write it like `-H \"Name: value\"`", -32603, 502, 2, false}
	case NameInvalid:
		return facts{"this name cannot be used", "use 1 to 63 letters, digits, `.`, `_` and `-`", -32603, 502, 2, false}
	case PortInUse:
		return facts{"the port is in use", "choose another with `-p`", -32603, 502, 1, false}
	case BindRefused:
		return facts{"Drawbridge listens on this computer only", "give a loopback address such as 127.0.0.1", -32603, 502, 2, false}
	case AppInvalid:
		return facts{"the address has a scheme that is not known", "use mcp+stdio://, mcp+http://, mcp+https://, mcp+sse+http:// or mcp+sse+https://", -32603, 502, 2, false}
	case CatalogInvalid:
		return facts{"the list of servers cannot be read", "correct that line in the file", -32603, 502, 2, false}
	case CatalogWrite:
		return facts{"the list of servers could not be saved; it is as it was", "make room or make the folder writable, then repeat", -32603, 502, 1, true}
	case StateNewer:
		return facts{"the file was written by a newer Drawbridge; it was left as it is", "install the newer version", -32603, 502, 1, false}
	case QueryInvalid:
		return facts{"the expression cannot be read", "write it like `labels[\"env\"] == \"dev\"`", -32603, 502, 2, false}
	case UsageInvalid:
		return facts{"the command was not understood", "run it with --help", -32603, 502, 2, false}
	case ToolFailed:
		return facts{"the tool answered with an error", "read the answer above, then correct the arguments", -32603, 502, 1, false}
	case ClientUnknown:
		return facts{"this client is not known", "choose one of `drawbridge mcp clients --all`, or give the path of its file", -32603, 502, 2, false}
	case ClientNotInstalled:
		return facts{"this client was not found here", "install it, or give the path of its file", -32603, 502, 6, false}
	case ClientAmbiguous:
		return facts{"its file can be in several places", "give the path of the one it uses", -32603, 502, 6, false}
	case ClientUnsupported:
		return facts{"there is no file to change for this client on this system", "add the entry in the client itself", -32603, 502, 6, false}
	case ClientRestart:
		return facts{"the client has not read the change yet", "quit the client fully and open it again", -32603, 502, 0, false}
	case ClientConfigInvalid:
		return facts{"the file has an error", "correct it in the file, then repeat", -32603, 502, 6, false}
	case ClientConfigUnsupported:
		return facts{"the file is written in a way in which this change cannot be made safely", "make the change by hand", -32603, 502, 6, false}
	case ClientConfigTooLarge:
		return facts{"the file is larger or deeper than the limit", "make the change by hand", -32603, 502, 6, false}
	case ClientConfigNotAFile:
		return facts{"there is no file to change", "check the path", -32603, 502, 6, false}
	case ClientConfigShared:
		return facts{"the file cannot be replaced without parting it from its other names or its mount", "write into it in place with `--in-place`, or make the change by hand", -32603, 502, 6, false}
	case ClientConfigReadonly:
		return facts{"the file is read-only", "make it writable, or change it where it is generated", -32603, 502, 6, false}
	case ClientConfigDenied:
		return facts{"the system does not let Drawbridge open this file", "give this user access to it; on macOS, allow it in the system settings", -32603, 502, 6, false}
	case ClientConfigChanged:
		return facts{"the file was changed by another program meanwhile", "look at the new preview and confirm it", -32603, 502, 6, true}
	case ClientConfigWrite:
		return facts{"the file could not be written; it is as it was", "make room or make the folder writable, then repeat", -32603, 502, 6, true}
	case EntryNameTaken:
		return facts{"another entry of this name exists", "give the server another name, or put ours in its place with `--replace`", -32603, 502, 6, false}
	case EntryRemoved:
		return facts{"the entry was removed by the client or by hand", "add it again if you want it", -32603, 502, 6, false}
	case EntryUnsupported:
		return facts{"this client's file cannot hold an entry of this kind", "leave out `--http`: the client then starts Drawbridge itself", -32603, 502, 6, false}
	case NothingToUndo:
		return facts{"there is no change of Drawbridge's to take back", "look at the file with `drawbridge mcp config --show`", -32603, 502, 6, false}
	default:
		panic("fault: no facts for " + string(c))
	}
}
