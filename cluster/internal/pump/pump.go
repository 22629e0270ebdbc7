// Package pump is what all buses over a broker have in common: a bounded queue in front of the broker, a
// receiver that subscribes anew when the connection is lost, pauses that grow, health, and one line in the
// log when something changes. A bus adds how its broker is spoken to, a Driver.
package pump

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// A Driver speaks to one broker. Publish and Receive are called from one goroutine each, at the same
// time.
type Driver interface {
	// Publish hands messages to the broker, in order, and returns how many it has taken. An error is
	// about the next one; it is tried again after a pause, unless the error is a *RefusedError.
	Publish(ctx context.Context, msgs [][]byte) (n int, err error)
	// Receive subscribes, calls live once everything that is published from then on will arrive, and then
	// receive for each message, until ctx ends or the connection is lost, which it returns. It connects
	// anew when it is called again.
	Receive(ctx context.Context, live func(), receive func(msg []byte)) error
	// Close frees what the driver made itself. Neither of the others is running any more.
	Close() error
}

// A RefusedError says that the broker will never take this message, for example because it is too
// large.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// Options configures a Pump. The zero value of every field is its default.
type Options struct {
	// MaxMessages and MaxBytes bound what waits for the broker; beyond them the oldest are dropped.
	// Defaults 10,000 and 8 MiB.
	MaxMessages int
	MaxBytes    int
	// StartWithoutBroker lets Subscribe succeed although the broker cannot be reached; the bus goes on
	// trying. Default false: it is an error.
	StartWithoutBroker bool
	// PublishTimeout bounds one attempt to publish. Default 5 s.
	PublishTimeout time.Duration
	// MinPause and MaxPause bound the pauses between attempts, which double from one to the other, with
	// jitter. Defaults 250 ms and 1 s.
	MinPause, MaxPause time.Duration
	// Logger gets a line when the state changes. Default slog.Default().
	Logger *slog.Logger
	// Invalid says what is wrong with the bus's configuration, such as a name that the broker does not
	// allow. Publish and Subscribe return it. Default nil.
	Invalid error
}

// A Pump implements cluster.Bus over a Driver.
type Pump struct {
	name   string // of the bus's package, for logs and errors
	driver Driver
	opts   Options

	ctx    context.Context // ends when Close gives up waiting
	cancel context.CancelFunc
	work   sync.WaitGroup
	wake   chan struct{} // tells the publisher that the queue has changed

	mu          sync.Mutex
	queue       [][]byte           // guarded by mu
	bytes       int                // in queue; guarded by mu
	taken       int                // messages at the head of queue that are being published; guarded by mu
	dropped     int64              // guarded by mu
	publishing  bool               // the publisher runs; guarded by mu
	subscribed  bool               // guarded by mu
	closing     bool               // guarded by mu
	publishErr  error              // nil while publishing works; guarded by mu
	receiveErr  error              // nil while the subscription is live; guarded by mu
	brokenAt    time.Time          // when the subscription was last lost; guarded by mu
	liveAt      time.Time          // when it last became live; guarded by mu
	resubscribe context.CancelFunc // ends the current Receive; guarded by mu
	flushed     chan struct{}      // closed when closing and the queue is empty
}

// New returns a bus. It starts nothing before it is used.
func New(name string, driver Driver, opts Options) *Pump {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	pause := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&opts.MaxMessages, 10_000)
	def(&opts.MaxBytes, 8<<20)
	pause(&opts.PublishTimeout, 5*time.Second)
	pause(&opts.MinPause, 250*time.Millisecond)
	pause(&opts.MaxPause, time.Second)
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	p := &Pump{name: name, driver: driver, opts: opts, wake: make(chan struct{}, 1), flushed: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Publish implements cluster.Bus.
func (p *Pump) Publish(msg []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return fmt.Errorf("%s: the bus is closed", p.name)
	}
	if p.opts.Invalid != nil {
		return fmt.Errorf("%s: %w", p.name, p.opts.Invalid)
	}
	p.queue = append(p.queue, msg)
	p.bytes += len(msg)
	for (len(p.queue) > p.opts.MaxMessages || p.bytes > p.opts.MaxBytes) && len(p.queue) > p.taken+1 {
		p.bytes -= len(p.queue[p.taken])
		copy(p.queue[1:p.taken+1], p.queue[:p.taken]) // what is under way stays at the head
		p.queue[0] = nil
		p.queue = p.queue[1:]
		p.dropped++
	}
	if !p.publishing {
		p.publishing = true
		p.work.Go(p.publish)
	}
	p.notify()
	return nil
}

