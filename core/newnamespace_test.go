package core_test

import (
	"context"
	"testing"

	"github.com/siokit/siokit/core"
)

// Nobody is in a namespace before the OnNamespace functions have returned, also when Of has made it: what they
// register, such as guards, holds for the first client too.
func TestNoClientBeforeOnNamespace(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		told, release := make(chan struct{}), make(chan struct{})
		joined := make(chan struct{}, 1)
		a.OnNamespace(func(ns *core.Namespace) {
			close(told)
			<-release
			ns.Use(func(ctx context.Context) error { return &core.ConnectError{Message: "guarded"} })
		})
		a.Everywhere().OnConnect(func(c *core.Context) error {
			if c.Namespace().Name() == "/late" {
				joined <- struct{}{}
			}
			return nil
		})
		p := a.dial(transport)
		p.join("/", "")
		made := make(chan struct{})
		go func() { a.Of("/late"); close(made) }()
		receive(t, told)
		p.send("0/late,")
		p.wantAlive()
		close(release)
		p.want(`4/late,{"message":"guarded"}`)
		receive(t, made)
		silent(t, joined)
	})
}
