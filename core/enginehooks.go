package core

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// hook gives the engine the server's own hooks, and those of Config so that their panics count.
func (s *Server) hook(engine *engineio.Config) {
	engine.Accept, engine.Authorize, engine.Refused = s.accept, s.authorize, s.refused
	headers := func(f func(http.Header, *http.Request)) func(http.Header, *http.Request) {
		if f == nil {
			return nil
		}
		return func(h http.Header, r *http.Request) { s.counted(func() { f(h, r) }) }
	}
	engine.Headers, engine.InitialHeaders = headers(s.cfg.Headers), headers(s.cfg.InitialHeaders)
	if newID := s.cfg.NewEngineID; newID != nil {
		engine.NewID = func(r *http.Request) (id string, err error) {
			s.counted(func() { id, err = newID(r) })
			return id, err
		}
	}
	if engine.RateLimit != nil && engine.RateLimit.ClientIP == nil {
		limit := *engine.RateLimit
		limit.ClientIP = adapterIP
		engine.RateLimit = &limit
	}
}

// counted runs a hook whose panic the engine recovers and logs.
func (s *Server) counted(f func()) {
	returned := false
	defer func() {
		if !returned {
			s.panics.Add(1)
		}
	}()
	f()
	returned = true
}

// adapterIP is the client's address as the framework's rules say, if it comes through an adapter.
func adapterIP(r *http.Request) string {
	ip, _ := r.Context().Value(remoteIPKey{}).(string)
	return ip
}

// connectionError tells Config.OnConnectionError.
func (s *Server) connectionError(r *http.Request, e *engineio.Error) {
	if s.cfg.OnConnectionError == nil {
		return
	}
	if err := protectHTTP(func() error { s.cfg.OnConnectionError(r, e); return nil }); err != nil {
		_ = s.hookError(err) // logs it; the request is refused anyway
	}
}

// initialPacket makes the message of Config.InitialPacket.
func initialPacket(text string) (*engineio.Message, error) {
	if text == "" {
		return nil, nil
	}
	decoder := sio.NewDecoder(sio.FromServer, nil)
	p, complete, err := decoder.Text([]byte(text))
	switch {
	case err != nil:
		return nil, fmt.Errorf("core: InitialPacket is no packet of Socket.IO: %w", err)
	case !complete || p.Type != sio.Event || p.HasID:
		return nil, errors.New(`core: InitialPacket must be an event without attachments and without ack, like 2["hello"]`)
	}
	if _, _, err := sio.ParseEvent(p.Data, sio.Limits{}); err != nil {
		return nil, fmt.Errorf("core: InitialPacket is no event: %w", err)
	}
	return engineio.NewMessage(append(make([]byte, engineio.Headroom, engineio.Headroom+len(text)), text...)), nil
}
