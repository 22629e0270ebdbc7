package siotest

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/siokit/siokit/client"
)

// An Option says how a client connects.
type Option func(*dialing)

type dialing struct {
	opts      client.Options
	jar       http.CookieJar
	query     url.Values
	namespace string
	reconnect bool
	limits    limits
}

// Cookies connects as the person with that jar, the one that has logged in. Default: nobody's. Cookies from
// elsewhere go into a Jar first.
func Cookies(jar http.CookieJar) Option { return func(d *dialing) { d.jar = jar } }

// Auth sends an auth payload, a struct or a map, with each CONNECT. Default none.
func Auth(payload any) Option {
	return func(d *dialing) { d.opts.Auth = func(context.Context) (any, error) { return payload, nil } }
}

// Header sends a header with every request, such as Origin: without one the client is no page of another
// site. It may be given more than once.
func Header(name, value string) Option {
	return func(d *dialing) {
		if d.opts.Header == nil {
			d.opts.Header = make(http.Header)
		}
		d.opts.Header.Add(name, value)
	}
}

// Query puts a parameter into the query of every request. It may be given more than once.
func Query(name, value string) Option {
	return func(d *dialing) {
		if d.query == nil {
			d.query = make(url.Values)
		}
		d.query.Add(name, value)
	}
}

// Namespace joins that namespace instead of "/". Client.Of joins further ones.
func Namespace(name string) Option { return func(d *dialing) { d.namespace = name } }

// Path is where the sockets are mounted. Default "/socket.io/".
func Path(path string) Option { return func(d *dialing) { d.opts.Path = path } }

// Transports are those that the client uses, in order: "polling", "websocket", or both to begin on polling
// and move to WebSocket. Default WebSocket alone.
func Transports(names ...string) Option { return func(d *dialing) { d.opts.Transports = names } }

// Reconnecting makes the client come back by itself when its connection ends. Default: it stays away, so
// that a test sees why.
func Reconnecting() Option { return func(d *dialing) { d.reconnect = true } }

// Patience is Server.Patience for one client.
func Patience(d time.Duration) Option { return func(o *dialing) { o.limits.patience = d } }

// Quiet is Server.Quiet for one client.
func Quiet(d time.Duration) Option { return func(o *dialing) { o.limits.quiet = d } }

// Configure changes what none of the other options does, such as the parser or the waits between attempts
// to reconnect. HTTP and DisableReconnection are this package's own: see Cookies and Reconnecting.
func Configure(f func(*client.Options)) Option { return func(d *dialing) { f(&d.opts) } }