func (p *Pump) notify() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// maxBatch is how many messages are handed to the driver at once.
const maxBatch = 256

func (p *Pump) publish() {
	failures := 0
	var said time.Time // when a refused message was logged
	for {
		if !p.settle(failures > 0) { // before take: what waits can be dropped
			return
		}
		batch := p.take()
		if len(batch) == 0 {
			select {
			case <-p.wake:
				continue
			case <-p.ctx.Done():
				return
			}
		}
		ctx, cancel := context.WithTimeout(p.ctx, p.opts.PublishTimeout)
		n, err := p.driver.Publish(ctx, batch)
		cancel()
		if refused := (*RefusedError)(nil); errors.As(err, &refused) {
			if time.Since(said) > time.Minute {
				p.opts.Logger.Error(p.name+": the broker refuses a message, which is dropped; in the next minute more are only counted",
					"bytes", len(batch[n]), "error", err)
				said = time.Now()
			}
			p.gave(n+1, 1)
			err = nil
		} else {
			p.gave(n, 0)
		}
		p.changed(&p.publishErr, err, "cannot publish; messages wait, the oldest are dropped", "publishes again")
		if err == nil {
			failures = 0
			continue
		}
		failures++
		if !p.pause(failures) {
			return
		}
	}
}

const (
	// settled is how long the subscription must be live before publishing goes on after an outage.
	settled = time.Second
	// unsettled is how long publishing waits for that at most.
	unsettled = 5 * time.Second
)

