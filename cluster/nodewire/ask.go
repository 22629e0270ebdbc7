package nodewire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/siokit/siokit/cluster"
)

// question is a request to the other members. Its mu comes after Adapter.mu.
type question struct {
	take func(r *response) error // takes an answer, and counts; called with mu held
	done chan struct{}           // closed when everything has arrived, or end was called

	mu       sync.Mutex
	servers  int  // that are to answer; guarded by mu
	answered int  // of them have; guarded by mu
	clients  int  // that have been asked, as far as servers have said; guarded by mu
	replies  int  // of them have answered; guarded by mu
	ended    bool // guarded by mu
}

// answer takes a response. The error says what is wrong with it; it may have counted all the same.
func (q *question) answer(r *response) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return nil
	}
	err := q.take(r)
	if q.answered >= q.servers && q.replies >= q.clients {
		q.endLocked()
	}
	return err
}

// end makes late answers be ignored.
func (q *question) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.endLocked()
}

func (q *question) endLocked() {
	if !q.ended {
		q.ended = true
		close(q.done)
	}
}

// ask publishes a request and waits until as many servers have answered as there are now. The error is
// nil, ErrClosed, ctx's when it was cancelled, or a *cluster.SilentError.
func (a *Adapter) ask(ctx context.Context, namespace string, q *question, publish func(id string, timeout time.Duration) error) error {
	timeout := a.opts.RequestTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = time.Until(deadline)
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	stop := context.AfterFunc(a.ctx, cancel)
	defer stop()
	a.hold(namespace)
	defer a.release(namespace)
	servers, err := a.others(bounded, namespace)
	if err != nil {
		return a.whyNot(ctx, err)
	}
	if servers == 0 {
		return nil
	}
	q.servers, q.done = servers, make(chan struct{})
	id := newID()
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return cluster.ErrClosed
	}
	a.questions[id] = q
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.questions, id)
		a.mu.Unlock()
	}()
	if err := publish(id, timeout); err != nil {
		return err
	}
	select {
	case <-q.done:
	case <-bounded.Done():
	}
	q.end()
	q.mu.Lock()
	silent := q.servers - q.answered
	q.mu.Unlock()
	switch {
	case a.ctx.Err() != nil:
		return cluster.ErrClosed
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case silent > 0:
		return &cluster.SilentError{Nodes: []string{fmt.Sprintf("%d of the %d other servers on %s", silent, servers, a.names.request(namespace))}}
	}
	return nil
}

// whyNot explains why nobody could be asked: then everybody is silent.
func (a *Adapter) whyNot(ctx context.Context, err error) error {
	switch {
	case a.ctx.Err() != nil:
		return cluster.ErrClosed
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", &cluster.SilentError{Nodes: []string{"all other servers"}}, err)
}

// others counts the other servers that have a namespace, which is on hold. Our own subscription is counted
// too, so it must be there.
func (a *Adapter) others(ctx context.Context, namespace string) (int, error) {
	if err := a.redis.await(ctx, a.names.of(namespace)...); err != nil {
		return 0, fmt.Errorf("nodewire: there is no subscription: %w", err)
	}
	n, err := a.redis.subscribers(ctx, a.names.request(namespace))
	return max(0, n-1), err
}

// Fetch implements cluster.Link.
func (a *Adapter) Fetch(ctx context.Context, of cluster.Audience) (sockets []cluster.Socket, err error) {
	if nobody(of) {
		return nil, nil
	}
	q := &question{}
	q.take = func(r *response) (bad error) {
		q.answered++
		if r.Sockets == nil {
			return nil
		}
		for _, v := range *r.Sockets {
			s, err := heard(v, of.Namespace)
			if err != nil {
				bad = err
				continue
			}
			sockets = append(sockets, s)
		}
		return bad
	}
	err = a.ask(ctx, of.Namespace, q, func(id string, _ time.Duration) error {
		a.publishJSON(a.names.request(of.Namespace), &request{UID: a.names.uid, RequestID: id, Type: new(kindFetch), Opts: optionsOf(of)})
		return nil
	})
	return sockets, err
}

// maxClients is the most clients that one server can say it has asked.
const maxClients = 1 << 20

// Gather implements cluster.Link. Replies have no SID, and of an ack only the first argument.
func (a *Adapter) Gather(ctx context.Context, e *cluster.Emit, each func(cluster.Reply)) error {
	if nobody(e.Audience) {
		return nil
	}
	q := &question{}
	q.take = func(r *response) error {
		switch {
		case r.is(kindClientCount) && r.ClientCount != nil && *r.ClientCount >= 0 && *r.ClientCount <= maxClients:
			q.answered++
			q.clients += *r.ClientCount
		case r.is(kindAck):
			q.replies++
			each(reply(r.Packet, r.attachments))
		default:
			return errors.New("nodewire: an answer to an event with acks that is none")
		}
		return nil
	}
	err := a.ask(ctx, e.Namespace, q, func(id string, timeout time.Duration) error {
		frame, err := appendQuestion(appendChannel(nil, a.names.request(e.Namespace)), a.names.uid, id, e, timeout)
		if err == nil {
			a.publishFrame(frame)
		}
		return err
	})
	q.mu.Lock()
	missing := q.clients - q.replies
	q.mu.Unlock()
	for ; missing > 0; missing-- { // after the end nobody else calls each
		each(cluster.Reply{Err: cluster.TimedOut})
	}
	return err
}

// reply is an answer that has one argument, or none.
func reply(v jsontext.Value, attachments [][]byte) cluster.Reply {
	if len(v) == 0 {
		return cluster.Reply{Data: json.RawMessage("[]")}
	}
	return cluster.Reply{Data: join([]json.RawMessage{json.RawMessage(v)}), Attachments: attachments}
}

// ServerEmit implements cluster.Link. Answers have one argument, and no SID.
func (a *Adapter) ServerEmit(ctx context.Context, e *cluster.Emit, each func(cluster.Reply)) error {
	data, err := plainJSON(eventData(e), e.Attachments)
	if err != nil {
		return fmt.Errorf("nodewire: event %q: %w", e.Event, err)
	}
	r := &request{UID: a.names.uid, Type: new(kindServerEmit), Data: jsontext.Value(data)}
	if each == nil {
		a.publishJSON(a.names.request(e.Namespace), r)
		return nil
	}
	q := &question{}
	q.take = func(r *response) error {
		q.answered++
		each(reply(r.Data, nil))
		return nil
	}
	return a.ask(ctx, e.Namespace, q, func(id string, _ time.Duration) error {
		r.RequestID = id
		a.publishJSON(a.names.request(e.Namespace), r)
		return nil
	})
}
