package client_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/internal/delivery"
)

// tap keeps what the client writes.
type tap struct {
	net.Conn
	mu   *sync.Mutex
	sent *bytes.Buffer // guarded by mu
}

func (c tap) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.sent.Write(p)
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// V-27: each of many frames that leave a client, whatever it is for, is masked, by a key that does not
// repeat more often than chance has it, and has nothing to do with its neighbours.
func TestFramesOnTheWireAreMasked(t *testing.T) {
	events := delivery.Size(20_000, 100_000, 100_000)
	var mu sync.Mutex
	var sent bytes.Buffer
	there := delivery.NewLedger()
	cfg := roomy()
	cfg.PingInterval = 100 * time.Millisecond // pongs are among them
	url := serve(t, cfg, func(srv *core.Server) {
		core.On(srv, "n", func(_ *core.Context, i int) error {
			there.Enter(delivery.Entry{Seq: i})
			return nil
		})
	})
	h := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return tap{conn, &mu, &sent}, err
	}}}
	c := newClient(t, url, client.Options{Transports: wsOnly, HTTP: h})
	connect(t, c)
	for i := range events {
		err := c.Emit("n", i)
		for errors.Is(err, engineio.ErrOutboxFull) {
			time.Sleep(time.Millisecond)
			err = c.Emit("n", i)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	there.Want(t, events)
	_ = c.Close() // a Close frame is the last one

	mu.Lock()
	defer mu.Unlock()
	_, wire, ok := bytes.Cut(sent.Bytes(), []byte("\r\n\r\n"))
	if !ok {
		t.Fatal("no request was written")
	}
	keys := map[uint32]bool{}
	kinds := map[byte]int{}
	frames, sequences, ones := 0, 0, 0
	var before uint32
	for len(wire) > 0 {
		if len(wire) < 6 || wire[1]&0x80 == 0 {
			t.Fatalf("frame %d, %.20x, is not masked", frames, wire)
		}
		size, head := int(wire[1]&0x7f), 2
		if size == 126 {
			size, head = int(binary.BigEndian.Uint16(wire[2:])), 4
		} else if size == 127 {
			t.Fatalf("frame %d is too long", frames)
		}
		key := binary.BigEndian.Uint32(wire[head:])
		if diff := key - before; diff < 256 || diff > 1<<32-256 {
			sequences++
		}
		for k := key; k != 0; k &= k - 1 {
			ones++
		}
		keys[key], before = true, key
		kinds[wire[0]]++
		frames++
		wire = wire[head+4+size:]
	}
	// 1.2 repeats, 0.01 neighbours and as many ones as zeroes are to be expected.
	if repeats := frames - len(keys); frames < events || repeats > 12 || sequences > 3 {
		t.Errorf("%d frames, %d keys repeat, %d follow upon each other", frames, repeats, sequences)
	}
	if mean := float64(ones) / float64(frames); mean < 15.9 || mean > 16.1 {
		t.Errorf("a key has %.2f ones of 32 bits", mean)
	}
	if kinds[0x81] < events || kinds[0x88] != 1 {
		t.Errorf("frames by their first byte: %v", kinds)
	}
}

// D-12: what a polling client has queued goes in bodies that the server takes, in order; an event that is too
// large is an error for who emits it, and for nobody else.
func TestQueuedEventsFitTheServersBodies(t *testing.T) {
	const events, limit = 300, 50_000
	var mu sync.Mutex
	largest, posts := int64(0), 0
	there := delivery.NewLedger()
	cfg := core.Config{MaxPayload: limit, DisableUpgrades: true}
	cfg.Headers = func(_ http.Header, r *http.Request) {
		if r.Method == http.MethodPost {
			mu.Lock()
			defer mu.Unlock()
			largest, posts = max(largest, r.ContentLength), posts+1
		}
	}
	type letter struct {
		delivery.Message
		Rest []byte `json:"rest"`
	}
	url := serve(t, cfg, func(srv *core.Server) {
		core.OnCall(srv, "m", func(_ *core.Context, in letter) (int, error) {
			if len(in.Rest) != 10_000+in.Seq {
				return 0, fmt.Errorf("%d bytes in %d", len(in.Rest), in.Seq)
			}
			there.Take(in.Message)
			return in.Seq, nil
		})
	})
	c := newClient(t, url, client.Options{})
	var tooLarge *engineio.TooLargeError
	var wg sync.WaitGroup
	emit := func(i int) {
		if err := c.Emit("m", letter{delivery.New("c", "", i, i%3), make([]byte, 10_000+i)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 { // these wait for the connection
		emit(i)
	}
	connect(t, c)
	for i := 100; i < events; i++ {
		emit(i)
		if i%50 > 0 {
			continue
		}
		// Base64 makes 53,337 bytes of these 40,000.
		if err := c.Emit("m", make([]byte, 40_000)); !errors.As(err, &tooLarge) || tooLarge.Max != limit || tooLarge.Size != 53_337 {
			t.Errorf("too large: %v", err)
		}
		wg.Go(func() {
			if _, err := client.Call[int](t.Context(), c, "m", strings.Repeat("x", limit)); !errors.As(err, new(*engineio.TooLargeError)) {
				t.Errorf("a Call that is too large: %v", err)
			}
		})
	}
	wg.Wait()
	there.Want(t, events)
	if !c.Connected() {
		t.Error("the connection has ended")
	}
	mu.Lock()
	defer mu.Unlock()
	if largest > limit || posts < events*13_000/limit {
		t.Errorf("%d POSTs, the largest of %d bytes", posts, largest)
	}
}
