// Package rabbitbus is a cluster.Bus over RabbitMQ: a fanout exchange, and a private queue for each
// process.
//
//	srv, err := core.New(core.Config{Bus: rabbitbus.New("amqp://guest:guest@localhost:5672/", rabbitbus.Options{})})
//
// The exchange is declared exactly as python-socketio's KombuManager and AioPikaManager do, so that all
// can share it. The queue is exclusive to the process, keeps messages for Options.TTL only, and is
// bounded; it goes when the connection goes, so what is published while a process reconnects does not
// reach it.
package rabbitbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/siokit/siokit/cluster/internal/pump"
)

// Options configures a Bus. The zero value of every field is its default.
type Options struct {
	// Exchange is the name on which all processes meet. Default "socketio", that of python-socketio;
	// Flask-SocketIO's is "flask-socketio".
	Exchange string
	// TTL is how long a message may wait in this process's queue, and QueueLength how many may: a
	// process that stands still does not fill the broker. Defaults 30 s and 100,000; RabbitMQ counts
	// whole milliseconds, at least one.
	TTL         time.Duration
	QueueLength int
	// Dial is passed to the client library, for TLS, SASL and heartbeats. Its Dial function is replaced
	// when it is nil, so that connecting takes at most 5 s. Default: amqp.Config{Heartbeat: 5 s}.
	Dial amqp.Config
	// MaxMessages and MaxBytes bound what waits while RabbitMQ is away or blocks publishers; beyond
	// them the oldest are dropped and counted. Defaults 10,000 and 8 MiB.
	MaxMessages int
	MaxBytes    int
	// StartWithoutBroker lets a server start while RabbitMQ cannot be reached; it serves its own
	// clients until it can. Default false: starting is an error.
	StartWithoutBroker bool
	// Logger gets a line when the state changes, never one per message. Default slog.Default().
	Logger *slog.Logger
}

// A Bus implements cluster.Bus.
type Bus struct{ *pump.Pump }

// New returns a bus that connects to address, an amqp:// or amqps:// URL, by itself, twice: RabbitMQ holds back whole connections when it
// is short of memory, and receiving must go on then.
func New(address string, opts Options) *Bus {
	if opts.Exchange == "" {
		opts.Exchange = pump.DefaultChannel
	}
	if opts.TTL <= 0 {
		opts.TTL = 30 * time.Second
	}
	if opts.QueueLength <= 0 {
		opts.QueueLength = 100_000
	}
	if opts.Dial.Heartbeat == 0 {
		opts.Dial.Heartbeat = 5 * time.Second
	}
	if opts.Dial.Dial == nil {
		opts.Dial.Dial = amqp.DefaultDial(dialTimeout)
	}
	return &Bus{pump.New("rabbitbus", &driver{address: address, opts: opts}, pump.Options{
		MaxMessages: opts.MaxMessages, MaxBytes: opts.MaxBytes,
		StartWithoutBroker: opts.StartWithoutBroker, Logger: opts.Logger,
	})}
}

const dialTimeout = 5 * time.Second

type driver struct {
	address string
	opts    Options

	conn *amqp.Connection // for publishing; owned by Publish
	ch   *amqp.Channel    // likewise

	alarm atomic.Pointer[string] // why RabbitMQ takes nothing from publishers; nil while it does
}

// open connects and declares the exchange as python-socketio does.
func (d *driver) open() (*amqp.Connection, *amqp.Channel, error) {
	conn, err := amqp.DialConfig(d.address, d.opts.Dial)
	if err != nil {
		return nil, nil, redact(err)
	}
	ch, err := conn.Channel()
	if err == nil {
		err = ch.ExchangeDeclare(d.opts.Exchange, amqp.ExchangeFanout, false, false, false, false, nil)
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("declaring exchange %q as fanout, not durable: %w", d.opts.Exchange, err)
	}
	return conn, ch, nil
}

// redact keeps the password of the URL out of logs.
func redact(err error) error {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return errors.New("the URL cannot be read; percent-encode what is special in user and password")
	}
	return err
}

