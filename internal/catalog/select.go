package catalog

import (
	"strings"

	"drawbridge/internal/fault"
)

// Selector picks servers. Its parts must all fit; the zero Selector picks all.
type Selector struct {
	Labels map[string]string // each must be there with this value
	Words  []string          // each must occur in name, description or labels, in any case
	Query  *Query            // must hold
}

// ParseSelector reads the parts as a command line gives them: labels "k=v,k2=v2",
// search words "a,b", and a query. Each may be empty.
func ParseSelector(labels, words, query string) (Selector, error) {
	var s Selector
	var err error
	if s.Labels, err = ParseLabels(labels); err != nil {
		return Selector{}, err
	}
	for w := range strings.FieldsFuncSeq(words, func(r rune) bool { return r == ',' }) {
		if w = strings.TrimSpace(w); w != "" {
			s.Words = append(s.Words, w)
		}
	}
	if strings.TrimSpace(query) != "" {
		s.Query, err = ParseQuery(query)
	}
	return s, err
}

// ParseLabels reads "k=v,k2=v2"; of an empty text there are none.
func ParseLabels(text string) (map[string]string, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	labels := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		k, v, ok := strings.Cut(pair, "=")
		k, v = strings.TrimSpace(k), strings.TrimSpace(v)
		if old, twice := labels[k]; !ok || k == "" || (twice && old != v) {
			return nil, fault.New(fault.UsageInvalid, "labels").With("%q is not a label with its value", fault.Excerpt(pair)).
				Step("write labels like `env=dev,team=web`")
		}
		labels[k] = v
	}
	return labels, nil
}

// Select gives the servers that the selector picks, in their order.
func (s Selector) Select(list []Server) []Server {
	var out []Server
	for _, one := range list {
		if s.Fits(one) {
			out = append(out, one)
		}
	}
	return out
}

// Fits reports whether the selector picks this server.
func (s Selector) Fits(one Server) bool {
	for k, v := range s.Labels {
		if got, ok := one.Labels[k]; !ok || got != v {
			return false
		}
	}
	return one.mentions(s.Words) && (s.Query == nil || s.Query.Holds(one))
}

// mentions reports whether each word occurs in name, description or labels.
func (s Server) mentions(words []string) bool {
	if len(words) == 0 {
		return true
	}
	all := []string{strings.ToLower(s.Name), strings.ToLower(s.About())}
	for k, v := range s.Labels {
		all = append(all, strings.ToLower(k+"="+v))
	}
	for _, w := range words {
		w, found := strings.ToLower(w), false
		for _, text := range all {
			found = found || strings.Contains(text, w)
		}
		if !found {
			return false
		}
	}
	return true
}
