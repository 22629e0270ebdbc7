package core

import (
	"context"
	"errors"
)

// MapError adds a function that decides what clients of this namespace are told when a handler, a
// guard or middleware of an event fails, or a connection is refused: it gets the error and returns
// the one to be shown, or nil to leave that to the next function, then to those of Everywhere, then
// to the rules of Error. OnError still gets the error itself.
//
//	ns.MapError(func(c *core.Context, err error) error {
//		if errors.Is(err, sql.ErrNoRows) {
//			return &core.Error{Code: "not_found", Message: "there is no such thing"}
//		}
//		return nil
//	})
//
// It is given every error, also those made for clients, *ArgumentError and *PanicError: what it
// returns for a panic answers the ack, which otherwise stays unanswered. With AnswerWith the ack
// needs not be an {"error": ...}, as with the return value of Flask-SocketIO's error handlers.
// It runs for several clients at the same time.
func (ns *Namespace) MapError(f func(c *Context, err error) error) { ns.set.mapError(f) }

func (hs *handlerSet) mapError(f func(*Context, error) error) {
	hs.refuseNil(f == nil, "MapError")
	hs.change(func(r *registered) { r.mapError = append(r.mapError, f) })
}

var errLate = &Error{Code: "timeout", Message: "the server did not finish in time"}

// shown returns what the client is told of err. mapped is true if a function has said so.
func (ns *Namespace) shown(c *Context, err error) (shown error, mapped bool) {
	for _, set := range [...]*handlerSet{ns.set, ns.srv.everywhere} {
		for _, f := range set.load().mapError {
			failed := protect(func() error { shown = f(c, err); return nil })
			if failed != nil {
				ns.report(c, failed)
			} else if shown != nil {
				return shown, true
			}
		}
	}
	late := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrTimeout)
	if late && c.late() && !isForClient(err) {
		return errLate, false
	}
	return err, false
}

// AnswerWith returns an error that is none: it answers the ack with the arguments, as if the handler
// had returned them. Middleware returns it instead of calling next, for example with an answer that
// it has kept, and MapError in place of an error. It is not reported to OnError. In a refusal of
// a connection it has no meaning.
func AnswerWith(args ...any) error { return &answerError{args} }

type answerError struct{ args []any }

func (*answerError) Error() string { return "core: AnswerWith answers events only" }

func isAnswer(err error) bool {
	_, ok := errors.AsType[*answerError](err)
	return ok
}