// Publish waits for the broker's confirmation of the whole batch.
func (d *driver) Publish(ctx context.Context, msgs [][]byte) (n int, err error) {
	defer func() {
		if err != nil {
			d.hangUp()
		}
	}()
	if d.conn == nil {
		if d.conn, d.ch, err = d.open(); err != nil {
			d.conn = nil
			return 0, err
		}
		if err := d.ch.Confirm(false); err != nil {
			return 0, err
		}
		d.alarm.Store(nil)
		blocked := d.conn.NotifyBlocked(make(chan amqp.Blocking, 1))
		go func() { // until the connection is closed
			for b := range blocked {
				if d.alarm.Store(nil); b.Active {
					d.alarm.Store(&b.Reason)
				}
			}
		}()
	}
	confirms := make([]*amqp.DeferredConfirmation, len(msgs))
	done, ch := make(chan error, 1), d.ch // hangUp may run before the write has ended
	go func() {                           // a connection that RabbitMQ blocks hangs in the write
		var err error
		for i, msg := range msgs {
			confirms[i], err = ch.PublishWithDeferredConfirmWithContext(ctx, d.opts.Exchange, "", false, false, amqp.Publishing{
				ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: amqp.Transient, Body: msg,
			})
			if err != nil {
				break
			}
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return 0, err
		}
	case <-ctx.Done():
		d.hangUp() // ends the write
		<-done
		return 0, d.untaken(ctx.Err())
	}
	for _, c := range confirms {
		ok, err := c.WaitContext(ctx)
		if err != nil || !ok {
			return n, d.untaken(err)
		}
		n++
	}
	return n, nil
}

// untaken says why messages were not taken. A nil err stands for a broker that said no.
func (d *driver) untaken(err error) error {
	switch alarm := d.alarm.Load(); {
	case alarm != nil:
		return fmt.Errorf("RabbitMQ blocks publishers, it has an alarm: %s", *alarm)
	case err != nil:
		return fmt.Errorf("RabbitMQ does not take messages: %w", err)
	}
	return errors.New("RabbitMQ rejected a message")
}

func (d *driver) hangUp() {
	if d.conn != nil {
		_ = d.conn.CloseDeadline(time.Now().Add(time.Second))
		d.conn, d.ch = nil, nil
	}
}

func (d *driver) Receive(ctx context.Context, live func(), receive func(msg []byte)) error {
	conn, ch, err := d.open()
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseDeadline(time.Now().Add(time.Second)) }()
	q, err := ch.QueueDeclare("", false, true, true, false, amqp.Table{
		"x-message-ttl": max(1, d.opts.TTL.Milliseconds()), // 0 drops what does not go out at once
		"x-max-length":  int64(d.opts.QueueLength),
	})
	if err != nil {
		return fmt.Errorf("declaring a queue: %w", err)
	}
	if err := ch.QueueBind(q.Name, "", d.opts.Exchange, false, nil); err != nil {
		return fmt.Errorf("binding the queue: %w", err)
	}
	// With acknowledgements, so that RabbitMQ, which bounds its queue, keeps what this process is too slow
	// for, and not the client library, which does not.
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return fmt.Errorf("limiting what is under way: %w", err)
	}
	deliveries, err := ch.ConsumeWithContext(ctx, q.Name, "", false, true, false, false, nil)
	if err != nil {
		return fmt.Errorf("consuming: %w", err)
	}
	gone := conn.NotifyClose(make(chan *amqp.Error, 1))
	live()
	ticker := time.NewTicker(ackEvery)
	defer ticker.Stop()
	var last amqp.Delivery // the newest; those up to it are acknowledged together
	unacked := 0
	ack := func() error {
		if unacked == 0 {
			return nil
		}
		unacked = 0
		return last.Ack(true)
	}
	for {
		select {
		case m, ok := <-deliveries:
			if !ok {
				return closed(gone)
			}
			receive(m.Body)
			last = m
			unacked++
			if unacked >= ackCount {
				if err := ack(); err != nil {
					return err
				}
			}
		case <-ticker.C:
			if err := ack(); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

const (
	prefetch = 4096 // messages that RabbitMQ sends before it wants an acknowledgement
	ackCount = 1024 // messages that are acknowledged together
	ackEvery = 5 * time.Second
)

// closed says why deliveries have ended.
func closed(gone <-chan *amqp.Error) error {
	select {
	case err := <-gone:
		if err != nil {
			return err
		}
	case <-time.After(100 * time.Millisecond): // the channel's end is told before the connection's
	}
	return errors.New("the connection was closed")
}

func (d *driver) Close() error {
	d.hangUp()
	return nil
}
