package pump_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/internal/pump"
)

var _ cluster.Bus = (*pump.Pump)(nil)

// broker is a driver whose broker can be switched off.
type broker struct {
	mu        sync.Mutex
	down      bool
	took      []string
	refuse    string
	receives  int
	publishes int // attempts
	cut       context.CancelCauseFunc
	closed    bool
	noSubs    bool // takes messages, and no subscriptions
}

var errDown = errors.New("down")

func (b *broker) Publish(_ context.Context, msgs [][]byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.publishes++
	for i, msg := range msgs {
		switch {
		case b.down:
			return i, errDown
		case string(msg) == b.refuse:
			return i, &pump.RefusedError{Err: errors.New("too large")}
		}
		b.took = append(b.took, string(msg))
	}
	return len(msgs), nil
}

func (b *broker) Receive(ctx context.Context, live func(), receive func([]byte)) error {
	b.mu.Lock()
	b.receives++
	if b.down || b.noSubs {
		b.mu.Unlock()
		return errDown
	}
	ctx, b.cut = context.WithCancelCause(ctx)
	n := b.receives
	b.mu.Unlock()
	live()
	receive(fmt.Appendf(nil, "subscription %d", n))
	<-ctx.Done()
	return context.Cause(ctx)
}

func (b *broker) Close() error { b.closed = true; return nil }

func (b *broker) set(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
	if down && b.cut != nil {
		b.cut(errDown)
	}
}

func (b *broker) attempts() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.publishes
}

func (b *broker) deaf(deaf bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noSubs = deaf
	b.cut(errDown)
}

func (b *broker) taken() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.took, " ")
}

// F-08: the broker goes away for a minute: what fits into the queue arrives, in order, the rest is counted,
// each direction logs the change once, and the subscription is made anew.
func TestBrokerAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := &broker{}
		p := pump.New("testbus", b, pump.Options{MaxMessages: 3, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		received := make(chan string, 100)
		if err := p.Subscribe(t.Context(), func(msg []byte) { received <- string(msg) }); err != nil {
			t.Fatal(err)
		}
		_ = p.Publish([]byte("before"))
		synctest.Wait()
		if got := <-received; b.taken() != "before" || got != "subscription 1" || p.Healthy() != nil {
			t.Fatal(b.taken(), got, p.Healthy())
		}
		b.set(true)
		for i := range 10 {
			_ = p.Publish(fmt.Append(nil, i))
			time.Sleep(6 * time.Second)
		}
		if err := p.Healthy(); err == nil || !strings.Contains(err.Error(), "testbus: cannot publish: down") {
			t.Error(err)
		}
		b.set(false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if b.taken() != "before 7 8 9" || p.Dropped() != 7 || p.Healthy() != nil {
			t.Errorf("the broker took %q, %d dropped, %v", b.taken(), p.Dropped(), p.Healthy())
		}
		if got := <-received; !strings.HasPrefix(got, "subscription ") {
			t.Error(got)
		}
		if n := strings.Count(log.String(), "\n"); n != 4 {
			t.Errorf("%d lines, want one for each change and direction:\n%s", n, &log)
		}
		if err := p.Close(t.Context()); err != nil || !b.closed {
			t.Error(err)
		}
		if err := p.Publish(nil); err == nil {
			t.Error("Publish after Close")
		}
	})
}

// F-08: by default 10,000 messages or 8 MiB wait, whichever is less, and the oldest go; attempts are between 125 ms
// and a second apart.
func TestDefaultBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broker{down: true}
		p := pump.New("testbus", b, pump.Options{Logger: slog.New(slog.DiscardHandler)})
		for i := range 10_100 {
			_ = p.Publish(fmt.Append(nil, i))
		}
		if p.Dropped() != 100 {
			t.Errorf("%d of 10,100 messages were dropped, want 100", p.Dropped())
		}
		start := p.Dropped()
		large := make([]byte, 1<<20)
		for range 20 {
			_ = p.Publish(bytes.Clone(large))
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		if n := b.attempts(); n < 60 || n > 130 {
			t.Errorf("%d attempts in a minute", n)
		}
		b.set(false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		b.mu.Lock()
		var size int
		for _, msg := range b.took {
			size += len(msg)
		}
		took := len(b.took)
		b.mu.Unlock()
		if size > 8<<20 || size < 7<<20 || int64(took)+p.Dropped() != 10_120 || p.Dropped() == start {
			t.Errorf("%d messages of %d bytes were kept, %d dropped", took, size, p.Dropped())
		}
		_ = p.Close(t.Context())
	})
}

