package main

import (
	"context"
	"net/http"
	"os"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/sessions"
)

// openSockets makes the Socket.IO server. Its handlers read the session that the routes write: the same store, the
// same cookie, the same key "user".
func (s *shop) openSockets() error {
	sess, err := sessions.New(s.cookies, "shop", sessions.Options{})
	if err != nil {
		return err
	}
	s.sockets, err = core.New(core.Config{
		Client:   os.DirFS("node_modules/socket.io-client/dist"),
		Sessions: sess,
		// Who sends each HTTP request of a connection: nobody else's cookie can continue it.
		Authenticate: func(r *http.Request) (context.Context, string, error) {
			session := sess.Open(r)
			name, _ := session.Get("user").(string)
			return r.Context(), name, session.Err()
		},
	})
	if err != nil {
		return err
	}
	s.sockets.OnConnect(func(c *core.Context) error {
		name, ok := sessions.Get[string](c, "user")
		if !ok {
			return &core.ConnectError{Message: "please log in", Data: map[string]int{"code": 401}}
		}
		return c.Join("user:" + name)
	})
	core.OnCall(s.sockets, "whoami", func(c *core.Context, _ core.None) (string, error) {
		name, _ := sessions.Get[string](c, "user")
		return name, nil
	})
	return nil
}

// disconnect ends the sockets of a user, on all devices.
func (s *shop) disconnect(name string) {
	for _, socket := range s.sockets.To("user:" + name).Sockets() {
		socket.DisconnectAll() // the connection: its copy of the session still says who it was
	}
}
