package core

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// A Reply is what one client answered to a Gather.
type Reply[Out any] struct {
	ID     string // of the socket
	Answer Out    // the zero value when the client did not answer
}

// Gather sends an event to many clients and yields the acks as they arrive, each decoded into Out by
// the rules of Call:
//
//	for vote, err := range core.Gather[string](ctx, srv.To("board").Timeout(5*time.Second), "vote") {
//		if err != nil {
//			log.Print(vote.ID, " did not vote: ", err)
//			continue
//		}
//		votes[vote.Answer]++
//	}
//
// There is exactly one entry for each client of the audience as it is when the loop begins. Its error
// is nil, an *ArgumentError (the answer does not fit Out), ErrDisconnected as soon as the client
// leaves, or ErrNotWritable (see Broadcast.Volatile). At the end of the time those who are still
// missing follow, with ErrTimeout, or ctx's error when it was cancelled. So the loop says who did not
// answer, and ends when all have. An entry without an ID means that nothing was sent: the arguments
// cannot be encoded, or ctx had ended; or, with a *cluster.SilentError, that other processes (see
// Config.Bus) did not answer: who is connected to them is not known. Answers of clients of other servers
// have no ID either when Config.Link is of package nodewire, whose wire does not carry it.
//
// The time is what Timeout says, and ctx; with neither it is Config.CallTimeout. Leaving the loop
// gives the missing answers up. The event is sent when the loop begins, again for each loop, and
// encoded once. Gather may be used inside handlers, also for an audience with the client of the event
// in it, but not before that client is connected: then it waits for it in vain.
func Gather[Out any](ctx context.Context, to Broadcast, event string, args ...any) iter.Seq2[Reply[Out], error] {
	return func(yield func(Reply[Out], error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Reply[Out]{}, waitError(ctx))
			return
		}
		g := newGathering()
		ev, err := to.ask(g, event, args)
		if err != nil {
			yield(Reply[Out]{}, err)
			return
		}
		defer g.end(nil)
		if to.reachesOthers() && !to.nobody() {
			theirs, cancel := context.WithTimeout(ctx, to.options.remaining(ctx, to.ns.srv)*9/10) // so that they can say who did not answer
			defer to.askOthers(theirs, g, ev)()
			defer cancel()
		}
		expired, stop := to.options.expiry(ctx, to.ns.srv)
		defer stop()
		collect(ctx, g, event, expired, yield)
	}
}

// collect yields what arrives until nobody is missing.
func collect[Out any](ctx context.Context, g *gathering, event string, expired <-chan time.Time, yield func(Reply[Out], error) bool) {
	for {
		got, ok := g.next(ctx, expired)
		if !ok {
			return
		}
		reply, err := Reply[Out]{ID: got.id}, got.err
		if err == nil {
			reply.Answer, err = decodeAnswer[Out](event, got.answer)
		}
		if !yield(reply, err) {
			return
		}
	}
}

// A gathering collects the answers of one Gather. Whoever asks clients for it is a source: this
// process, and with a bus the others. A source says whom it asks (expect), what came of it (arrive),
// and when it will name no more (exhausted).
type gathering struct {
	changed chan struct{} // capacity 1

	mu      sync.Mutex
	arrived []entry              // not yet yielded; guarded by mu
	missing map[string]*question // by socket id; nil values are asked elsewhere; guarded by mu
	sources int                  // that may still name clients; guarded by mu
}

func newGathering() *gathering {
	return &gathering{changed: make(chan struct{}, 1), missing: make(map[string]*question)}
}

type entry struct {
	id string
	settled
}

// question is an event that one client of this process is asked.
type question struct {
	of     *gathering
	socket *Socket
	ackID  int64 // owned by the goroutine of the loop
}

func (q *question) settle(answer sio.Args, err error) {
	q.of.arrive(q.socket.id, settled{answer, err})
}

func (g *gathering) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sources++
}

func (g *gathering) expect(id string, q *question) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.missing != nil { // else nobody waits any more
		g.missing[id] = q
	}
}

// add puts in an entry that nobody was missing for.
func (g *gathering) add(e entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arrived = append(g.arrived, e)
	g.tellLocked()
}

// arrive takes the answer of a client that is missing, and no second one.
func (g *gathering) arrive(id string, got settled) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.missing[id]; !ok {
		return
	}
	delete(g.missing, id)
	g.arrived = append(g.arrived, entry{id, got})
	g.tellLocked()
}

func (g *gathering) exhausted() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sources--
	g.tellLocked()
}

func (g *gathering) tellLocked() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// next waits for the next entry; ok is false when there are no more.
func (g *gathering) next(ctx context.Context, expired <-chan time.Time) (got entry, ok bool) {
	done := ctx.Done()
	for {
		g.mu.Lock()
		if len(g.arrived) > 0 {
			got = g.arrived[0]
			g.arrived[0] = entry{}
			g.arrived = g.arrived[1:]
			g.mu.Unlock()
			return got, true
		}
		complete := len(g.missing) == 0 && g.sources <= 0
		g.mu.Unlock()
		if complete {
			return entry{}, false
		}
		select {
		case <-g.changed:
		case <-expired:
			g.end(ErrTimeout)
		case <-done:
			done = nil // it is over: what is left to hear is who of the others was silent
			g.end(waitError(ctx))
		}
	}
}

// end gives up whoever is missing: they become entries with err. The sources, whose time is over too, may
// still say who was silent.
func (g *gathering) end(err error) {
	g.mu.Lock()
	missing := g.missing
	g.missing = nil
	for id := range missing {
		g.arrived = append(g.arrived, entry{id, settled{err: err}})
	}
	g.mu.Unlock()
	for _, q := range missing {
		if q != nil {
			q.socket.giveUp(q.ackID)
		}
	}
}

// ask asks the audience on this process.
func (b Broadcast) ask(g *gathering, event string, args []any) (ev sio.EncodedEvent, err error) {
	ev, err = b.ns.srv.encoder.Encode(event, args)
	if err != nil || b.nobody() {
		return ev, err
	}
	for _, part := range b.ns.parts() {
		if part.observed() {
			part.observe(event, args, b.in(part))
		}
		b.in(part).askHere(g, ev)
	}
	return ev, nil
}

// askHere asks the audience in a namespace that is nobody's parent. The event is encoded once although
// each client's ack has an id of its own.
func (b Broadcast) askHere(g *gathering, ev sio.EncodedEvent) {
	g.open()
	defer g.exhausted()
	var batch engineio.Batch
	defer batch.Done() // also when a Parser panics: those that have been asked must get it
	for _, s := range b.Sockets() {
		q := &question{of: g, socket: s}
		g.expect(s.id, q)
		if err := b.askOne(q, ev, &batch); err != nil && (q.ackID < 0 || s.giveUp(q.ackID)) {
			q.settle(sio.Args{}, err)
		}
	}
}

// askOne sends one client its question.
func (b Broadcast) askOne(q *question, ev sio.EncodedEvent, batch *engineio.Batch) (err error) {
	s := q.socket
	if q.ackID, err = s.await(q, 0, true); err != nil {
		q.ackID = noAck
		return err
	}
	m, err := b.ns.srv.packet(b.ns.name, q.ackID, ev)
	if err != nil {
		return err
	}
	return s.sendBatch(batch, b.options.apply(m), b.options.volatile)
}
