package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/siokit/siokit/wire/sio"
)

// receive takes a message off the bus. It never fails: what is wrong is counted, and said once.
func (n *Node) receive(data []byte) {
	defer func() {
		if v := recover(); v != nil {
			n.reject(fmt.Errorf("cluster: panic while reading a message; please report it: %v\n%s", v, debug.Stack()))
		}
	}()
	if err := n.out.signer.verify(data); err != nil {
		n.reject(err)
		return
	}
	m, err := parseMessage(data)
	if err == nil {
		err = n.out.signer.fresh(m)
	}
	if err != nil {
		n.reject(err)
		return
	}
	if m.sender() != n.id {
		n.received.Add(1)
	}
	if err := n.take(m); err != nil {
		n.reject(err)
	}
}

// reject counts a bad message and logs the first of its kind.
func (n *Node) reject(err error) {
	n.invalid.Add(1)
	kind := err.Error()
	if len(kind) > 60 {
		kind = kind[:60]
	}
	n.mu.Lock()
	known := n.warned[kind] || len(n.warned) >= 64
	if !known {
		n.warned[kind] = true
	}
	n.mu.Unlock()
	if !known {
		n.log.Warn("cluster: a message on the bus was ignored; more of the kind are only counted", "error", err)
	}
}

// sender is who published a message. That of a callback names in Host for whom it is.
func (m *message) sender() string {
	if m.Go != nil && m.Go.From != "" {
		return m.Go.From
	}
	if m.Method == methodCallback {
		return ""
	}
	return m.Host
}

func (n *Node) take(m *message) error {
	if m.sender() == n.id {
		n.echo()
		return nil
	}
	if m.Go != nil && m.Go.Seq > 0 && m.sender() != "" && !n.heard(m.sender(), m.Go.Seq) {
		return nil
	}
	if m.Go == nil && len(m.Method) > 3 && m.Method[:3] == "go." {
		return errors.New("cluster: a siokit message without its extension")
	}
	switch m.Method {
	case methodHello:
		n.met(m.Host)
		if m.Go.Ask {
			n.hello(false)
		}
		return nil
	case methodBye:
		n.forget(func(host string, _ *peer) bool { return host == m.Host })
		return nil
	case methodEmit, methodGoEmit:
		return n.takeEmit(m)
	case methodCallback:
		return nil // siokit nodes ask with go.gather, so nobody waits for it
	case methodRevoke:
		n.local.Revoked(m.Go.Blob)
		return nil
	case methodFetch, methodGather, methodServerEmit:
		return n.takeQuestion(m)
	case methodReply, methodDone:
		n.takeAnswer(m)
		return nil
	}
	if n.opts.OnlyEmits {
		return nil
	}
	return n.takeOrder(m)
}

func (n *Node) takeEmit(m *message) error {
	e, err := m.emit(n.opts.Limits)
	if err != nil {
		return err
	}
	target, ok := m.callback()
	if !ok {
		n.local.Emit(e)
		return nil
	}
	if !n.slot() {
		n.local.Emit(e) // the event is worth more than its acks
		return nil
	}
	n.beside(n.callBack(m.Host, target, e))
	return nil
}

// callbackTarget is where the acks of a Python process's emit go: [room, namespace, id].
type callbackTarget struct {
	room, namespace, id jsontext.Value
}

// callback reads an emit's callback; one that is not well-formed is no callback.
func (m *message) callback() (t callbackTarget, ok bool) {
	if isNull(m.Callback) || m.Callback.Kind() != '[' {
		return t, false
	}
	parts, err := sio.ParseArgs(m.Callback, sio.Limits{})
	if err != nil || len(parts) != 3 {
		return t, false
	}
	if _, err := strconv.ParseInt(string(parts[2]), 10, 64); err != nil {
		return t, false
	}
	return callbackTarget{jsontext.Value(parts[0]), jsontext.Value(parts[1]), jsontext.Value(parts[2])}, true
}

// callbackTimeout is how long python-socketio waits in call().
const callbackTimeout = 60 * time.Second

// callBack emits with an ack. wait sends each client's answer to the process that asked.
func (n *Node) callBack(host string, t callbackTarget, e *Emit) (wait func()) {
	ctx, cancel := context.WithTimeout(n.ctx, callbackTimeout)
	answers := n.local.Gather(ctx, e, func(r Reply) {
		if r.Err != "" || len(r.Attachments) > 0 { // Python has no form for either
			return
		}
		var room, namespace string
		if json.Unmarshal(t.room, &room) != nil || json.Unmarshal(t.namespace, &namespace) != nil {
			return
		}
		n.send(&message{Method: methodCallback, Host: host, SID: &room, Namespace: &namespace, ID: t.id, Args: jsontext.Value(r.Data), Go: &extension{From: n.id}})
	})
	return func() {
		defer cancel()
		answers()
	}
}

