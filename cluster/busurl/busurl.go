// Package busurl makes the cluster.Bus that a URL names, as message_queue does in Flask-SocketIO. It links
// the clients of all brokers; an application that knows its broker imports that bus alone.
//
//	bus, err := busurl.Open(os.Getenv("MESSAGE_QUEUE"), busurl.Options{Channel: "flask-socketio"})
//	srv, err := core.New(core.Config{Bus: bus})
package busurl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/kafkabus"
	"github.com/siokit/siokit/cluster/natsbus"
	"github.com/siokit/siokit/cluster/rabbitbus"
	"github.com/siokit/siokit/cluster/redisbus"
)

// Options configures Open. The zero value of every field is its default.
type Options struct {
	// Channel is the name on which all processes meet: Redis channel, RabbitMQ exchange, Kafka topic or
	// NATS subject. Default "socketio", that of python-socketio; Flask-SocketIO's is "flask-socketio".
	Channel string
	// StartWithoutBroker lets a server start while the broker cannot be reached; it serves its own
	// clients until it can. Default false: starting is an error.
	StartWithoutBroker bool
	// Logger gets a line when the state changes, never one per message. Default slog.Default().
	Logger *slog.Logger
}

// Open returns the bus for a URL, which connects when it is used. Its Close closes the client of the
// broker too. Errors do not contain the URL, which may contain a password.
//
//	redis://[user:password@]host[:port][/db]      rediss:// with TLS; valkey:// and valkeys:// likewise
//	unix://[user:password@]/path/to/redis.sock
//	redis+sentinel://[user:password@]host:port[,host:port...][/db[/master]]
//	amqp://[user:password@]host[:port][/vhost]    amqps:// with TLS
//	kafka://host[:port][,host[:port]...]
//	nats://[user:password@]host[:port][,...]      tls:// with TLS
//
// Without a master, Sentinel is asked for the one with the channel's name, as python-socketio does.
// Options of go-redis may follow a redis URL as a query, see redis.ParseURL.
func Open(address string, opts Options) (cluster.Bus, error) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return nil, errors.New("busurl: a URL begins with its scheme, such as redis:// or amqp://")
	}
	scheme = strings.ToLower(scheme)
	switch scheme {
	case "redis", "rediss", "unix", "valkey", "valkeys":
		parsed, err := redis.ParseURL(strings.Replace(scheme, "valkey", "redis", 1) + "://" + rest)
		if err != nil {
			return nil, unreadable(scheme, err)
		}
		return overRedis(redis.NewClient(parsed), opts), nil
	case "redis+sentinel", "valkey+sentinel":
		parsed, err := parseSentinel(rest, opts.Channel)
		if err != nil {
			return nil, err
		}
		return overRedis(redis.NewFailoverClient(parsed), opts), nil
	case "amqp", "amqps":
		return rabbitbus.New(scheme+"://"+rest, rabbitbus.Options{
			Exchange: opts.Channel, StartWithoutBroker: opts.StartWithoutBroker, Logger: opts.Logger,
		}), nil
	case "kafka":
		brokers := strings.Split(strings.TrimSuffix(rest, "/"), ",")
		if brokers[0] == "" || strings.ContainsAny(rest, "@?") {
			return nil, errors.New("busurl: a kafka URL is kafka://host:port,host:port; for TLS and SASL use kafkabus.New")
		}
		return kafkabus.New(brokers, kafkabus.Options{
			Topic: opts.Channel, StartWithoutBroker: opts.StartWithoutBroker, Logger: opts.Logger,
		}), nil
	case "nats", "tls":
		servers := strings.ReplaceAll(rest, ",", ","+scheme+"://")
		// Whether NATS is there is found out by Subscribe, as with the others.
		nc, err := nats.Connect(scheme+"://"+servers, nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true))
		if err != nil {
			return nil, unreadable(scheme, err)
		}
		bus := natsbus.New(nc, natsbus.Options{Subject: opts.Channel, StartWithoutBroker: opts.StartWithoutBroker, Logger: opts.Logger})
		return &owner{bus, closer(nc.Close)}, nil
	}
	if strings.HasPrefix(scheme, "zmq") {
		return nil, errors.New("busurl: ZeroMQ is not supported: use redis://, amqp://, kafka:// or nats://")
	}
	return nil, fmt.Errorf("busurl: scheme %q is unknown: use redis://, rediss://, redis+sentinel://, unix://, amqp://, amqps://, kafka:// or nats://", scheme)
}

func overRedis(rdb *redis.Client, opts Options) cluster.Bus {
	bus := redisbus.New(rdb, redisbus.Options{Channel: opts.Channel, StartWithoutBroker: opts.StartWithoutBroker, Logger: opts.Logger})
	return &owner{bus, rdb}
}

// unreadable keeps what a parser quotes from the URL, perhaps a password, out of the error.
func unreadable(scheme string, err error) error {
	text := err.Error()
	if option, ok := strings.CutPrefix(text, "redis: unexpected option: "); ok {
		return fmt.Errorf("busurl: go-redis knows no option %s", option)
	}
	return fmt.Errorf("busurl: the %s URL cannot be read: percent-encode what is special in user and password, and check host, port and path", scheme)
}

// owner is a bus with a client of its own.
type owner struct {
	bus
	client io.Closer
}

// bus is what all buses here are; a node uses Resubscribe when it finds it.
type bus interface {
	cluster.Bus
	Resubscribe()
}

// Close implements cluster.Bus.
func (o *owner) Close(ctx context.Context) error {
	return errors.Join(o.bus.Close(ctx), ignoreClosed(o.client.Close()))
}

// ignoreClosed lets Close be called again.
func ignoreClosed(err error) error {
	if errors.Is(err, redis.ErrClosed) {
		return nil
	}
	return err
}

type closer func()

func (c closer) Close() error { c(); return nil }
