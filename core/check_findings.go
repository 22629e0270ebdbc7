package core

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// findings are what a Check has found, in words.
type findings struct {
	culprits []culprit
	blocked  string // by what the check was kept out, if it was
}

// A culprit is one cause, with every step that it broke.
type culprit struct {
	steps []string
	text  string
}

func (f *findings) add(step, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for i, known := range f.culprits {
		if known.text == text {
			if !slices.Contains(known.steps, step) {
				f.culprits[i].steps = append(known.steps, step)
			}
			return
		}
	}
	f.culprits = append(f.culprits, culprit{[]string{step}, text})
}

func (f *findings) err() error {
	if len(f.culprits) == 0 && f.blocked == "" {
		return nil
	}
	if len(f.culprits) == 0 {
		return fmt.Errorf("%w: %s", ErrCheckBlocked, f.blocked)
	}
	var lines []string
	for _, c := range f.culprits {
		lines = append(lines, "core: check: "+strings.Join(c.steps, ", ")+": "+c.text)
	}
	if f.blocked != "" {
		lines = append(lines, ErrCheckBlocked.Error()+": "+f.blocked)
	}
	return errors.New(strings.Join(lines, "\n"))
}

// handshakeFailed explains the first request that was not answered as it should be.
func (c *check) handshakeFailed(step string, a answer) {
	path := c.visit.path()
	if a.reached || a.err != nil {
		c.failed(step, a)
		return
	}
	switch {
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		c.blocked = fmt.Sprintf("%s: something in front answers %d; if that is a login, pass the header of a visitor who has one", step, a.status)
	case a.status/100 == 3:
		c.redirected(step, a)
	case a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed:
		if without := c.visit.withoutSlash(); without.reached {
			c.add(step, "only %q is routed and clients ask for %q: route both, as the Mount functions do", strings.TrimSuffix(path, "/"), path)
			return
		}
		c.add(step, "no route: GET %s is answered with %d and does not reach the server: mount it there, or check the path that it is mounted on", path, a.status)
	default:
		c.add(step, "something in front answers %d, and the request does not reach the server", a.status)
	}
}

func (v *visit) withoutSlash() answer {
	u, _ := url.Parse(v.endpoint("http", "polling", ""))
	u.Path = strings.TrimSuffix(u.Path, "/")
	v.begin()
	return v.noted(v.exchange(http.MethodGet, u.String(), ""))
}

// redirected tells a router that corrects the path from a login page, and from a demand for https.
func (c *check) redirected(step string, a answer) {
	path, location := c.visit.path(), a.header.Get("Location")
	to, err := url.Parse(location)
	switch {
	case err != nil || to.Path == "" || strings.Trim(to.Path, "/") != strings.Trim(path, "/"):
		c.blocked = fmt.Sprintf("%s: %d to %s; if that is a login page, pass the header of a visitor who is logged in", step, a.status, location)
	case to.Scheme == "https":
		c.blocked = fmt.Sprintf("%s: %d to https; pass the header that your proxy sends, X-Forwarded-Proto: https", step, a.status)
	default:
		c.add(step, "%s redirects to %s (%d), and no client follows with a POST or WebSocket: route %q itself, as the Mount functions do", path, location, a.status, path)
	}
}

// failed explains a request that had a right to succeed.
func (c *check) failed(step string, a answer) {
	path := c.visit.path()
	switch {
	case a.refusal != nil:
		c.refused(step, a)
	case a.err != nil && timedOut(a.err):
		c.add(step, "no answer in time: something in front of the server hangs, or holds the answer back")
	case a.err != nil:
		c.add(step, "the connection breaks: %v", a.err)
	case a.path404 != "":
		c.add(step, "the request arrives with the path %q, but the server answers on paths that end in %q: do not strip them, or set Config.Path", a.path404, c.srv.cfg.Path)
	case a.reached:
		c.add(step, "something in front answers %d in the server's place, such as a timeout: skip %s there", a.status, path)
	default:
		c.add(step, "something in front answers %d, although it let the handshake pass: skip %s there", a.status, path)
	}
}

// refused explains what the server itself has refused.
func (c *check) refused(step string, a answer) {
	e := a.refusal
	if (e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized) && !strings.HasPrefix(e.Cause, originCause) {
		c.blocked = fmt.Sprintf("%s: %d, %s", step, e.Status, e.Cause)
		return
	}
	text := e.Message + ": " + e.Cause
	if strings.Contains(e.Cause, "imeoutWriter") {
		text += fmt.Sprintf(". The timeoutWriter is that of http.TimeoutHandler or of a Timeout middleware, which hold answers back: skip %s there", c.visit.path())
	}
	c.add(step, "%s", text)
}

// postUnrouted explains a POST that did not arrive although a GET did.
func (c *check) postUnrouted(a answer) {
	path := c.visit.path()
	switch {
	case a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed || a.status/100 == 3:
		c.add(stepPost, "GET %s is routed and POST is not (%d): route all methods, as the Mount functions do", path, a.status)
	case a.status/100 == 2:
		c.add(stepPost, "something in front answers %d itself: skip %s there", a.status, path)
	default:
		c.add(stepPost, "something in front answers %d, although it let the handshake pass: if it protects from CSRF, skip %s there, the server checks the origin of every request", a.status, path)
	}
}

// cors looks at the headers that let a page of another origin read the answer.
func (c *check) cors(step string, a answer) {
	const allow = "Access-Control-Allow-Origin"
	for _, name := range []string{allow, "Access-Control-Allow-Credentials"} {
		if values := a.header.Values(name); len(values) > 1 || len(values) == 1 && strings.Contains(values[0], ",") {
			c.add(step, "%s is doubled, %q, and browsers refuse that: Config.Origins sets it already, so skip %s in the CORS middleware", name, values, c.visit.path())
		}
	}
	if values := a.header.Values(allow); len(values) == 0 && len(c.srv.cfg.Origins) > 0 {
		c.add(step, "something in front removes %s, which the server sets for Config.Origins", allow)
	}
}

// compression looks at a poll's answer as a browser would.
func (c *check) compression(a answer, want string) {
	var encodings []string
	for _, v := range a.header.Values("Content-Encoding") {
		for e := range strings.SplitSeq(v, ",") {
			encodings = append(encodings, strings.TrimSpace(e))
		}
	}
	body, times, err := unzipped(a.body)
	if err != nil {
		c.add(stepPoll, "the answer is cut or damaged: %v", err)
		return
	}
	packets := slices.DeleteFunc(strings.Split(body, "\x1e"), func(p string) bool { return p == "2" })
	switch {
	case times > 1 || len(encodings) > 1:
		c.add(stepPoll, "answers are compressed twice (Content-Encoding %q): skip %s in the compressing middleware, or set Config.CompressFrom to -1", encodings, c.visit.path())
	case times != len(encodings):
		c.add(stepPoll, "the answer is compressed %d times, and Content-Encoding is %q: something in front compresses or changes that header", times, encodings)
	case len(packets) != 1 || packets[0] != want:
		c.add(stepPoll, "something in front changes the answer: %d bytes, begins with %.60q", len(body), body)
	}
}

// unzipped undoes compression, as often as it takes.
func unzipped(body string) (plain string, times int, err error) {
	for ; strings.HasPrefix(body, "\x1f\x8b") && times < 3; times++ {
		if body, err = gunzip(body); err != nil {
			return "", times, err
		}
	}
	return body, times, nil
}

func gunzip(s string) (string, error) {
	z, err := gzip.NewReader(strings.NewReader(s))
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(z, 4<<20))
	return string(b), err
}