// takeOrder does what another process says about sockets.
func (n *Node) takeOrder(m *message) error {
	switch m.Method {
	case methodJoin, methodLeave, methodGoDisconnect:
		a, err := m.audience()
		if err != nil {
			return err
		}
		switch m.Method {
		case methodJoin:
			n.local.Join(a, m.Go.Rooms)
		case methodLeave:
			n.local.Leave(a, m.Go.Rooms)
		default:
			n.local.Disconnect(a, m.Go.Transport)
		}
		return nil
	case methodCloseRoom, methodEnterRoom, methodLeaveRoom, methodDisconnect:
	default: // Python ignores it and says nothing
		return fmt.Errorf("cluster: a message of a newer version, or of somebody who is no Socket.IO server: method %.40q", m.Method)
	}
	namespace, err := m.namespace()
	if err != nil {
		return err
	}
	var room []string
	if m.Method != methodDisconnect {
		if room, err = names(m.Room); err != nil || len(room) != 1 {
			return fmt.Errorf("cluster: %s needs one room: %w", m.Method, err)
		}
	}
	if m.Method == methodCloseRoom {
		n.local.Leave(Audience{Namespace: namespace, Rooms: room}, room)
		return nil
	}
	if m.SID == nil || *m.SID == "" || m.Go == nil && !n.local.Has(namespace, *m.SID) {
		return nil // not ours; what a siokit node took for a socket's id may be a room that looks like one
	}
	a := Audience{Namespace: namespace, Rooms: []string{*m.SID}}
	switch m.Method {
	case methodEnterRoom:
		n.local.Join(a, room)
	case methodLeaveRoom:
		n.local.Leave(a, room)
	case methodDisconnect:
		n.local.Disconnect(a, false)
	}
	return nil
}

// slot takes a place for beside. It reports false when too many questions are being answered already: whoever
// asked will see a silent node.
func (n *Node) slot() bool {
	select {
	case n.slots <- struct{}{}:
		return true
	default:
		n.reject(errors.New("cluster: too many questions at once; this one stays unanswered"))
		return false
	}
}

// beside runs f, which may block, beside the receiver.
func (n *Node) beside(f func()) {
	n.work.Go(func() {
		defer func() { <-n.slots }()
		f()
	})
}

func (n *Node) takeQuestion(m *message) error {
	if m.Method == methodFetch {
		a, err := m.audience()
		if err != nil {
			return err
		}
		if !n.slot() {
			return nil
		}
		n.beside(func() {
			found := n.local.Fetch(a)
			if len(found) > maxList { // whoever asks will name this node as silent, as when the answer were too long
				n.check(fmt.Errorf("cluster: %d sockets to describe; %d are possible: ask for fewer rooms at once", len(found), maxList))
				return
			}
			sockets, err := jsonv2.Marshal(found, jsontext.AllowInvalidUTF8(true))
			n.check(err)
			n.send(&message{Method: methodDone, Go: &extension{To: m.Host, Request: m.Go.Request, Sockets: sockets}})
		})
		return nil
	}
	e, err := m.emit(n.opts.Limits)
	if err != nil {
		return err
	}
	timeout := time.Duration(m.Go.Timeout) * time.Millisecond
	if timeout <= 0 || timeout > time.Hour {
		timeout = n.opts.RequestTimeout
	}
	if !n.slot() {
		return nil
	}
	ctx, cancel := context.WithTimeout(n.ctx, timeout)
	var wait func()
	if m.Method == methodGather {
		wait = n.local.Gather(ctx, e, func(r Reply) { n.reply(m, r) })
	}
	n.beside(func() {
		defer cancel()
		if wait != nil {
			wait()
		} else if r, answered := n.local.ServerEvent(ctx, m.Host, e); m.Go.Request == "" {
			return
		} else if answered {
			n.reply(m, r)
		}
		n.send(&message{Method: methodDone, Go: &extension{To: m.Host, Request: m.Go.Request}})
	})
	return nil
}

func (n *Node) reply(to *message, r Reply) {
	m := &message{Method: methodReply, SID: &r.SID, Go: &extension{To: to.Host, Request: to.Go.Request, Err: r.Err}}
	if r.Err == "" {
		if r.Data == nil {
			r.Data = noData
		}
		m.Data, m.Binary = pack(r.Data, r.Attachments)
	}
	n.send(m)
}

// reply reads an answer.
func (m *message) reply(limits sio.Limits) (r Reply, ok bool) {
	if m.Method != methodReply {
		return r, false
	}
	r.Err = m.Go.Err
	if m.SID != nil {
		r.SID = *m.SID
	}
	if r.Err == "" {
		var err error
		if r.Data, r.Attachments, err = unpack(m.Data, m.Binary, true, limits); err != nil {
			r.Err = err.Error()
		}
	}
	return r, true
}

func (n *Node) takeAnswer(m *message) {
	if m.Go.To != n.id {
		return
	}
	n.mu.Lock()
	r := n.requests[m.Go.Request]
	n.mu.Unlock()
	if r != nil {
		r.answer(m.Host, m, m.Method == methodDone)
	}
}
