package client

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// A run is the life of a client from Connect to its end, through all its connections.
type run struct {
	client *Client
	ctx    context.Context // of the callbacks; carries the values of Connect's
	cancel context.CancelCauseFunc
	ready  chan struct{} // closed when Connect may return nil
	done   chan struct{} // closed when everything has ended
	err    error         // why; set before done is closed

	link  *link // the present connection; guarded by client.mu
	over  bool  // only what runs already is waited for; guarded by client.mu
	began bool  // ready is closed; owned by loop
	final error // of the last namespace to end; guarded by client.mu

	// Of Options.RememberUpgrade; owned by loop.
	upgraded bool // the last connection came to be on WebSocket
	doubted  bool // the last attempt to begin there has failed
}

func newRun(c *Client, ctx context.Context) *run {
	r := &run{client: c, ready: make(chan struct{}), done: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return r
}

// stop ends the run. It returns at once.
func (r *run) stop(cause error) { r.cancel(cause) }

// loop connects, and connects again, until the run is over.
func (r *run) loop() {
	c := r.client
	defer r.finish()
	back := backoff{opts: &c.opts}
	for {
		err := r.once(&back)
		switch {
		case r.ctx.Err() != nil:
			if cause := context.Cause(r.ctx); cause != errClosed {
				r.err = cause
			}
			return
		case !r.wanted(&err), !r.began && !c.opts.RetryConnect, r.began && c.opts.DisableReconnection:
			r.err = err
			return
		case c.opts.ReconnectAttempts > 0 && back.attempts >= c.opts.ReconnectAttempts:
			r.err = &ReconnectError{back.attempts, err}
			runHooks(r, "reconnect_failed", c.loadHooks().gaveUp, r.err)
			return
		}
		if !r.sleep(back.next(err)) {
			return
		}
		runHooks(r, "reconnect_attempt", c.loadHooks().attempt, back.attempts)
	}
}

// once is one connection from beginning to end. It returns why it ended or did not begin.
func (r *run) once(back *backoff) error {
	c := r.client
	l, err := r.open()
	if err != nil {
		if (back.attempts > 0 || c.opts.RetryConnect) && r.ctx.Err() == nil {
			runHooks(r, "reconnect_error", c.loadHooks().failure, err)
		}
		return err
	}
	defer func() {
		l.conn.Close() // it has ended, unless a hook has ended this goroutine
		l.conn.Wait()
		r.upgraded, r.doubted = l.conn.Transport() == engineio.WebSocket, false
	}()
	if back.attempts > 0 {
		runHooks(r, "reconnect", c.loadHooks().reconnect, back.attempts)
	}
	timer := time.NewTimer(c.opts.Timeout)
	defer timer.Stop()
	answered := false
	for settled := l.settled; ; {
		select {
		case <-settled:
			settled = nil
			timer.Stop()
			joined, cut, refused := l.outcome()
			switch {
			case refused == nil && cut:
				continue
			case refused == nil && !joined && l.abandonIfUnused(): // all have been left
				continue
			case refused != nil && !r.began:
				l.conn.Close()
				<-l.ended
				c.mu.Lock()
				for _, s := range c.sockets {
					s.wanted = false
				}
				r.final = refused
				c.mu.Unlock()
				return refused
			case joined:
				back.reset()
			}
			answered = true
			if !r.began {
				r.began = true
				close(r.ready)
			}
		case <-timer.C:
			if settled != nil {
				err := fmt.Errorf("client: the server did not answer CONNECT within %s", c.opts.Timeout)
				l.conn.Fail(engineio.TransportError, err)
				<-l.ended
				return err
			}
		case <-l.ended:
			if settled != nil { // closed too by now: first what was answered
				continue
			}
			if !answered && l.reason == TransportClose {
				return &DisconnectError{l.reason, unanswered(l.err)}
			}
			return &DisconnectError{l.reason, l.err}
		case <-r.ctx.Done():
			l.conn.Close()
			<-l.ended
			return context.Cause(r.ctx)
		}
	}
}

// wantedLocked reports whether a namespace is to be joined.
func (c *Client) wantedLocked() bool {
	return slices.ContainsFunc(c.sockets, func(s *Socket) bool { return s.wanted })
}

// wanted reports whether there is a namespace to come back for. If not, err becomes what ended the last one.
func (r *run) wanted(err *error) bool {
	r.client.mu.Lock()
	defer r.client.mu.Unlock()
	if r.client.wantedLocked() {
		return true
	}
	r.over = true
	if r.final != nil {
		*err = r.final
	} else {
		*err = nil // the last one was left by Socket.Disconnect
	}
	return false
}

func (r *run) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.ctx.Done():
		if cause := context.Cause(r.ctx); cause != errClosed {
			r.err = cause
		}
		return false
	}
}

