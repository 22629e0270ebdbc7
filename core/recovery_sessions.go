package core

import (
	"crypto/sha256"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// recovery is what a namespace remembers for clients that come back: the events of the last minutes,
// and the sessions of clients that were cut off. Lock order: recovery.mu -> Namespace.mu -> Socket.mu;
// recovery.mu -> Server.mu.
type recovery struct {
	ns  *Namespace
	cfg Recovery

	mu       sync.Mutex
	log      packetLog                 // guarded by mu
	sessions map[pidHash]*savedSession // guarded by mu
	oldest   []*savedSession           // in the order they were saved, also those taken since; guarded by mu
	timer    *engineio.Timer           // forgets what is too old; nil until something was kept; guarded by mu
	timed    bool                      // timer is running; guarded by mu
	holding  bool                      // of a dynamic namespace: it stays while sessions wait; guarded by mu
}

func newRecovery(ns *Namespace, cfg Recovery) *recovery {
	return &recovery{ns: ns, cfg: cfg, sessions: make(map[pidHash]*savedSession)}
}

// pidHash is what is kept of a session's secret.
type pidHash [sha256.Size]byte

func hashPID(pid string) pidHash { return sha256.Sum256([]byte(pid)) }

// A savedSession is what a socket leaves behind.
type savedSession struct {
	pid       pidHash
	id        string // of the socket
	principal string
	rooms     map[string]struct{}
	data      map[any]any
	born      offset // of the newest event when the socket was made
	since     offset // and when emits to the namespace began to reach it
	sent      offset // of the last event that was queued for it
	left      offset // of the newest event when it was cut off
	saved     time.Time
	taken     bool
}

// resumption is a session that a client has taken up.
type resumption struct {
	*savedSession
	from offset // what the client received last
}

// take finds the session that the auth payload of a CONNECT asks for and removes it: it is taken up
// once. It returns nil when there is none for this user, or events are missing.
func (r *recovery) take(auth []byte, principal string) (pid string, taken *resumption) {
	var ask struct {
		PID    string `json:"pid"`
		Offset string `json:"offset"`
	}
	if len(auth) == 0 || sio.DecodeExact(auth, &ask) != nil || ask.PID == "" {
		return "", nil
	}
	from, err := parseOffset(ask.Offset)
	if err != nil {
		return "", nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pruneLocked(time.Now())
	s := r.sessions[hashPID(ask.PID)]
	if s == nil || !strings.HasPrefix(s.principal, principal+"\x00") {
		return "", nil
	}
	if ask.Offset == "" {
		from = s.born
	}
	if from < s.born || from > s.left || !r.reachesLocked(s, from) {
		return "", nil
	}
	s.taken = true
	delete(r.sessions, s.pid)
	return ask.PID, &resumption{savedSession: s, from: from}
}

// reachesLocked reports whether everything that came for the session after from is still there. A
// client that has received the last event there was for it misses only what came after it left.
func (r *recovery) reachesLocked(s *savedSession, from offset) bool {
	if from >= s.sent {
		from = s.left
	}
	return from >= r.log.dropped
}

// pruneLocked forgets what is too old or too much.
func (r *recovery) pruneLocked(now time.Time) {
	n := 0
	for _, s := range r.oldest {
		if !s.taken && len(r.sessions) <= r.cfg.MaxSessions && now.Sub(s.saved) < r.cfg.Window {
			break
		}
		if !s.taken {
			s.taken = true
			delete(r.sessions, s.pid)
		}
		r.oldest[n] = nil
		n++
	}
	r.oldest = r.oldest[n:]
	r.log.prune(now.Add(-r.cfg.Window), r.cfg.MaxPackets, r.cfg.MaxBytes)
	if r.holding && len(r.sessions) == 0 {
		r.holding = false
		r.ns.srv.leave(r.ns)
	}
	if r.timed || len(r.oldest)+len(r.log.kept()) == 0 {
		return
	}
	r.timed = true
	if r.timer == nil {
		r.timer = r.ns.srv.engine.AfterFunc(r.cfg.Window, r.expire)
	} else {
		r.ns.srv.engine.Reset(r.timer, r.cfg.Window)
	}
}

// expire runs on the server's clock.
func (r *recovery) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timed = false
	r.pruneLocked(time.Now())
}

// emit gives an event its offset, keeps it, and queues it for whoever of the audience can be reached
// now. Doing so in one step is what keeps everybody's events in the order of their offsets.
func (r *recovery) emit(to Broadcast, ev sio.EncodedEvent, queue func(*engineio.Batch, logged) error) error {
	packet, err := r.ns.srv.encodeWithOffset(r.ns.name, ev)
	if err != nil {
		return err
	}
	var batch engineio.Batch
	defer batch.Done()
	r.mu.Lock()
	defer r.mu.Unlock()
	m := to.options.apply(packet.message(r.log.last + 1))
	e := logged{at: r.log.last + 1, sent: time.Now(), message: m, all: to.all, rooms: to.rooms, except: to.except}
	if to.sender != nil {
		e.sender = to.sender.id
	}
	if err := queue(&batch, e); err != nil {
		return err
	}
	r.log.last = e.at
	r.log.add(e)
	r.pruneLocked(e.sent)
	return nil
}

// now is where in the log a new socket begins.
func (r *recovery) now() offset {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.last
}

// enter makes s reachable, as register does, and queues what it has missed if it came back. With
// errNotResumable that is not kept any more: then the socket has to give way to a new one.
func (r *recovery) enter(s *Socket) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.resumed != nil && s.resumed.principal != s.principal() {
		return errNotResumable
	}
	s.since = r.log.last
	if s.resumed == nil {
		s.sent = max(s.sent, s.born) // guards may have emitted
		return r.ns.register(s)
	}
	missed, ok := r.missedLocked(s)
	if !ok {
		return errNotResumable
	}
	s.since, s.sent = s.resumed.since, r.log.last
	s.mu.Lock()
	for _, m := range s.early {
		if !slices.Contains(missed, m) { // what guards have emitted is among them, unless it wants an ack
			missed = append(missed, m)
		}
	}
	s.early, s.earlyN = missed, 0
	for _, m := range missed {
		s.earlyN += m.Size()
	}
	s.mu.Unlock()
	return r.ns.register(s)
}

