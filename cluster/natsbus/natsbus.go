// Package natsbus is a cluster.Bus over core NATS: one subject, no queue group, no stream.
//
//	nc, err := nats.Connect("nats://localhost:4222", nats.MaxReconnects(-1))
//	srv, err := core.New(core.Config{Bus: natsbus.New(nc, natsbus.Options{})})
//
// The connection reconnects by itself as it was configured; with nats.MaxReconnects(-1) for ever.
// What is published while a process reconnects does not reach it. When the server does not answer for 5 s,
// the bus has the connection reconnect.
package natsbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/siokit/siokit/cluster/internal/pump"
)

// Options configures a Bus. The zero value of every field is its default.
type Options struct {
	// Subject is the name on which all processes meet: words joined by dots, no wildcards. Default
	// "socketio".
	Subject string
	// MaxMessages and MaxBytes bound what waits while NATS is away; beyond them the oldest are dropped
	// and counted. Defaults 10,000 and 8 MiB.
	MaxMessages int
	MaxBytes    int
	// StartWithoutBroker lets a server start while NATS cannot be reached; it serves its own clients
	// until it can. Default false: starting is an error.
	StartWithoutBroker bool
	// Logger gets a line when the state changes, never one per message. Default slog.Default().
	Logger *slog.Logger
}

// A Bus implements cluster.Bus.
type Bus struct{ *pump.Pump }

// New returns a bus that uses nc, which remains the caller's: Close does not close it.
func New(nc *nats.Conn, opts Options) *Bus {
	if opts.Subject == "" {
		opts.Subject = pump.DefaultChannel
	}
	d := &driver{nc: nc, subject: opts.Subject}
	return &Bus{pump.New("natsbus", d, pump.Options{
		MaxMessages: opts.MaxMessages, MaxBytes: opts.MaxBytes,
		StartWithoutBroker: opts.StartWithoutBroker, Logger: opts.Logger, Invalid: check(opts.Subject),
		MaxPause: 500 * time.Millisecond, // asking whether the client has reconnected costs nothing
	})}
}

// check refuses subjects that NATS does not allow, and those that would match others.
func check(subject string) error {
	for token := range strings.SplitSeq(subject, ".") {
		if token == "" || token == "*" || token == ">" || strings.ContainsAny(token, " \t\r\n") {
			return fmt.Errorf("Options.Subject %q: a subject is words joined by single dots, without spaces, and none is * or >", subject)
		}
	}
	return nil
}

type driver struct {
	nc      *nats.Conn
	subject string
}

// away says why there is no connection, or nil if there is one.
func (d *driver) away() error {
	switch {
	case d.nc.IsConnected():
		return nil
	case d.nc.IsClosed():
		return errors.New("the NATS connection is closed for good: it was closed, or gave up; connect with nats.MaxReconnects(-1)")
	case d.nc.LastError() != nil:
		return fmt.Errorf("NATS is not connected: %w", d.nc.LastError())
	}
	return errors.New("NATS is not connected")
}

// Publish waits until the server has taken the messages: what the client library would keep while it
// reconnects is not counted by anybody.
func (d *driver) Publish(ctx context.Context, msgs [][]byte) (n int, err error) {
	if err := d.away(); err != nil {
		return 0, err
	}
	for i, msg := range msgs {
		switch err := d.nc.Publish(d.subject, msg); {
		case errors.Is(err, nats.ErrMaxPayload):
			if i > 0 {
				return i, nil // the next batch begins with it
			}
			return 0, &pump.RefusedError{Err: err}
		case err != nil:
			return 0, err
		}
	}
	if err := d.flush(ctx); err != nil {
		return 0, err
	}
	return len(msgs), nil
}

// flush waits until the server has taken everything. A server that does not answer for the 5 s that ctx has
// may be one whose connection a firewall has forgotten: the client library would wait for some minutes, and
// repeat nothing.
func (d *driver) flush(ctx context.Context) error {
	err := d.nc.FlushWithContext(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		_ = d.nc.ForceReconnect() // or it is closed, which the next attempt says
		return fmt.Errorf("NATS did not answer, connecting anew: %w", err)
	}
	return err
}

// pending bounds what waits for us in this process; beyond it NATS drops messages and says so.
const (
	pendingMessages = 100_000
	pendingBytes    = 64 << 20
)

// subscribeTimeout bounds the answer to a subscription.
const subscribeTimeout = 5 * time.Second

func (d *driver) Receive(ctx context.Context, live func(), receive func(msg []byte)) error {
	if err := d.away(); err != nil {
		return err
	}
	sub, err := d.nc.SubscribeSync(d.subject)
	if err != nil {
		return fmt.Errorf("subscribing to %s: %w", d.subject, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := sub.SetPendingLimits(pendingMessages, pendingBytes); err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, subscribeTimeout)
	err = d.flush(asking)
	cancel()
	if err != nil {
		return fmt.Errorf("subscribing to %s: %w", d.subject, err)
	}
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	lost := d.nc.StatusChanged(nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	defer d.nc.RemoveStatusListener(lost)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cut(nil)
	watching.Go(func() {
		select {
		case <-lost:
			cut(cmp.Or(d.away(), errors.New("the connection to NATS was lost")))
		case <-ctx.Done():
		}
	})
	live()
	for {
		msg, err := sub.NextMsgWithContext(ctx)
		switch {
		case err == nil:
			receive(msg.Data)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, nats.ErrSlowConsumer): // what was lost shows as a gap in the senders' numbering
		default:
			return err
		}
	}
}

func (d *driver) Close() error { return nil }