// F-08: a subscription that is made anew because somebody asked for it is no change that is logged, if it works.
func TestResubscribeIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := &broker{}
		p := pump.New("testbus", b, pump.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err := p.Subscribe(t.Context(), func([]byte) {}); err != nil {
			t.Fatal(err)
		}
		p.Resubscribe()
		synctest.Wait()
		if b.receives != 2 || log.Len() > 0 || p.Healthy() != nil {
			t.Errorf("%d subscriptions, %v, and in the log:\n%s", b.receives, p.Healthy(), &log)
		}
		_ = p.Close(t.Context())
	})
}

func TestBrokerDownAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broker{down: true}
		quiet := slog.New(slog.DiscardHandler)
		p := pump.New("testbus", b, pump.Options{Logger: quiet})
		if err := p.Subscribe(t.Context(), func([]byte) {}); !errors.Is(err, errDown) {
			t.Error(err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		p = pump.New("testbus", b, pump.Options{StartWithoutBroker: true, Logger: quiet})
		live := make(chan struct{}, 1)
		if err := p.Subscribe(t.Context(), func([]byte) { live <- struct{}{} }); err != nil || p.Healthy() == nil {
			t.Error(err)
		}
		b.set(false)
		<-live
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broker{refuse: "refused"}
		p := pump.New("testbus", b, pump.Options{Logger: slog.New(slog.DiscardHandler)})
		for _, msg := range []string{"a", "refused", "b"} {
			_ = p.Publish([]byte(msg))
		}
		if err := p.Close(t.Context()); err != nil || b.taken() != "a b" || p.Dropped() != 1 {
			t.Error(err, b.taken(), p.Dropped())
		}
		b = &broker{down: true}
		p = pump.New("testbus", b, pump.Options{Logger: slog.New(slog.DiscardHandler)})
		_ = p.Publish([]byte("lost"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Close(ctx); err == nil || !strings.Contains(err.Error(), "1 messages") {
			t.Error(err)
		}
	})
}

func TestResubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pump.New("testbus", &broker{}, pump.Options{Logger: slog.New(slog.DiscardHandler)})
		received := make(chan string, 100)
		if err := p.Subscribe(t.Context(), func(msg []byte) { received <- string(msg) }); err != nil {
			t.Fatal(err)
		}
		<-received
		p.Resubscribe()
		if got := <-received; got != "subscription 2" {
			t.Error(got)
		}
		_ = p.Close(t.Context())
	})
}

// After an outage what has waited is published when the subscription has been live for a while, so that
// other processes are back too; when only receiving does not work, publishing goes on.
func TestPublishesWhenOthersAreBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broker{}
		p := pump.New("testbus", b, pump.Options{Logger: slog.New(slog.DiscardHandler)})
		live := make(chan time.Time, 100)
		if err := p.Subscribe(t.Context(), func([]byte) { live <- time.Now() }); err != nil {
			t.Fatal(err)
		}
		<-live
		_ = p.Publish([]byte("at once"))
		synctest.Wait()
		if b.taken() != "at once" {
			t.Fatal(b.taken())
		}
		b.set(true)
		_ = p.Publish([]byte("waits"))
		time.Sleep(20 * time.Second)
		b.set(false)
		back := <-live
		time.Sleep(time.Until(back.Add(900 * time.Millisecond)))
		synctest.Wait()
		if b.taken() != "at once" {
			t.Errorf("published %q %s after the subscription was live", b.taken(), time.Since(back))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if b.taken() != "at once waits" {
			t.Errorf("published %q", b.taken())
		}
		b.deaf(true)
		_ = p.Publish([]byte("deaf"))
		time.Sleep(6 * time.Second)
		synctest.Wait()
		_ = p.Publish([]byte("still deaf"))
		synctest.Wait()
		if b.taken() != "at once waits deaf still deaf" {
			t.Errorf("published %q", b.taken())
		}
		_ = p.Close(t.Context())
	})
}
