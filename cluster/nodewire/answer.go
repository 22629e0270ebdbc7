package nodewire

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/wire/sio"
)

// slot takes a place for beside. It reports false when too many questions are being answered already: whoever
// asked will wait in vain.
func (a *Adapter) slot() bool {
	select {
	case a.slots <- struct{}{}:
		return true
	default:
		a.reject(errors.New("nodewire: too many questions at once; this one stays unanswered"))
		return false
	}
}

// beside runs f, which may block, beside the receiver.
func (a *Adapter) beside(f func()) {
	a.work.Go(func() {
		defer func() { <-a.slots }()
		defer func() {
			if v := recover(); v != nil {
				a.reject(fmt.Errorf("nodewire: panic while answering; please report it: %v\n%s", v, debug.Stack()))
			}
		}()
		f()
	})
}

// responseChannel is where a request is answered.
func (a *Adapter) responseChannel(namespace string, r *request) string {
	if a.opts.SpecificResponses && r.UID != "" {
		return a.names.responseTo(namespace, r.UID)
	}
	return a.names.response(namespace)
}

func (a *Adapter) respond(namespace string, to *request, r *response) {
	a.publishJSON(a.responseChannel(namespace, to), r)
}

// answerQuery tells about our sockets.
func (a *Adapter) answerQuery(namespace string, r *request) {
	of := r.Opts.audience(namespace)
	if r.Opts == nil {
		of.All, of.Rooms = len(r.Rooms) == 0, r.Rooms
	}
	out := &response{RequestID: r.RequestID}
	found := a.local.Fetch(of)
	switch *r.Type {
	case kindAllRooms:
		rooms := make(map[string]bool)
		for _, s := range found {
			rooms[s.ID] = true
			for _, room := range s.Rooms {
				rooms[room] = true
			}
		}
		list := slices.AppendSeq([]string{}, maps.Keys(rooms))
		slices.Sort(list)
		out.Rooms = &list
	default:
		list := make([]jsontext.Value, 0, len(found))
		for _, s := range found {
			var form any = s.ID
			if *r.Type == kindFetch {
				form = told(s)
			}
			v, err := jsonv2.Marshal(form, lenient...)
			if err != nil {
				a.log.Error("nodewire: a socket cannot be told to another server", "sid", s.ID, "error", err)
				continue
			}
			list = append(list, v)
		}
		out.Sockets = &list
	}
	a.respond(namespace, r, out)
}

// answerServerEvent runs the handler. Like a handler in Node that does not call back, one that is not there,
// or fails, leaves whoever asked waiting.
func (a *Adapter) answerServerEvent(r *request, e *cluster.Emit) {
	ctx, cancel := context.WithTimeout(a.ctx, a.opts.RequestTimeout)
	defer cancel()
	got, answered := a.local.ServerEvent(ctx, r.UID, e)
	if !answered || got.Err != "" || r.RequestID == "" {
		return
	}
	out := &response{Type: new(kindServerEmit), RequestID: r.RequestID}
	data, err := plainJSON(got.Data, got.Attachments)
	if err == nil {
		if args, parseErr := sio.ParseArgs(data, sio.Limits{}); parseErr != nil {
			err = parseErr
		} else if len(args) > 0 {
			out.Data = jsontext.Value(args[0])
		}
	}
	if err != nil {
		a.log.Error("nodewire: the answer to a server-to-server event cannot be encoded", "event", e.Event, "error", err)
		return
	}
	a.publishJSON(a.names.response(e.Namespace), out) // never on the specific one
}

// maxWait bounds how long others can make us wait for our clients.
const maxWait = time.Hour

// answerBroadcast asks our clients for another member. That expects first how many they are, and then not more
// answers than that, which wait sends.
func (a *Adapter) answerBroadcast(r *request, e *cluster.Emit) (wait func()) {
	timeout := a.opts.RequestTimeout
	if ms := r.Opts.Flags.Timeout; ms > 0 {
		timeout = time.Duration(min(ms, float64(maxWait/time.Millisecond)) * float64(time.Millisecond))
	}
	clients := a.local.Count(e.Audience)
	a.respond(e.Namespace, r, &response{Type: new(kindClientCount), RequestID: r.RequestID, ClientCount: &clients})
	if clients == 0 {
		return func() {}
	}
	ctx, cancel := context.WithTimeout(a.ctx, timeout)
	channel, sent := a.responseChannel(e.Namespace, r), 0
	answers := a.local.Gather(ctx, e, func(got cluster.Reply) {
		if got.Err != "" || sent == clients { // there is no form for what is wrong
			return
		}
		frame, err := appendAck(appendChannel(nil, channel), r.RequestID, got.Data, got.Attachments)
		if err != nil {
			a.log.Error("nodewire: an ack cannot be passed on", "event", e.Event, "error", err)
			return
		}
		sent++
		a.publishFrame(frame)
	})
	return func() {
		defer cancel()
		answers()
	}
}
