package emitter

import (
	"context"
	"fmt"
	"strings"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/wire/sio"
)

// Options configures an Emitter. The zero value of every field is its default.
type Options struct {
	// Key signs what is sent, see cluster.Options.Key: it must be that of the servers, of at least 16
	// bytes. Default none.
	Key []byte

	// LegacyData sends the bare value instead of a list when an event has exactly one argument, for
	// fleets with python-socketio before 5.15.1. Default false.
	LegacyData bool

	// JSON encodes the arguments. Default the built-in codec, as core.Config.JSON.
	JSON sio.JSON

	// MaxAttachments is the most binary values of one event. Default 10, which is what clients and servers
	// accept unless they are configured otherwise.
	MaxAttachments int
}

// An Emitter sends to the clients of all servers on its bus. It is the namespace "/", see Of for others.
// Its methods may be called concurrently.
type Emitter struct {
	Namespace
	bus cluster.Bus
}

// channel is where a Namespace and a Broadcast send.
type channel struct {
	out     *cluster.Sender
	encoder sio.Encoder
	invalid error // what is wrong with Options
}

// New returns an emitter on bus, which belongs to it from now on. It does not wait for the broker. What is
// wrong with opts is returned by everything that sends.
func New(bus cluster.Bus, opts Options) *Emitter {
	ch := &channel{encoder: sio.Encoder{JSON: opts.JSON, Attachments: opts.MaxAttachments}}
	ch.out, ch.invalid = cluster.NewSender(bus, cluster.Options{Key: opts.Key, LegacyData: opts.LegacyData})
	return &Emitter{Namespace: Namespace{ch, "/"}, bus: bus}
}

// Of returns a namespace. A missing leading slash is added. Servers that do not have it ignore what is
// sent there.
func (e *Emitter) Of(namespace string) Namespace {
	if !strings.HasPrefix(namespace, "/") {
		namespace = "/" + namespace
	}
	return Namespace{e.ch, namespace}
}

// Announce passes data to all servers, where core.Config.OnAnnounced gets it. A worker that ends logins
// connects it with package auth, so that their sockets end at once:
//
//	users.OnRevoke(func(data []byte) { _ = em.Announce(ctx, data) })
func (e *Emitter) Announce(ctx context.Context, data []byte) error {
	return e.ch.send(ctx, func(out *cluster.Sender) error { return out.Revoke(data) })
}

// Healthy returns nil while the broker takes messages, and otherwise what is wrong.
func (e *Emitter) Healthy() error {
	if e.ch.invalid != nil {
		return e.ch.invalid
	}
	return e.bus.Healthy()
}

// Dropped returns how many messages were thrown away because the broker was away for too long, or refused
// them.
func (e *Emitter) Dropped() int64 { return e.bus.Dropped() }

// Close waits until what was sent has been handed to the broker, at most until ctx ends, and closes the
// bus; not a broker's client that the bus was given. An error says how much was lost. Whatever is called
// afterwards fails with cluster.ErrClosed; Close may be called again.
func (e *Emitter) Close(ctx context.Context) error {
	if e.ch.invalid != nil {
		return e.bus.Close(ctx)
	}
	return e.ch.out.Close(ctx)
}

// send sends, unless ctx has ended or the options are wrong.
func (ch *channel) send(ctx context.Context, f func(out *cluster.Sender) error) error {
	if ch.invalid != nil {
		return fmt.Errorf("emitter: %w", ch.invalid)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("emitter: nothing was sent: %w", context.Cause(ctx))
	}
	if err := f(ch.out); err != nil {
		return fmt.Errorf("emitter: %w", err)
	}
	return nil
}

// event encodes an event.
func (ch *channel) event(name string, args []any) (*cluster.Emit, error) {
	ev, err := ch.encoder.Encode(name, args)
	if err != nil {
		return nil, fmt.Errorf("emitter: %w", err)
	}
	data, ok := ev.Args()
	if n := len(ev.Attachments); ok && n > 0 {
		_, err = sio.CheckArgs(data, n, sio.Limits{Attachments: ch.encoder.Attachments})
	}
	if !ok || err != nil {
		return nil, fmt.Errorf("emitter: event %q: beside binary values it holds an object with a member \"_placeholder\"; rename that", name)
	}
	return &cluster.Emit{Event: name, Data: data, Attachments: ev.Attachments}, nil
}