// missedLocked collects what a session has missed. ok is false when some of it is not kept any more,
// or it would not fit into an outbox.
func (r *recovery) missedLocked(s *Socket) (missed []*engineio.Message, ok bool) {
	session := s.resumed
	if !r.reachesLocked(session.savedSession, session.from) {
		return nil, false
	}
	r.ns.mu.RLock()
	defer r.ns.mu.RUnlock()
	bytes := 0
	for i := range r.log.kept() {
		e := &r.log.kept()[i]
		if e.at <= session.from || !session.missed(e, s.rooms) { // the rooms that guards have left it
			continue
		}
		missed = append(missed, e.message)
		if bytes += e.message.Size(); bytes > maxEarlyBytes || len(missed) > maxEarlyMessages {
			return nil, false
		}
	}
	return missed, true
}

// missed reports whether an event was for the socket of the session, which is in these rooms.
func (s *savedSession) missed(e *logged, rooms map[string]struct{}) bool {
	if e.sender == s.id || e.at > s.sent && e.at <= s.left { // of the latter it got all that was for it
		return false
	}
	in := func(name string) bool { _, ok := rooms[name]; return ok || name == s.id }
	for _, name := range e.except {
		if in(name) {
			return false
		}
	}
	if e.all {
		return e.at > s.since
	}
	for _, name := range e.rooms {
		if name == s.id || e.at > s.since && in(name) {
			return true
		}
	}
	return false
}

// keep saves the session of a socket that was cut off, and makes it unreachable in the same step: no event
// comes between that and what the session has left with.
func (r *recovery) keep(s *Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ns.unregister(s)
	r.saveLocked(&savedSession{
		pid: hashPID(s.pid), id: s.id, principal: s.principal(), rooms: s.rooms, data: dataOf(s),
		born: s.born, since: s.since, sent: s.sent, left: r.log.last,
	})
}

// keepAgain is keep for a client that was cut off again before it was told that it is connected: the session
// that s was to take up.
func (r *recovery) keepAgain(s *Socket) {
	saved := *s.resumed.savedSession
	saved.taken = false
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ns.unregister(s)
	r.saveLocked(&saved)
}

func (r *recovery) saveLocked(saved *savedSession) {
	saved.saved = time.Now()
	r.sessions[saved.pid] = saved
	if !r.holding {
		r.holding = true
		r.ns.srv.hold(r.ns)
	}
	r.oldest = append(r.oldest, saved)
	r.pruneLocked(saved.saved)
}

var errNotResumable = errors.New("core: what the client has missed is not kept any more, or the user is another")

// dataOf returns what SetData keeps in s. Other values, above all who the user is, are found out
// anew.
func dataOf(s *Socket) map[any]any {
	data := make(map[any]any)
	if values := s.values.Load(); values != nil {
		for key, value := range *values {
			if _, ok := key.(reflect.Type); ok {
				data[key] = value
			}
		}
	}
	return data
}
