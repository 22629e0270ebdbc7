package auth

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// maxUnclear is how many checks in a row may fail to find out.
const maxUnclear = 3

// watch asks every Options.Recheck, until ctx ends, whether the login of c still holds. still returns nil, an error
// that wraps ErrUnauthenticated, or any other one if it could not find out.
func (r *realm) watch(ctx context.Context, c *connection, still func(ctx context.Context) error) {
	if r.recheck <= 0 {
		return
	}
	w := &watch{realm: r, ctx: ctx, conn: c, still: still}
	w.mu.Lock() // the timer may fire before it is stored
	w.timer = time.AfterFunc(spread(r.recheck), w.check)
	w.mu.Unlock()
	context.AfterFunc(ctx, w.stop)
}

type watch struct {
	realm   *realm
	ctx     context.Context
	conn    *connection
	still   func(ctx context.Context) error
	unclear int // owned by check, which never runs twice at once

	mu    sync.Mutex
	timer *time.Timer // guarded by mu
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
}

func (w *watch) check() {
	err := w.ask()
	switch {
	case w.ctx.Err() != nil:
		return
	case err == nil:
		w.unclear = 0
	case errors.Is(err, ErrUnauthenticated):
		w.end(ErrRevoked)
		return
	default:
		w.realm.warnOf("auth: a login could not be checked again (Options.Recheck); the third time running its connection is cut",
			w.conn.login.user, err)
		if w.unclear++; w.unclear >= maxUnclear {
			w.end(ErrUnconfirmed)
			return
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx.Err() == nil { // otherwise stop has run or waits for mu
		w.timer.Reset(w.realm.recheck)
	}
}

func (w *watch) end(cause error) {
	w.realm.reg.remove(w.conn)
	w.conn.end(cause)
}

// ask runs the store and the loader, which are the application's, on a goroutine of ours: a panic is no answer.
func (w *watch) ask() (err error) {
	ctx, cancel := context.WithTimeout(w.ctx, min(w.realm.recheck, 10*time.Second))
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("auth: panic in the session store or the loader: %v\n%s", v, debug.Stack())
		}
	}()
	if err := w.still(ctx); err != nil {
		return err
	}
	return ctx.Err()
}

// stillInSession asks the session store by the cookie of the handshake, and then the loader.
func (r *realm) stillInSession(in login, handshake *http.Request) func(ctx context.Context) error {
	if r.recheck <= 0 {
		return nil
	}
	req := &http.Request{Method: http.MethodGet, URL: handshake.URL, Host: handshake.Host, RemoteAddr: handshake.RemoteAddr, Header: http.Header{}}
	for _, cookie := range handshake.CookiesNamed(r.sess.Name()) {
		req.AddCookie(cookie)
	}
	return func(ctx context.Context) error {
		s := r.sess.Open(req.WithContext(ctx))
		if err := s.Err(); err != nil {
			return err
		}
		if got := sessionLogin(s); got.id != in.id {
			return ErrUnauthenticated
		}
		return r.hasAccount(ctx, in.user)
	}
}

func (r *realm) hasAccount(ctx context.Context, user string) error {
	_, err := r.load(ctx, user)
	if errors.Is(err, ErrNoUser) {
		return ErrUnauthenticated
	}
	return err
}

// spread returns a random part of d, so that connections that came together do not ask together.
func spread(d time.Duration) time.Duration {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return time.Duration(binary.NativeEndian.Uint64(b[:])%uint64(d)) + 1
}
