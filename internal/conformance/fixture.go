package conformance

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/internal/freeport"
	"github.com/siokit/siokit/wire/msgpack"
)

// shutdownPatience bounds how long a server of the fixture may take to end.
const shutdownPatience = 30 * time.Second

// A Fixture is what js/reference.mjs is, with siokit: a server with default options, one with a fast
// heartbeat, the same two for old clients, one with every option that is off by default, one that keeps
// sessions for clients that come back, one for each of two other parsers, and one that an HTTP request
// stops and starts.
type Fixture struct {
	main, ping *site
	old        *site
	oldPing    *site
	recovering *site
	options    *site
	msgpack    *site
	objects    *site
	control    *http.Server
	controlURL string

	notes *notes // of the server that is restarted

	mu         sync.Mutex
	restarting *site // guarded by mu
}

// Start serves the fixture on free ports of 127.0.0.1 until Close.
func Start() (*Fixture, error) {
	f := &Fixture{notes: newNotes()}
	if err := f.start(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Fixture) start() (err error) {
	if f.main, err = serve("127.0.0.1:0", core.Config{}); err != nil {
		return err
	}
	fast := core.Config{PingInterval: 300 * time.Millisecond, PingTimeout: 5 * time.Second}
	if f.ping, err = serve("127.0.0.1:0", fast); err != nil {
		return err
	}
	if f.options, err = serve("127.0.0.1:0", everyOption()); err != nil {
		return err
	}
	if f.old, err = serve("127.0.0.1:0", core.Config{AllowEIO3: true, JSONP: true}); err != nil {
		return err
	}
	fast.AllowEIO3 = true
	if f.oldPing, err = serve("127.0.0.1:0", fast); err != nil {
		return err
	}
	if f.recovering, err = serve("127.0.0.1:0", core.Config{Recovery: &core.Recovery{}}); err != nil {
		return err
	}
	if f.msgpack, err = serve("127.0.0.1:0", core.Config{Parser: msgpack.Parser{}}); err != nil {
		return err
	}
	if f.objects, err = serve("127.0.0.1:0", core.Config{Parser: objects{}}); err != nil {
		return err
	}
	port, err := freeport.Find() // nobody else's while the server is down
	if err != nil {
		return err
	}
	if f.restarting, err = serveNoting(net.JoinHostPort("127.0.0.1", port), core.Config{}, f.notes); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	routes := http.NewServeMux()
	routes.HandleFunc("POST /stop", f.restart(stopped, false))
	routes.HandleFunc("POST /start", f.restart(stopped, true))
	routes.HandleFunc("POST /kill", f.restart(killed, true))
	f.control = &http.Server{Handler: routes, ReadHeaderTimeout: shutdownPatience}
	f.controlURL = "http://" + listener.Addr().String()
	go func() { _ = f.control.Serve(listener) }() // ends with Close
	return nil
}

// everyOption switches on what is off by default and shows in a client.
func everyOption() core.Config {
	return core.Config{
		PerMessageDeflate: &engineio.Deflate{},
		Cookie:            &http.Cookie{},
		InitialPacket:     `2["hello",{"from":"the handshake"}]`,
		InitialHeaders:    func(h http.Header, _ *http.Request) { h.Set("X-First", "1") },
		Headers:           func(h http.Header, _ *http.Request) { h.Set("X-All", "1") },
	}
}

func stopped(s *site) error { return s.stop() }
func killed(s *site) error  { return s.kill() }

// restart ends the server that can be restarted and, on demand, starts it again on the same port.
func (f *Fixture) restart(end func(*site) error, again bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		err := end(f.restarting)
		if err == nil && again {
			var site *site
			if site, err = serveNoting(f.restarting.address, core.Config{}, f.notes); err == nil {
				f.restarting = site
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

// Env returns what the JavaScript suite reads from its environment.
func (f *Fixture) Env() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []string{
		"SIOKIT_URL=http://" + f.main.address,
		"SIOKIT_PING_URL=http://" + f.ping.address,
		"SIOKIT_OPTIONS_URL=http://" + f.options.address,
		"SIOKIT_OLD_URL=http://" + f.old.address,
		"SIOKIT_OLD_PING_URL=http://" + f.oldPing.address,
		"SIOKIT_RECOVERY_URL=http://" + f.recovering.address,
		"SIOKIT_RESTART_URL=http://" + f.restarting.address,
		"SIOKIT_CONTROL_URL=" + f.controlURL,
		"SIOKIT_MSGPACK_URL=http://" + f.msgpack.address,
		"SIOKIT_OBJECTS_URL=http://" + f.objects.address,
	}
}

// Close ends every server. It returns what did not end in time.
func (f *Fixture) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if f.control != nil {
		err = f.control.Close()
	}
	for _, s := range []*site{f.main, f.ping, f.old, f.oldPing, f.options, f.recovering, f.msgpack, f.objects, f.restarting} {
		if s != nil { // Start may have failed half-way
			err = errors.Join(err, s.stop())
		}
	}
	return err
}
