package auth_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
)

// memoryStore keeps sessions in a map and counts what it is asked.
type memoryStore struct {
	gorilla.Store // a cookie store: it makes the cookie's value, which names the record by its content
	reads         atomic.Int64
	fail          atomic.Bool
	panics        atomic.Bool
	gone          atomic.Bool

	mu    sync.Mutex
	times []time.Time // of reads; guarded by mu
}

func newMemoryStore() *memoryStore { return &memoryStore{Store: gorilla.NewCookieStore(testKey)} }

func (s *memoryStore) New(r *http.Request, name string) (*gorilla.Session, error) {
	s.reads.Add(1)
	s.mu.Lock()
	s.times = append(s.times, time.Now())
	s.mu.Unlock()
	if s.panics.Load() {
		panic("store")
	}
	if s.fail.Load() {
		return nil, errDatabase
	}
	if s.gone.Load() {
		return gorilla.NewSession(s, name), nil
	}
	return s.Store.New(r, name)
}

// A-11b: an ended session is noticed within the interval plus one, although nobody in this process ended it.
func TestRecheck(t *testing.T) {
	for name, end := range map[string]func(*memoryStore, *app){
		"session gone": func(s *memoryStore, _ *app) { s.gone.Store(true) },
		"account gone": func(_ *memoryStore, a *app) { a.failWith(auth.ErrNoUser) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemoryStore()
				a := newApp(t, store, auth.Options{Recheck: time.Second})
				cookie, _ := a.visit("", "/login?id=ann")
				c, guest := a.connect(cookie), a.connect("")
				time.Sleep(2 * time.Second)
				c.open(t)
				end(store, a)
				time.Sleep(time.Second)
				synctest.Wait()
				c.cutBy(t, auth.ErrRevoked)
				guest.open(t)
				if n := a.users.Connections(); n != 0 {
					t.Errorf("%d connections are left", n)
				}
				asked := store.reads.Load()
				time.Sleep(time.Minute)
				if store.reads.Load() != asked {
					t.Error("a connection that was cut is still checked")
				}
			})
		})
	}
}

// Each connection asks once in an interval, and connections that came together do not ask together.
func TestRecheckIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemoryStore()
		a := newApp(t, store, auth.Options{Recheck: 10 * time.Second})
		cookie, _ := a.visit("", "/login?id=ann")
		const tabs, intervals = 200, 5
		conns := make([]*connection, tabs)
		for i := range conns {
			conns[i] = a.connect(cookie)
		}
		start := time.Now()
		store.mu.Lock()
		store.times = nil
		store.mu.Unlock()
		time.Sleep(intervals * 10 * time.Second)
		synctest.Wait()
		var bySecond [10]int
		for _, at := range store.times {
			bySecond[int(at.Sub(start)/time.Second)%10]++
		}
		if len(store.times) > tabs*intervals || len(store.times) < tabs*(intervals-1) {
			t.Errorf("%d reads for %d connections in %d intervals", len(store.times), tabs, intervals)
		}
		if busiest := slices.Max(bySecond[:]); busiest > 3*len(store.times)/10 {
			t.Errorf("reads by second of the interval: %v", bySecond)
		}
		for _, c := range conns {
			c.open(t)
			c.close()
		}
		synctest.Wait()
		asked := store.reads.Load()
		time.Sleep(time.Minute)
		if store.reads.Load() != asked {
			t.Error("closed connections are still checked")
		}
	})
}

// Two failures in a row are forgiven, three are not, and a panic is a failure.
func TestRecheckFailsClosed(t *testing.T) {
	for name, breaks := range map[string]func(s *memoryStore, a *app, broken bool){
		"store":  func(s *memoryStore, _ *app, broken bool) { s.fail.Store(broken) },
		"panic":  func(s *memoryStore, _ *app, broken bool) { s.panics.Store(broken) },
		"loader": func(_ *memoryStore, a *app, broken bool) { a.failWith(map[bool]error{true: errDatabase}[broken]) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemoryStore()
				a := newApp(t, store, auth.Options{Recheck: time.Second})
				cookie, _ := a.visit("", "/login?id=ann")
				c := a.connect(cookie)
				time.Sleep(time.Second)
				breaks(store, a, true)
				time.Sleep(2 * time.Second)
				breaks(store, a, false)
				time.Sleep(time.Second)
				synctest.Wait()
				c.open(t)
				breaks(store, a, true)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				c.open(t)
				time.Sleep(time.Second)
				synctest.Wait()
				c.cutBy(t, auth.ErrUnconfirmed)
			})
		})
	}
}

// A loader that hangs is a failure after the interval, and does not outlive its connection.
func TestRecheckHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := auth.NewTokens(
			func(_ context.Context, token string) (auth.Token, error) { return auth.Token{User: token}, nil },
			func() func(context.Context, string) (*user, error) {
				var calls atomic.Int64
				return func(ctx context.Context, id string) (*user, error) {
					if calls.Add(1) > 2 {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					return &user{ID: id}, nil
				}
			}(), auth.Options{Recheck: time.Second})
		a, b := newSocket(t, bearing("ann")), newSocket(t, bearing("bob"))
		for _, s := range []*socket{a, b} {
			if err := tokens.Connect(s); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(1500 * time.Millisecond)
		b.cut(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if cause := context.Cause(a); !errors.Is(cause, auth.ErrUnconfirmed) {
			t.Errorf("ended by %v", cause)
		}
	})
}

// The account of a caller with a token is looked for as well.
func TestRecheckOfTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIssuer(auth.Options{Recheck: time.Second})
		s.issue("ann", auth.Token{User: "ann"})
		s.issue("ann 2", auth.Token{User: "ann"})
		so := newSocket(t, bearing("ann"))
		if err := s.tokens.Connect(so); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if err := s.tokens.Refresh(so, "ann 2"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		so.is(t, "ann")
		s.gone.Store(true)
		time.Sleep(time.Second)
		synctest.Wait()
		so.cutBy(t, auth.ErrRevoked)
	})
}

func TestRecheckOptionIsChecked(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "Recheck") {
			t.Errorf("panic %q", text)
		}
	}()
	newApp(t, newMemoryStore(), auth.Options{Recheck: -1})
}
