package catalog

import (
	"strings"
	"testing"

	"drawbridge/internal/fault"
)

var shelf = []Server{
	{Name: "everything", Labels: map[string]string{"env": "dev", "team": "web"}},
	{Name: "prod-db", Description: "The big database", Labels: map[string]string{"env": "prod"}},
	{Name: "plain"},
}

func TestSelection(t *testing.T) { // F-088
	for _, c := range []struct{ labels, words, query, want string }{
		{"", "", "", "everything prod-db plain"},
		{"env=dev", "", "", "everything"},
		{"env=dev, team=web", "", "", "everything"},
		{"env=dev,team=db", "", "", ""},
		{"env=", "", "", ""},
		{"missing=", "", "", ""},
		{"", "big", "", "prod-db"},
		{"", "BIG,data", "", "prod-db"},
		{"", "big,dev", "", ""},
		{"", "web", "", "everything"},
		{"", "env=prod", "", "prod-db"},
		{"", "MCP server", "", "everything plain"}, // F-004: what is shown is searched
		{"", " , ", "", "everything prod-db plain"},
		{"env=prod", "database", `name != "x"`, "prod-db"},
		{"env=prod", "", `name == "plain"`, ""},
	} {
		s, err := ParseSelector(c.labels, c.words, c.query)
		if got := names(s.Select(shelf)); err != nil || got != c.want {
			t.Errorf("%q %q %q: got %q, %v; want %q", c.labels, c.words, c.query, got, err, c.want)
		}
	}
	for _, labels := range []string{"env", "=dev", "env=dev,", "env=a,env=b", ","} {
		if _, err := ParseSelector(labels, "", ""); !fault.IsCode(err, fault.UsageInvalid) {
			t.Errorf("%q: got %v", labels, err)
		}
	}
}

func TestQueries(t *testing.T) { // F-057, F-099
	for query, want := range map[string]string{
		`name == "plain"`:                                 "plain",
		`"plain" == name`:                                 "plain",
		`name != "plain"`:                                 "everything prod-db",
		`labels["env"] == "dev"`:                          "everything",
		`labels["env"] == ""`:                             "plain",
		`labels["env"] != "prod"`:                         "everything plain",
		`resource.sub_kind == "mcp"`:                      "everything prod-db plain",
		`resource.sub_kind != "mcp"`:                      "",
		`labels["env"]=="dev"&&name=="everything"`:        "everything",
		`name == "plain" || name == "prod-db"`:            "prod-db plain",
		`name == "a" && name == "b" || name == "plain"`:   "plain",
		`name == "plain" || name == "b" && name == "c"`:   "plain",
		`(name == "plain" || name == "b") && name == "c"`: "",
		`!(labels["env"] == "dev")`:                       "prod-db plain",
		`! name == "plain"`:                               "everything prod-db",
		`!!search("big")`:                                 "prod-db",
		`search("BIG", "prod")`:                           "prod-db",
		`search()`:                                        "everything prod-db plain",
		`search("x") || labels["team"] == "web"`:          "everything",
		"\n\tlabels[ \"t\\u0065am\" ] == \"\\\"\" || !(name\t==\"plain\")": "everything prod-db",
		`"a\/b" == "a/b" && "\\/" != "/"`:                                  "everything prod-db plain",
		`labels["env"] == labels["team"]`:                                  "plain",
	} {
		q, err := ParseQuery(query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if got := names((Selector{Query: q}).Select(shelf)); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}

func TestBadQueriesNameThePlace(t *testing.T) { // F-099
	for query, place := range map[string]string{
		``:                                 "character 1:",
		`name`:                             "character 5:",
		`name ==`:                          "character 8:",
		`name = "a"`:                       "character 6:",
		`name == plain`:                    "character 9:",
		`name == "a" &`:                    "character 13:",
		`name == "a" && `:                  "character 16:",
		`name == "é" x`:                    "character 13:",
		`name == "é" é`:                    "character 13:",
		`name == "a`:                       "character 9:",
		`name == "\q"`:                     "character 9:",
		`name == 'a'`:                      "character 9:",
		`(name == "a"`:                     "character 13:",
		`name == "a")`:                     "character 12:",
		`labels.env == "a"`:                "character 1:",
		`labels[env] == "a"`:               "character 8:",
		`labels["env" == "a"`:              "character 14:",
		`search`:                           "character 7:",
		`search("a" "b")`:                  "character 12:",
		`search("a",)`:                     "character 12:",
		`search(name)`:                     "character 8:",
		`search("a") == "b"`:               "character 13:",
		`"a" == "b" == "c"`:                "character 12:",
		`resource.kind == "app"`:           "character 1:",
		`"a"`:                              "character 4:",
		strings.Repeat("(", 200):           "character 101:",
		strings.Repeat("!", 200):           "character 101:",
		strings.Repeat(" ", 5000):          "character 1:",
		"name == \"\xff\"":                 "character 1:",
		`name == "a" && (name == "b" || )`: "character 32:",
	} {
		_, err := ParseQuery(query)
		if !fault.IsCode(err, fault.QueryInvalid) || !strings.Contains(err.Error(), place) {
			t.Errorf("%.40q: got %v, want %s", query, err, place)
		}
	}
}

func FuzzQuery(f *testing.F) {
	f.Add(`name == "plain" || !(labels["env"] != "dev" && search("a","b"))`)
	f.Add(`resource.sub_kind == "mcp"`)
	f.Fuzz(func(t *testing.T, query string) {
		q, err := ParseQuery(query)
		if err != nil {
			if !fault.IsCode(err, fault.QueryInvalid) {
				t.Errorf("%q: %v", query, err)
			}
			return
		}
		not, err := ParseQuery("!(" + query + ")")
		if err != nil {
			return // too long or too deep by that
		}
		for _, s := range shelf {
			if q.Holds(s) == not.Holds(s) {
				t.Errorf("%q is neither true nor false of %s", query, s.Name)
			}
		}
	})
}
