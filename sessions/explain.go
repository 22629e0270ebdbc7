package sessions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	gorilla "github.com/gorilla/sessions"
)

// cause is why a request has no session. The order is of no meaning.
type cause uint8

const (
	causeNone cause = iota // it has one
	causeStoreFailed
	causeTwoCookies
	causeExpired
	causeWrongKey
	causeUndecodable
	causeGone
	causeRefused
	causeOtherName
	causeLoopback
	causeCrossSite
	causeOtherHost
	causeInsecure
	causePath
	causeDomain
	causeNoBrowser
	causeNeverSet
	causes // how many there are
)

// ordinary are those that every application meets daily; they are logged at debug level.
var ordinary = []cause{causeExpired, causeGone, causeRefused, causeNoBrowser, causeNeverSet}

// Explain says in English whether the cookies of r lead to a session, and if not, what the likely cause is and what
// cures it: the answer to "why is my user anonymous?". It is for logs and for a diagnostic page during development.
// It names the cookies that arrived and never says what is in them, but it does tell a stranger how the application
// is set up: do not serve it in production. It asks the store, at most a dozen times.
//
// In a socket handler no request is left. [Manager.BindSession] therefore logs the explanation of a handshake that
// brought no session, once for each cause: at warning level if it looks like a mistake in the set-up, and at debug
// level if it is the lot of every visitor.
func (m *Manager) Explain(r *http.Request) string {
	_, text := m.diagnose(r)
	return text
}

// explainOnce logs why the handshake r has no session, unless that was logged before.
func (m *Manager) explainOnce(r *http.Request) {
	now, last := time.Now().UnixNano(), m.lastDiagnosis.Load()
	if last != 0 && now-last < int64(time.Second) || !m.lastDiagnosis.CompareAndSwap(last, now) {
		return // a diagnosis may ask the store several times
	}
	why, text := m.diagnose(r)
	if why == causeNone || m.diagnosed[why].Swap(true) {
		return
	}
	if slices.Contains(ordinary, why) {
		m.log.Debug("sessions: a handshake without a session", "why", text)
	} else {
		m.log.Warn("sessions: a handshake without a session", "why", text)
	}
}

func (m *Manager) diagnose(r *http.Request) (cause, string) {
	if r == nil {
		return causeNone, "there is no request to explain"
	}
	brought := r.CookiesNamed(m.name)
	switch {
	case len(brought) == 0:
		return m.whyNotSent(r)
	case conflicting(brought):
		return causeTwoCookies, fmt.Sprintf("the browser sent %d different cookies named %q: they were set for different Paths or Domains, "+
			"perhaps by an earlier version of the application or by a neighbouring subdomain, and which one counts cannot be known. "+
			"Delete them in the browser, and set the cookie for one Path and Domain only", len(brought), m.name)
	}
	got, err := m.peek(r, m.name)
	if err != nil {
		return m.whyRefused(err)
	}
	accepted := false
	if !got.IsNew {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), m.timeout)
		defer cancel()
		if accepted, err = m.accepted(ctx, got); err != nil {
			return causeStoreFailed, fmt.Sprintf("whether the session still counts could not be found out: %v. "+
				"Handshakes are refused with 503 while that is so", err)
		}
	}
	switch {
	case got.IsNew:
		return causeGone, fmt.Sprintf("the cookie %q is genuine, but the store no longer has its session: it expired there, it was deleted, "+
			"or a login or logout gave the session a new id and this client still sends the old cookie. Reload the page, or reconnect the socket", m.name)
	case !accepted:
		return causeRefused, fmt.Sprintf("the cookie %q is genuine, but the login in it has ended: "+
			"its user logged out, or the login reached the end of its lifetime. Log in again", m.name)
	}
	login := "It holds a login; if there is no user all the same, the loader given to auth.New did not find the account"
	if !holdsLogin(got.Values) {
		login = "It holds no login: nobody has called Login with this session, or the browser did so under another cookie name or host"
	}
	return causeNone, fmt.Sprintf("the cookie %q leads to a valid session. %s", m.name, login)
}

func holdsLogin(values map[any]any) bool {
	for key := range values {
		if key != idKey && reserved(key) {
			return true
		}
	}
	return false
}

// peek asks the store for the session of the cookie called name, without a check and without a log line.
func (m *Manager) peek(r *http.Request, name string) (*gorilla.Session, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), m.timeout)
	defer cancel()
	got, err := m.store.New(bare(ctx, r), name)
	if err == nil && got == nil {
		err = errors.New("it returned no session")
	}
	return got, err
}

// whyRefused explains what the store said about a cookie. Texts are compared where securecookie exports no error.
func (m *Manager) whyRefused(err error) (cause, string) {
	if errors.Is(err, fs.ErrNotExist) {
		return causeGone, fmt.Sprintf("the cookie %q is genuine, but the store no longer has its session: it was deleted, "+
			"or a login or logout gave the session a new id and this client still sends the old cookie. Reload the page, or reconnect the socket", m.name)
	}
	if !cookieRefused(err) {
		return causeStoreFailed, fmt.Sprintf("the session store failed: %v. Handshakes are refused with 503 while it does", err)
	}
	text := err.Error()
	if multi := (securecookie.MultiError)(nil); errors.As(err, &multi) {
		text = fmt.Sprintf("%q", []error(multi)) // its own text shows the first key's only
	}
	switch {
	case strings.Contains(text, "expired timestamp"):
		return causeExpired, fmt.Sprintf("the cookie %q is genuine and too old: the MaxAge of the store's codecs has passed since it was set. "+
			"The visitor must log in again", m.name)
	case strings.Contains(text, "the value is not valid"):
		return causeWrongKey, fmt.Sprintf("the signature of the cookie %q does not verify: it was made with another key "+
			"(does each start or each server make a random one? was the key replaced without keeping the old one as a second pair?), "+
			"by another application on this host, or it was tampered with", m.name)
	}
	return causeUndecodable, fmt.Sprintf("the cookie %q cannot be decoded: something else than this store made it, for example an application "+
		"of another language, a gin-contrib/sessions or gorilla store with other codecs, or a value whose type is not passed to gob.Register here", m.name)
}