// open connects and asks for the namespaces.
func (r *run) open() (*link, error) {
	c := r.client
	ctx, cancel := context.WithTimeoutCause(r.ctx, c.opts.Timeout, fmt.Errorf("client: no connection within %s: is the address right, does a firewall stand between, or is Options.Timeout too short?", c.opts.Timeout))
	defer cancel()
	opts, err := r.dialOptions(ctx)
	if err != nil {
		return nil, err
	}
	endpoint, err := r.endpoint(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	sockets := slices.DeleteFunc(slices.Clone(c.sockets), func(s *Socket) bool { return !s.wanted })
	c.mu.Unlock()
	auth := make([]any, len(sockets))
	for i, s := range sockets {
		if auth[i], err = s.credentials(ctx); err != nil {
			return nil, err
		}
	}
	l := &link{run: r, settled: make(chan struct{}), ended: make(chan struct{})}
	l.decoder = sio.NewParserDecoder(c.opts.Parser, sio.FromServer, &sio.Limits{Attachments: c.opts.Attachments, AttachmentBytes: min(c.opts.MaxMessage, math.MaxInt64/10) * 10})
	opts.Open = func(conn *engineio.ClientConn) engineio.Receiver {
		l.conn = conn
		return l
	}
	if _, err = engineio.Dial(ctx, endpoint, opts); err != nil {
		r.doubted = r.upgraded && !r.doubted // so that a server that is down does not cost the memory
		return nil, err
	}
	c.mu.Lock()
	if !l.over {
		r.link = l
	}
	for _, s := range c.sockets { // those that were named meanwhile; from now on Socket.Connect asks itself
		if s.wanted && !slices.Contains(sockets, s) {
			sockets = append(sockets, s)
		}
	}
	l.pending++ // until all have been asked for
	c.mu.Unlock()
	for i, s := range sockets {
		if i == len(auth) {
			own, err := s.credentials(ctx)
			if err != nil {
				l.conn.Fail(engineio.ForcedClose, err)
				l.conn.Wait()
				return nil, err
			}
			auth = append(auth, own)
		}
		if err := s.join(l, auth[i]); err != nil {
			l.conn.Fail(engineio.ForcedClose, err)
			l.conn.Wait()
			return nil, err
		}
	}
	c.mu.Lock()
	l.settleLocked()
	c.mu.Unlock()
	return l, nil
}

// dialOptions are those of this attempt.
func (r *run) dialOptions(ctx context.Context) (opts engineio.DialOptions, err error) {
	c := r.client
	opts = c.opts.dialOptions()
	opts.HTTP = c.http
	if c.opts.RememberUpgrade && r.upgraded && !r.doubted && len(opts.Transports) != 1 {
		opts.Transports = []string{engineio.WebSocket, engineio.Polling}
	}
	opts.Header, err = r.header(ctx)
	return opts, err
}

// endpoint is the address of this attempt.
func (r *run) endpoint(ctx context.Context) (endpoint string, err error) {
	c := r.client
	if c.opts.AddressFunc == nil {
		return c.endpoint, nil
	}
	var address string
	err = protect(func() (err error) { address, err = c.opts.AddressFunc(ctx); return err })
	if err != nil {
		return "", fmt.Errorf("client: Options.AddressFunc: %w", err)
	}
	endpoint, _, err = c.opts.parseAddress(address)
	return endpoint, err
}

func (r *run) header(ctx context.Context) (http.Header, error) {
	opts := &r.client.opts
	if opts.HeaderFunc == nil {
		return opts.Header, nil
	}
	var fresh http.Header
	err := protect(func() (err error) { fresh, err = opts.HeaderFunc(ctx); return err })
	if err != nil {
		return nil, fmt.Errorf("client: Options.HeaderFunc: %w", err)
	}
	header := opts.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	maps.Copy(header, fresh)
	return header, nil
}

// finish ends what depends on the run, and waits for it.
func (r *run) finish() {
	c := r.client
	c.mu.Lock()
	for _, s := range c.sockets {
		s.endLocked()
	}
	r.link, r.over = nil, true
	c.changed.Broadcast()
	c.mu.Unlock()
	c.tasks.Wait() // handlers may still take what the server said before it ended; Close cancels their ctx
	r.cancel(errClosed)
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
	c.mu.Lock()
	c.run, c.last = nil, r
	c.mu.Unlock()
	close(r.done)
}
