package auth_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/auth"
)

func TestRevokeTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIssuer(auth.Options{})
		at := time.Now()
		s.issue("ann 1", auth.Token{User: "ann", ID: "1", Issued: at})
		s.issue("ann 2", auth.Token{User: "ann", ID: "2", Issued: at})
		s.issue("bob 1", auth.Token{User: "bob", ID: "1", Issued: at})
		connect := func(token string) *socket {
			t.Helper()
			so := newSocket(t, bearing(token))
			if err := s.tokens.Connect(so); err != nil {
				t.Fatal(token, err)
			}
			return so
		}
		one, two, bob := connect("ann 1"), connect("ann 2"), connect("bob 1")
		if n := s.tokens.RevokeToken("ann", "1"); n != 1 {
			t.Errorf("RevokeToken cut %d", n)
		}
		one.cutBy(t, auth.ErrRevoked)
		two.is(t, "ann")
		bob.is(t, "bob")
		if err := s.tokens.Connect(newSocket(t, bearing("ann 1"))); !errors.Is(err, auth.ErrBadToken) {
			t.Errorf("a revoked token: %v", err)
		}
		if err := s.tokens.Refresh(two, "ann 1"); !errors.Is(err, auth.ErrBadToken) {
			t.Errorf("Refresh with a revoked token: %v", err)
		}
		time.Sleep(time.Second)
		if n := s.tokens.Revoke("ann"); n != 1 {
			t.Errorf("Revoke cut %d", n)
		}
		two.cutBy(t, auth.ErrRevoked)
		bob.is(t, "bob")
		if err := s.tokens.Connect(newSocket(t, bearing("ann 2"))); !errors.Is(err, auth.ErrBadToken) {
			t.Errorf("a token from before Revoke: %v", err)
		}
		time.Sleep(time.Second)
		s.issue("ann 3", auth.Token{User: "ann", Issued: time.Now()})
		connect("ann 3").is(t, "ann")
	})
}

// A revoke and a refresh at once: whichever comes first, no socket of a revoked user stays.
func TestRevokeRacesWithTokens(t *testing.T) {
	s := newIssuer(auth.Options{})
	for round := range 100 {
		issued := time.Now()
		for i := range 2 {
			s.issue(fmt.Sprintf("%d %d", round, i), auth.Token{User: "ann", Issued: issued})
		}
		joining, refreshing := newSocket(t, bearing(fmt.Sprintf("%d 0", round))), newSocket(t, bearing(fmt.Sprintf("%d 0", round)))
		if err := s.tokens.Connect(refreshing); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var joined error
		wg.Go(func() { joined = s.tokens.Connect(joining) })
		wg.Go(func() { _ = s.tokens.Refresh(refreshing, fmt.Sprintf("%d 1", round)) })
		wg.Go(func() { s.tokens.Revoke("ann") })
		wg.Wait()
		refreshing.cutBy(t, auth.ErrRevoked)
		if joined == nil {
			joining.cutBy(t, auth.ErrRevoked)
		} else if u, ok := auth.User[*user](joining); ok {
			t.Errorf("a refused socket is %v's", u)
		}
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	if n := s.tokens.Connections(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// A socket that ends while its new token is verified stays nobody's, however good that token is.
func TestRevokeWhileRefreshing(t *testing.T) {
	var tokens *auth.Tokens[*user]
	tokens = auth.NewTokens(
		func(_ context.Context, token string) (auth.Token, error) {
			if token == "new" {
				tokens.Revoke("ann")
			}
			return auth.Token{User: "ann", ID: token, Issued: time.Now().Add(time.Second)}, nil
		},
		func(_ context.Context, id string) (*user, error) { return &user{ID: id}, nil })
	so := newSocket(t, bearing("old"))
	if err := tokens.Connect(so); err != nil {
		t.Fatal(err)
	}
	err := tokens.Refresh(so, "new")
	if !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("Refresh: %v", err)
	}
	so.cutBy(t, auth.ErrRevoked)
	if id := auth.From(so).UserID(); id != "" {
		t.Errorf("the ended socket is %q's", id)
	}
	if n := tokens.Connections(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}
