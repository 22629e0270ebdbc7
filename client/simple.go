package client

import (
	"context"
	"sync/atomic"
	"time"
)

// A Simple is a client without callbacks, for scripts and for tests: it sends, asks (with Call), and
// receives one event after another. It reconnects like any other. All methods may be called concurrently.
// Call takes it too, client.Call[int](ctx, s, "sum", 1, 2), and so does every function with a Target; an event
// that the server wants acked is answered by a handler of OnCall, or not at all.
type Simple struct {
	client *Client
	events chan Event
	ended  chan struct{} // closed when no event will come any more
	cause  atomic.Pointer[error]
}

// An Event is what Simple.Receive returns.
type Event struct {
	Name string
	Args Args
}

// DialSimple connects and joins the namespace of the address, "https://example.com/chat"; see New. Close must be
// called.
func DialSimple(ctx context.Context, address string, opts Options) (*Simple, error) {
	c, err := New(address, opts)
	if err != nil {
		return nil, err
	}
	s := &Simple{client: c, events: make(chan Event), ended: make(chan struct{})}
	c.target().socket.OnAny(func(ctx context.Context, event string, args Args) {
		select {
		case s.events <- Event{event, args}: // events wait in the namespace's queue, which is bounded
		case <-ctx.Done():
		}
	})
	if err := c.Connect(ctx); err != nil {
		return nil, err
	}
	go func() {
		err := c.Wait()
		if err == nil {
			err = ErrNotConnected
		}
		s.cause.Store(&err)
		close(s.ended)
	}()
	return s, nil
}

// Emit is Client.Emit.
func (s *Simple) Emit(event string, args ...any) error { return s.client.Emit(event, args...) }

// Send emits the event "message".
func (s *Simple) Send(args ...any) error { return s.client.Send(args...) }

// Receive waits for the next event. It waits through reconnects; when the client has ended it returns why,
// and ErrNotConnected after Close. When ctx ends first no event is lost.
func (s *Simple) Receive(ctx context.Context) (Event, error) {
	select {
	case e := <-s.events:
		return e, nil
	default:
	}
	select {
	case e := <-s.events:
		return e, nil
	case <-s.ended:
		return Event{}, *s.cause.Load()
	case <-ctx.Done():
		return Event{}, waitError(ctx)
	}
}

// Connected reports whether the namespace is joined right now.
func (s *Simple) Connected() bool { return s.client.Connected() }

// Namespace returns the name of the namespace, that of the address.
func (s *Simple) Namespace() string { return s.client.namespace }

// ID returns the socket's id, "" while the client reconnects.
func (s *Simple) ID() string { return s.client.ID() }

// Transport returns "polling" or "websocket", "" while the client reconnects.
func (s *Simple) Transport() string { return s.client.Transport() }

// Timeout bounds a Call, whatever its context says.
func (s *Simple) Timeout(d time.Duration) Emitter { return s.client.target().Timeout(d) }

// Flush is Client.Flush: before Close, when what was emitted must arrive.
func (s *Simple) Flush(ctx context.Context) error { return s.client.Flush(ctx) }

// Close disconnects and waits until nothing of the client runs any more.
func (s *Simple) Close() error {
	err := s.client.Close()
	<-s.ended
	return err
}

func (s *Simple) target() Emitter { return s.client.target() }
