package sessions

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/gorilla/securecookie"
)

// open asks the store for the session that the cookies of r name. The error is the store's: a cookie that does
// not verify, a session that is gone, and one that a check refuses give a new session.
func (m *Manager) open(r *http.Request) (*gorilla.Session, error) { return m.read(r, m.accepted) }

// read is open with checks of the caller's choice.
func (m *Manager) read(r *http.Request, accept func(context.Context, *gorilla.Session) (bool, error)) (*gorilla.Session, error) {
	ctx, cancel := context.WithTimeout(r.Context(), m.timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("sessions: the request ended before its session was loaded: %w", err)
	}
	req := bare(ctx, r)
	brought := r.CookiesNamed(m.name)
	if conflicting(brought) {
		// Which of them the browser's site set and which a neighbouring subdomain did cannot be known.
		m.warn(r, "two different session cookies of one name", nil)
		req.Header.Del("Cookie")
	}
	got, err := m.store.New(req, m.name)
	fresh := false
	if err != nil {
		if !cookieRefused(err) {
			return nil, fmt.Errorf("sessions: the session store failed: %w", err)
		}
		fresh = true
		if !errors.Is(err, fs.ErrNotExist) { // a session that is gone is an everyday thing
			m.warn(r, "the session cookie does not verify: its key changed, it expired, or it was tampered with", err)
		}
	}
	if got == nil {
		return nil, errors.New("sessions: the session store returned neither a session nor an error: fix its New method")
	}
	// The store may share what it returned, and may have left out the name: take a session of our own.
	gs := gorilla.NewSession(m.store, m.name)
	if got.Options != nil {
		*gs.Options = *got.Options
	}
	gs.IsNew = true
	accepted := !fresh && !got.IsNew
	if accepted {
		if accepted, err = accept(ctx, got); err != nil {
			return nil, fmt.Errorf("sessions: whether the session still counts could not be found out: %w", err)
		}
	}
	if !accepted {
		// The id a cookie brought is not adopted: it would be the choice of whoever planted the cookie.
		if len(brought) == 0 {
			gs.ID = got.ID
		}
		if !fresh && got.IsNew {
			maps.Copy(gs.Values, got.Values)
		}
		return gs, nil
	}
	gs.ID, gs.IsNew = got.ID, false
	maps.Copy(gs.Values, got.Values)
	return gs, nil
}

// save writes gs to the store and its cookie to h, in place of one that was set there before.
func (m *Manager) save(ctx context.Context, r *http.Request, gs *gorilla.Session, h http.Header) error {
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	if idOf(gs) == "" {
		gs.Values[idKey] = rand.Text()
	}
	m.setAttributes(gs.Options, r)
	w := headerOnly{}
	if err := m.store.Save(bare(ctx, r), w, gs); err != nil {
		return fmt.Errorf("sessions: saving the session failed (values need gob.Register, and cookie stores hold 4,096 bytes): %w", err)
	}
	replaceCookie(h, m.name, w["Set-Cookie"])
	return nil
}

// withCookie is r with the session cookie that was just set in h, or r if there is none.
func (m *Manager) withCookie(r *http.Request, h http.Header) *http.Request {
	for _, line := range h["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err == nil && c.Name == m.name {
			r = bare(r.Context(), r)
			r.Header.Set("Cookie", c.Name+"="+c.Value)
		}
	}
	return r
}

// erase removes what the store holds under the id of gs. A store that keeps everything in the cookie has nothing.
func (m *Manager) erase(ctx context.Context, r *http.Request, gs *gorilla.Session) error {
	if gs.ID == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.timeout)
	defer cancel()
	dead := gorilla.NewSession(m.store, m.name)
	dead.ID = gs.ID
	*dead.Options = *gs.Options
	dead.Options.MaxAge = -1 // how every gorilla store is told to delete
	if err := m.store.Save(bare(ctx, r), headerOnly{}, dead); err != nil {
		return fmt.Errorf("sessions: deleting the old session failed: %w", err)
	}
	return nil
}

