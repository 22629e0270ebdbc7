package core

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pattern matches the names of dynamic namespaces. It never changes.
type pattern struct {
	text     string
	segments []segment
}

type segment struct {
	literal string // when param is ""
	param   string
	rest    bool // the parameter takes this segment and all that follow
}

// anyRest names the parameter that a last segment "*" stands for.
const anyRest = "*"

// parsePattern reads "/org/{id}", "/files/{path...}" or "/*".
func parsePattern(text string) (*pattern, error) {
	if text == "" || text[0] != '/' {
		text = "/" + text
	}
	p := &pattern{text: text}
	parts := strings.Split(text[1:], "/")
	for i, part := range parts {
		seg, err := parseSegment(part)
		switch {
		case err != nil:
			return nil, fmt.Errorf("core: namespace pattern %q: %w", text, err)
		case seg.rest && i < len(parts)-1:
			return nil, fmt.Errorf("core: namespace pattern %q: %s must be the last segment", text, part)
		case seg.param != "" && slices.ContainsFunc(p.segments, func(s segment) bool { return s.param == seg.param }):
			return nil, fmt.Errorf("core: namespace pattern %q has two parameters %q", text, seg.param)
		}
		p.segments = append(p.segments, seg)
	}
	if !slices.ContainsFunc(p.segments, func(s segment) bool { return s.param != "" }) {
		return nil, fmt.Errorf("core: namespace pattern %q has no parameter: use Of, or write one as in \"/org/{id}\"", text)
	}
	return p, nil
}

func parseSegment(part string) (segment, error) {
	if part == "*" {
		return segment{param: anyRest, rest: true}, nil
	}
	name, opened := strings.CutPrefix(part, "{")
	name, closed := strings.CutSuffix(name, "}")
	if !opened && !closed && part != "" && !strings.ContainsAny(part, "{}*,") {
		return segment{literal: part}, nil
	}
	name, rest := strings.CutSuffix(name, "...")
	if !opened || !closed || name == "" || strings.ContainsAny(name, "{}*,.") {
		return segment{}, fmt.Errorf("segment %q is neither a text nor {name}, {name...} or *", part)
	}
	return segment{param: name, rest: rest}, nil
}

// match returns the values of the pattern's parameters in name.
func (p *pattern) match(name string) (params map[string]string, ok bool) {
	rest := name[1:]
	for i, seg := range p.segments {
		part, after, more := strings.Cut(rest, "/")
		if seg.rest {
			part, after, more = rest, "", false
		}
		if more == (i == len(p.segments)-1) {
			return nil, false // too many segments, or too few
		}
		switch {
		case seg.param == "" && part != seg.literal:
			return nil, false
		case seg.param != "" && !validValue(part):
			return nil, false
		case seg.param != "":
			if params == nil {
				params = make(map[string]string, len(p.segments))
			}
			params[seg.param] = part
		}
		rest = after
	}
	return params, true
}

// validValue refuses what could be taken for another name by whatever reads it next: empty and dot
// segments, queries and escapes, patterns, invisible characters, bytes that were not UTF-8.
func validValue(v string) bool {
	for part := range strings.SplitSeq(v, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return strings.IndexFunc(v, func(r rune) bool {
		return r == utf8.RuneError || strings.ContainsRune(`?#%\{}*`, r) || !unicode.IsGraphic(r)
	}) < 0
}
