// Package kafkabus is a cluster.Bus over Kafka: one topic, which every process reads from its end and
// without a group, so that each gets everything.
//
//	srv, err := core.New(core.Config{Bus: kafkabus.New([]string{"localhost:9092"}, kafkabus.Options{})})
//
// The topic must exist or be created by the broker on demand. A process's messages share a key, so that
// they keep their order in a topic of several partitions. A process begins at the end of the topic, and goes
// on where it was after Kafka has been away. Give the topic a short retention: nothing older is ever read.
package kafkabus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/siokit/siokit/cluster/internal/pump"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Options configures a Bus. The zero value of every field is its default.
type Options struct {
	// Topic is the name on which all processes meet. Default "socketio", that of python-socketio;
	// Flask-SocketIO's is "flask-socketio".
	Topic string
	// Client is appended to the options of the Kafka clients, for TLS and SASL. Options about consuming
	// and producing would break the bus.
	Client []kgo.Opt
	// Key is the key of this process's messages. Default: random, new in every process.
	Key string
	// MaxMessages and MaxBytes bound what waits while Kafka is away; beyond them the oldest are dropped
	// and counted. Defaults 10,000 and 8 MiB.
	MaxMessages int
	MaxBytes    int
	// StartWithoutBroker lets a server start while Kafka cannot be reached; it serves its own clients
	// until it can. Default false: starting is an error.
	StartWithoutBroker bool
	// Logger gets a line when the state changes, never one per message. Default slog.Default().
	Logger *slog.Logger
}

// A Bus implements cluster.Bus.
type Bus struct{ *pump.Pump }

// New returns a bus that connects to the brokers by itself.
func New(brokers []string, opts Options) *Bus {
	if opts.Topic == "" {
		opts.Topic = pump.DefaultChannel
	}
	if opts.Key == "" {
		opts.Key = rand.Text()
	}
	return &Bus{pump.New("kafkabus", &driver{brokers: brokers, opts: opts, next: make(map[int32]int64)}, pump.Options{
		MaxMessages: opts.MaxMessages, MaxBytes: opts.MaxBytes,
		StartWithoutBroker: opts.StartWithoutBroker, Logger: opts.Logger, Invalid: check(opts.Topic),
	})}
}

// check refuses names that Kafka does not allow.
func check(topic string) error {
	ok := len(topic) <= 249 && topic != "." && topic != ".."
	for _, c := range []byte(topic) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')
	}
	if !ok {
		return fmt.Errorf("Options.Topic %q: Kafka allows letters, digits, '.', '_' and '-', at most 249", topic)
	}
	return nil
}

type driver struct {
	brokers []string
	opts    Options

	producer *kgo.Client     // owned by Publish
	next     map[int32]int64 // by partition, the offset to read next; owned by Receive
}

// attempt bounds what the client library does by itself: the pump tries again and counts what it drops.
const attempt = 5 * time.Second

func (d *driver) client(opts ...kgo.Opt) (*kgo.Client, error) {
	base := []kgo.Opt{
		kgo.SeedBrokers(d.brokers...), kgo.AllowAutoTopicCreation(), kgo.RetryTimeout(attempt),
		// A broker that is back is noticed soon.
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.RetryBackoffFn(func(fails int) time.Duration {
			return min(time.Duration(fails)*100*time.Millisecond, 500*time.Millisecond)
		}),
	}
	return kgo.NewClient(append(append(base, d.opts.Client...), opts...)...)
}

func (d *driver) Publish(ctx context.Context, msgs [][]byte) (n int, err error) {
	if d.producer == nil {
		d.producer, err = d.client(kgo.DefaultProduceTopic(d.opts.Topic), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
			kgo.RecordDeliveryTimeout(attempt), kgo.ProducerLinger(0), kgo.UnknownTopicRetries(-1),
			kgo.ProducerBatchMaxBytes(batchBytes),
			kgo.ProducerBatchCompression(kgo.NoCompression()), // a Python consumer needs a module of its own for any
			kgo.AllowIdempotentProduceCancellation())          // or a broker that is away would hold up Close
		if err != nil {
			return 0, err
		}
	}
	records := make([]*kgo.Record, len(msgs))
	for i, msg := range msgs {
		records[i] = &kgo.Record{Key: []byte(d.opts.Key), Value: msg}
	}
	results := make([]error, len(msgs)) // ProduceSync gives them in the order in which they ended
	place := make(map[*kgo.Record]int, len(msgs))
	for i, r := range records {
		place[r] = i
	}
	for _, result := range d.producer.ProduceSync(ctx, records...) {
		results[place[result.Record]] = result.Err
	}
	for n, err := range results {
		switch {
		case errors.Is(err, kerr.MessageTooLarge):
			return n, &pump.RefusedError{Err: err}
		case err != nil:
			return n, err
		}
	}
	return len(msgs), nil
}

// batchBytes is just under what brokers take by default (message.max.bytes).
const batchBytes = 1 << 20

// Receive reads all partitions of the topic. The first time it begins at their ends, which are asked for
// before live is called, so that what is published after that arrives. Later it goes on where it was.
func (d *driver) Receive(ctx context.Context, live func(), receive func(msg []byte)) error {
	probe, err := d.client()
	if err != nil {
		return err
	}
	ends, err := d.ends(ctx, probe)
	probe.Close()
	if err != nil {
		return err
	}
	from := make(map[int32]kgo.Offset)
	for partition, end := range ends {
		next, seen := d.next[partition]
		if !seen || next > end { // the topic was made anew
			next = end
			d.next[partition] = end
		}
		from[partition] = kgo.NewOffset().At(next)
	}
	c, err := d.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{d.opts.Topic: from}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.FetchMaxWait(500*time.Millisecond))
	if err != nil {
		return err
	}
	defer c.Close()
	live()
	for {
		polling, cancel := context.WithTimeout(ctx, quiet)
		fetches := c.PollFetches(polling)
		cancel()
		if err := ctx.Err(); err != nil {
			return err
		}
		for r := range fetches.RecordsAll() {
			receive(r.Value)
			d.next[r.Partition] = r.Offset + 1
		}
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				return fmt.Errorf("reading %s, partition %d: %w", e.Topic, e.Partition, e.Err)
			}
		}
		if fetches.NumRecords() > 0 {
			continue
		}
		// The client library goes on trying for ever, and does not say so.
		asking, cancel := context.WithTimeout(ctx, attempt)
		err := c.Ping(asking)
		cancel()
		if err != nil {
			return err
		}
	}
}

// quiet is after how long without a message the broker is asked whether it is there.
const quiet = 2 * time.Second

func (d *driver) Close() error {
	if d.producer != nil {
		d.producer.Close()
	}
	return nil
}