// setAttributes decides what the cookie says; the package comment has the rules.
func (m *Manager) setAttributes(o *gorilla.Options, r *http.Request) {
	o.HttpOnly = true
	if o.Path == "" {
		o.Path = "/"
	}
	switch {
	case m.sameSite != 0:
		o.SameSite = m.sameSite
	case o.SameSite != http.SameSiteStrictMode:
		o.SameSite = http.SameSiteLaxMode
	}
	switch m.secure {
	case SecureAlways:
		o.Secure = true
	case SecureNever:
		o.Secure = false
	default:
		proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
		o.Secure = r.TLS != nil || strings.EqualFold(strings.TrimSpace(proto), "https") ||
			o.SameSite == http.SameSiteNoneMode || o.Partitioned ||
			strings.HasPrefix(m.name, "__Host-") || strings.HasPrefix(m.name, "__Secure-")
	}
}

func (m *Manager) accepted(ctx context.Context, gs *gorilla.Session) (bool, error) {
	m.checksMu.RLock()
	checks := m.checks
	m.checksMu.RUnlock()
	for _, accept := range checks {
		if ok, err := accept(ctx, idOf(gs), func(key string) any { return gs.Values[key] }); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// unchecked accepts every session.
func unchecked(context.Context, *gorilla.Session) (bool, error) { return true, nil }

// warn logs at most once a second: anybody can send bad cookies.
func (m *Manager) warn(r *http.Request, what string, err error) {
	now, last := time.Now().UnixNano(), m.lastWarning.Load()
	if last != 0 && now-last < int64(time.Second) || !m.lastWarning.CompareAndSwap(last, now) {
		return
	}
	args := []any{"cookie", m.name, "remote", r.RemoteAddr}
	if err != nil {
		args = append(args, "error", err)
	}
	m.log.Warn("sessions: "+what+"; the visitor gets a new session", args...)
}

// cookieRefused tells a bad or outdated cookie from a store that cannot be reached.
func cookieRefused(err error) bool {
	if errors.Is(err, fs.ErrNotExist) {
		return true // FilesystemStore: the session was deleted
	}
	if multi := (securecookie.MultiError)(nil); errors.As(err, &multi) {
		// One error per key. "The value is too long" is of no kind, all others say what they are.
		return !multi.IsUsage() && !multi.IsInternal()
	}
	var bad securecookie.Error
	return errors.As(err, &bad) && bad.IsDecode() && !bad.IsUsage()
}

func conflicting(cookies []*http.Cookie) bool {
	for _, c := range cookies {
		if c.Value != cookies[0].Value {
			return true
		}
	}
	return false
}

// bare returns a request with the headers of r and nothing that gorilla has hung on it.
func bare(ctx context.Context, r *http.Request) *http.Request {
	u := r.URL
	if u == nil {
		u = &url.URL{Path: "/"}
	}
	header := maps.Clone(r.Header)
	if header == nil {
		header = http.Header{}
	}
	req := &http.Request{
		Method: r.Method, URL: u, Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		Header: header, Body: http.NoBody, Host: r.Host, RemoteAddr: r.RemoteAddr, TLS: r.TLS,
	}
	return req.WithContext(ctx)
}

// replaceCookie puts the Set-Cookie lines of one cookie in h.
func replaceCookie(h http.Header, name string, lines []string) {
	if len(lines) == 0 {
		return
	}
	var kept []string
	for _, line := range h["Set-Cookie"] {
		if !strings.HasPrefix(line, name+"=") {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = append(kept, lines...)
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", `no-cache="Set-Cookie"`)
	}
}

// headerOnly is a response that keeps the headers a store sets.
type headerOnly http.Header

func (w headerOnly) Header() http.Header         { return http.Header(w) }
func (w headerOnly) Write(p []byte) (int, error) { return len(p), nil }
func (w headerOnly) WriteHeader(int)             {}