// settle waits, after an outage, until the subscription is live again and a little longer. The other
// processes have lost theirs too: what has waited here would be published before they are back, and lost.
// failed says that the last attempt to publish has failed. It reports false when the bus has been closed.
func (p *Pump) settle(failed bool) bool {
	called := time.Now()
	for {
		p.mu.Lock()
		var wait bool
		switch {
		case p.brokenAt.IsZero() || p.closing: // no outage so far
		case p.receiveErr == nil:
			wait = time.Since(p.liveAt) < settled
		case failed:
			wait = time.Since(called) < unsettled
		default: // it may be that only receiving does not work
			wait = time.Since(p.brokenAt) < unsettled
		}
		p.mu.Unlock()
		if !wait {
			return true
		}
		timer := time.NewTimer(50 * time.Millisecond)
		select {
		case <-timer.C:
		case <-p.ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// take returns the messages to publish next. They stay in the queue until gave. It closes flushed when
// there is nothing left of a closing bus.
func (p *Pump) take() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing && len(p.queue) == 0 {
		select {
		case <-p.flushed:
		default:
			close(p.flushed)
		}
	}
	p.taken = min(len(p.queue), maxBatch)
	return append([][]byte(nil), p.queue[:p.taken]...)
}

// gave removes n messages from the head of the queue, of which some were lost.
func (p *Pump) gave(n, lost int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, msg := range p.queue[:n] {
		p.bytes -= len(msg)
	}
	clear(p.queue[:n])
	p.queue = p.queue[n:]
	p.dropped += int64(lost)
	p.taken = 0
	if len(p.queue) == 0 {
		p.queue = nil
	}
}

// Subscribe implements cluster.Bus.
func (p *Pump) Subscribe(ctx context.Context, receive func(msg []byte)) error {
	if p.opts.Invalid != nil {
		return fmt.Errorf("%s: %w", p.name, p.opts.Invalid)
	}
	p.mu.Lock()
	if p.closing || p.subscribed {
		p.mu.Unlock()
		return fmt.Errorf("%s: Subscribe was called twice, or after Close", p.name)
	}
	p.subscribed = true
	p.receiveErr = errNotYet
	p.mu.Unlock()
	first := make(chan error, 1) // what came of the first attempt
	p.work.Go(func() { p.receive(receive, first) })
	select {
	case err := <-first:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s: the broker did not answer: %w", p.name, context.Cause(ctx))
	}
}

var errNotYet = errors.New("the subscription is not live yet")

// receive subscribes again and again until Close. first gets what Subscribe returns.
func (p *Pump) receive(receive func(msg []byte), first chan<- error) {
	var once sync.Once
	tell := func(err error) { once.Do(func() { first <- err }) }
	live, failures := false, 0
	for p.ctx.Err() == nil {
		ctx, cancel := context.WithCancel(p.ctx)
		p.mu.Lock()
		p.resubscribe = cancel
		p.mu.Unlock()
		err := p.driver.Receive(ctx, func() {
			live, failures = true, 0
			p.mu.Lock()
			p.liveAt = time.Now()
			p.mu.Unlock()
			p.changed(&p.receiveErr, nil, "", "receives again")
			tell(nil)
		}, receive)
		forced := ctx.Err() != nil
		cancel()
		if p.ctx.Err() != nil {
			break
		}
		if err == nil {
			err = errors.New("the subscription has ended")
		}
		if !live && !p.opts.StartWithoutBroker {
			tell(fmt.Errorf("%s: the broker cannot be reached: %w", p.name, err))
			return
		}
		tell(nil)
		if forced { // whoever asked for it has said why
			continue
		}
		p.changed(&p.receiveErr, err, "cut off from the broker; trying to connect again", "")
		failures++
		if !p.pause(failures) {
			break
		}
	}
	tell(fmt.Errorf("%s: the bus is closed", p.name))
}

// Resubscribe ends the current subscription and makes a new one, for a user who knows that deliveries
// have stopped although the connection looks fine.
func (p *Pump) Resubscribe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.resubscribe != nil {
		p.resubscribe()
	}
}

// changed notes the state of one direction and logs it if it is another than before.
func (p *Pump) changed(state *error, err error, broken, mended string) {
	p.mu.Lock()
	was, dropped := *state, p.dropped
	*state = err
	if state == &p.receiveErr && err != nil && (was == nil || was == errNotYet) {
		p.brokenAt = time.Now()
	}
	p.mu.Unlock()
	switch {
	case (was == nil || was == errNotYet) && err != nil:
		p.opts.Logger.Error(p.name+": "+broken, "error", err)
	case was != nil && was != errNotYet && err == nil:
		p.opts.Logger.Info(p.name+": "+mended, "dropped", dropped)
	}
}

// pause waits before the next attempt. It reports false when the bus has been closed.
func (p *Pump) pause(failures int) bool {
	d := p.opts.MaxPause
	if failures < 16 {
		d = min(d, p.opts.MinPause<<(failures-1))
	}
	timer := time.NewTimer(d/2 + rand.N(d/2+1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// Healthy implements cluster.Bus.
func (p *Pump) Healthy() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.publishErr != nil {
		return fmt.Errorf("%s: cannot publish: %w", p.name, p.publishErr)
	}
	if p.receiveErr != nil {
		return fmt.Errorf("%s: cannot receive: %w", p.name, p.receiveErr)
	}
	return nil
}

// Dropped implements cluster.Bus.
func (p *Pump) Dropped() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

// Close implements cluster.Bus.
func (p *Pump) Close(ctx context.Context) error {
	p.mu.Lock()
	if p.closing {
		p.mu.Unlock()
		return nil
	}
	p.closing = true
	publishing := p.publishing
	p.mu.Unlock()
	p.notify()
	var err error
	if publishing {
		select {
		case <-p.flushed:
		case <-ctx.Done():
			p.mu.Lock()
			left := len(p.queue)
			p.dropped += int64(left)
			p.mu.Unlock()
			err = fmt.Errorf("%s: closed with %d messages that the broker has not taken: %w", p.name, left, ctx.Err())
		}
	}
	p.cancel()
	p.work.Wait()
	return errors.Join(err, p.driver.Close())
}
