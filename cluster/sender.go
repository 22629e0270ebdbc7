package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/siokit/siokit/wire/sio"
)

// A Sender sends what a Node sends, numbered and signed alike, and receives nothing: the other processes
// never wait for it. Package emitter is the one for applications. Methods may be called concurrently and
// do not block; their errors mean that nothing was sent.
type Sender struct {
	bus    Bus
	signer signer
	id     string
	legacy bool         // Options.LegacyData
	log    *slog.Logger // of the Node that sends with it

	sent   atomic.Int64
	mu     sync.Mutex // orders seq and Publish
	seq    int64      // guarded by mu
	closed bool       // guarded by mu
}

// NewSender returns a sender on bus, which belongs to it from now on. Of opts, Key, LegacyData and Logger
// count.
func NewSender(bus Bus, opts Options) (*Sender, error) {
	if len(opts.Key) > 0 && len(opts.Key) < 16 {
		return nil, fmt.Errorf("cluster: Options.Key must have at least 16 bytes, got %d", len(opts.Key))
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	return &Sender{bus: bus, signer: signer(opts.Key), id: newID(), legacy: opts.LegacyData, log: opts.Logger}, nil
}

// Close has the bus hand over what was sent, see Bus.Close.
func (s *Sender) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.bus.Close(ctx)
}

// send numbers and publishes a message.
func (s *Sender) send(m *message) error {
	if m.Host == "" {
		m.Host = s.id
	}
	if m.Go == nil {
		m.Go = &extension{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	m.Go.Seq = s.seq + 1
	data, err := s.signer.encode(m)
	switch {
	case err != nil:
		return fmt.Errorf("cluster: a message %s cannot be encoded: %w", m.Method, err)
	case len(data) > MaxMessage:
		return fmt.Errorf("cluster: a message of %d bytes; the other processes read %d at most: send less at once", len(data), MaxMessage)
	}
	s.seq++
	if err := s.bus.Publish(data); err != nil {
		return err
	}
	s.sent.Add(1)
	return nil
}

// Emit sends an event to the clients of all nodes.
func (s *Sender) Emit(e *Emit) error { return s.sendEmit(methodEmit, e, &extension{}) }

// ServerEmit sends an event to all servers.
func (s *Sender) ServerEmit(e *Emit) error { return s.sendEmit(methodServerEmit, e, &extension{}) }

// sendEmit publishes an event, with what else the method needs in ext.
func (s *Sender) sendEmit(method string, e *Emit, ext *extension) error {
	if !e.All && len(e.Rooms) == 0 && method != methodServerEmit {
		return nil
	}
	if err := short(e.Audience, nil); err != nil {
		return err
	}
	m := &message{Method: method, Event: &e.Event, Go: ext}
	ext.Volatile, ext.Plain = e.Volatile, e.Plain
	if !m.setAudience(e.Audience) && method == methodEmit {
		m.Method = methodGoEmit
	}
	m.Data, m.Binary = pack(e.Data, e.Attachments)
	if s.legacy && m.Method == methodEmit && !m.Binary {
		if args, err := sio.ParseArgs(e.Data, sio.Limits{}); err == nil && len(args) == 1 {
			m.Data, m.Go.Legacy = jsontext.Value(args[0]), true
		}
	}
	return s.send(m)
}

// Join makes sockets join rooms.
func (s *Sender) Join(a Audience, rooms []string) error {
	if sid, ok := single(a); ok && looksLikeSID(sid) {
		return s.each(rooms, func(room jsontext.Value) *message {
			return &message{Method: methodEnterRoom, SID: &sid, Room: room, Namespace: &a.Namespace}
		})
	}
	return s.sendAudience(methodJoin, a, &extension{Rooms: rooms})
}

// Leave makes sockets leave rooms.
func (s *Sender) Leave(a Audience, rooms []string) error {
	if name, ok := single(a); ok {
		switch {
		case looksLikeSID(name):
			return s.each(rooms, func(room jsontext.Value) *message {
				return &message{Method: methodLeaveRoom, SID: &name, Room: room, Namespace: &a.Namespace}
			})
		case len(rooms) == 1 && rooms[0] == name:
			return s.send(&message{Method: methodCloseRoom, Room: quote(name), Namespace: &a.Namespace})
		}
	}
	return s.sendAudience(methodLeave, a, &extension{Rooms: rooms})
}

// each sends a message for each room, as Python has them.
func (s *Sender) each(rooms []string, make func(room jsontext.Value) *message) (err error) {
	for _, room := range rooms {
		err = errors.Join(err, s.send(make(quote(room))))
	}
	return err
}

// Disconnect ends sockets; with transport, their whole connections.
func (s *Sender) Disconnect(a Audience, transport bool) error {
	if sid, ok := single(a); ok && looksLikeSID(sid) && !transport {
		return s.send(&message{Method: methodDisconnect, SID: &sid, Namespace: &a.Namespace})
	}
	return s.sendAudience(methodGoDisconnect, a, &extension{Transport: transport})
}

// Revoke passes data on, which package auth understands.
func (s *Sender) Revoke(data []byte) error {
	return s.send(&message{Method: methodRevoke, Go: &extension{Blob: data}})
}

// single reports whether an audience is one room or socket.
func single(a Audience) (name string, ok bool) {
	if a.All || len(a.Rooms) != 1 || len(a.Except) > 0 {
		return "", false
	}
	return a.Rooms[0], true
}

func (s *Sender) sendAudience(method string, a Audience, ext *extension) error {
	if !a.All && len(a.Rooms) == 0 {
		return nil
	}
	if err := short(a, ext.Rooms); err != nil {
		return err
	}
	m := &message{Method: method, Go: ext}
	m.setAudience(a)
	return s.send(m)
}

// short refuses lists that nobody would read.
func short(a Audience, rooms []string) error {
	if n := max(len(a.Rooms), len(a.Except), len(rooms)); n > maxList {
		return fmt.Errorf("cluster: a list of %d rooms; the other processes read %d at most: split it", n, maxList)
	}
	return nil
}
