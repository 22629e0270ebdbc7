package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/internal/delivery"
)

// rough is a network for one client: what the client says takes up to delay to leave, each time anew, and its
// WebSocket comes at a moment of the test's choice.
type rough struct {
	delay     time.Duration
	webSocket <-chan struct{}

	mu     sync.Mutex
	random *rand.Rand // guarded by mu
}

func (n *rough) http() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &roughConn{Conn: conn, network: n}, err
	}}}
}

func (n *rough) pause() {
	n.mu.Lock()
	d := time.Duration(n.random.Int64N(int64(n.delay)))
	n.mu.Unlock()
	time.Sleep(d)
}

type roughConn struct {
	net.Conn
	network *rough
}

func (c *roughConn) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("GET ")) && bytes.Contains(p, []byte("\r\nUpgrade: websocket\r\n")) {
		<-c.network.webSocket
	}
	c.network.pause()
	return c.Conn.Write(p)
}

// upgradeLoad is D-01: stamped messages both ways through an upgrade at a random moment, with a second
// receiver on a calm WebSocket that must see what the first one sees.
func upgradeLoad(t *testing.T, url string) {
	runs, messages := delivery.Size(4, 1000, 100), delivery.Size(1000, 10_000, 10_000)
	random := delivery.Random(t)
	before, amid := 0, 0 // messages of the server that came before; runs that were upgraded amid them
	started := time.Now()
	var mu sync.Mutex
	seeds := make(chan uint64)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for seed := range seeds {
				at, err := loadOnce(url, seed, messages)
				if err != nil {
					t.Errorf("SIOKIT_SEED=%d repeats this run: %v", seed, err)
				}
				mu.Lock()
				if before += at; at > 0 && at < messages {
					amid++
				}
				mu.Unlock()
			}
		})
	}
	for i := range runs {
		seed := random.Uint64()
		if i == 0 && os.Getenv("SIOKIT_SEED") != "" {
			seed, _ = strconv.ParseUint(os.Getenv("SIOKIT_SEED"), 10, 64) // Random has checked it
		}
		if seeds <- seed; t.Failed() {
			break
		}
	}
	close(seeds)
	wg.Wait()
	t.Logf("%d runs of %d messages each way in %s, %d of them upgraded in their middle, after %d messages on average",
		runs, messages, time.Since(started).Round(time.Millisecond), amid, before/runs)
	if amid < max(1, runs/4) {
		t.Errorf("only %d of %d upgrades were in the middle of the load", amid, runs)
	}
}

// loadOnce returns how many messages had come when the WebSocket was let through.
func loadOnce(url string, seed uint64, messages int) (before int, err error) {
	const patience = 2 * time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	random := rand.New(rand.NewPCG(seed, 1))
	name, started := fmt.Sprintf("load %x", seed), time.Now()
	open := make(chan struct{})
	moment := 1 + random.IntN(messages*7/10)
	network := &rough{delay: 20 * time.Millisecond, webSocket: open, random: rand.New(rand.NewPCG(seed, 2))}
	dial := func(opts client.Options) (*client.Client, *delivery.Ledger, error) {
		opts.DisableReconnection = true
		c, err := client.New(url, opts)
		if err != nil {
			return nil, nil, err
		}
		l := delivery.NewLedger()
		client.On(c, "delivered", func(_ context.Context, m delivery.Message) error { l.Take(m); return nil })
		if err := c.Connect(ctx); err != nil {
			return nil, nil, err
		}
		_, err = client.Call[client.None](ctx, c, "join", name)
		return c, l, err
	}
	calm, control, err := dial(client.Options{Transports: []string{"websocket"}})
	if err != nil {
		return 0, err
	}
	defer func() { _ = calm.Close() }()
	release := sync.OnceFunc(func() { close(open) })
	defer release()
	h := network.http()
	defer h.CloseIdleConnections()
	c, here, err := dial(client.Options{HTTP: h})
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	defer func() {
		for who, c := range map[string]*client.Client{"the client": c, "the calm one": calm} {
			if err != nil && !c.Connected() {
				err = fmt.Errorf("%w; %s has ended: %w", err, who, c.Wait())
			}
		}
	}()
	last := make(chan struct{})
	client.On(c, "back", func(context.Context, client.Args) error { close(last); return nil })

	failures := make(chan error, 2)
	var wg sync.WaitGroup
	wg.Go(func() {
		for seq := range messages {
			attachments := 0
			if seq%5 == 0 {
				attachments = 2
			}
			if err := c.Emit("take", delivery.New(name, "up", seq, attachments)); err != nil {
				failures <- err
				return
			}
			if seq%(messages/50) == 0 { // so that the upgrade falls into it
				time.Sleep(time.Duration(seed>>(seq%7)%8) * time.Millisecond)
			}
		}
	})
	wg.Go(func() { // the server's outbox is bounded: it is asked for a little at a time
		some := messages / 40
		for from := 0; from < messages; from += some {
			if _, err := client.Call[client.None](ctx, calm, "deliver", map[string]any{"room": name, "stream": "down", "from": from, "count": some}); err != nil {
				failures <- err
				return
			}
			for here.Got() < from-some && ctx.Err() == nil && here.Err() == nil {
				time.Sleep(time.Millisecond)
			}
		}
	})
	for end := time.Now().Add(2 * time.Second); here.Got() < moment && time.Now().Before(end) && here.Err() == nil; {
		time.Sleep(time.Millisecond)
	}
	before = here.Got()
	release()
	wg.Wait()
	there := delivery.NewLedger()
	for more := true; more; {
		some, err := client.Call[[]delivery.Entry](ctx, c, "taken", name)
		if err != nil {
			return before, errors.Join(err, here.Err(), there.Err())
		}
		for _, e := range some {
			there.Enter(e)
		}
		more = len(some) > 0
	}
	if err := c.Emit("back", 1, 2, 3); err != nil {
		return before, err
	}
	select {
	case <-last: // and with it everything before it
	case <-ctx.Done():
		return before, errors.Join(errors.New("the last event did not come"), here.Err())
	}
	err = errors.Join(there.Await(messages), here.Await(messages), control.Await(messages))
	select {
	case failed := <-failures:
		err = errors.Join(failed, err)
	default:
	}
	for err == nil && c.Transport() != "websocket" && ctx.Err() == nil { // what was sent may have been quicker
		time.Sleep(time.Millisecond)
	}
	if err == nil && c.Transport() != "websocket" {
		err = fmt.Errorf("it was not upgraded within %s", time.Since(started).Round(time.Millisecond))
	}
	return before, err
}
