package siotest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/siotest"
)

// inTest runs an example as go test runs a test, and prints why it has failed.
func inTest(test func(t testing.TB)) {
	r := &recorder{}
	failed, _, _ := strings.Cut(r.run(func() { test(r) }), "\nhandlers that are still running:") // some have not returned yet
	if failed != "" {
		fmt.Println(failed)
	}
}

// newApp is an application: a login that sets a cookie, and sockets that want it.
func newApp() (router http.Handler, sockets *core.Server) {
	srv, err := core.New(core.Config{})
	if err != nil {
		panic(err)
	}
	srv.OnConnect(func(c *core.Context) error {
		name, err := c.Handshake().Cookie("name")
		if err != nil {
			return &core.ConnectError{Message: "please log in", Data: map[string]int{"code": 401}}
		}
		core.SetData(c, name.Value)
		return nil
	})
	core.On(srv, "say", func(c *core.Context, text string) error {
		name, _ := core.Data[string](c)
		return srv.Emit("said", name, text)
	})
	core.OnCall(srv, "shout", func(c *core.Context, text string) (string, error) {
		quiet, err := core.Call[bool](c, "is it late?")
		if quiet || err != nil {
			return "", &core.Error{Code: "quiet_hours", Message: "people are asleep"}
		}
		return text + "!", nil
	})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "name", Value: r.FormValue("name"), Path: "/"})
	})
	core.Mount(mux, "/socket.io/", srv)
	return mux, srv
}

// A test logs in, connects and talks. In yours, inTest is func TestSay(t *testing.T).
func Example() {
	inTest(func(t testing.TB) {
		router, sockets := newApp()
		ts := siotest.Serve(t, router, sockets)

		jar := siotest.Jar()
		ts.PostForm(jar, "/login", url.Values{"name": {"ann"}})
		ann := ts.Dial(siotest.Cookies(jar))

		ann.Emit("say", "hello")
		said := siotest.Next[client.Args2[string, string]](ann, "said")
		fmt.Printf("%s: %s\n", said.A, said.B)
	})
	// Output: ann: hello
}

// The one who is not logged in.
func ExampleServer_Refused() {
	inTest(func(t testing.TB) {
		router, sockets := newApp()
		refused := siotest.Serve(t, router, sockets).Refused()
		fmt.Printf("%s, %s\n", refused.Message, refused.Data)
	})
	// Output: please log in, {"code":401}
}

// A client that answers what the server asks.
func ExampleCallError() {
	inTest(func(t testing.TB) {
		router, sockets := newApp()
		ann := siotest.Serve(t, router, sockets).Dial(siotest.Header("Cookie", "name=ann"))

		late := true
		client.OnCall(ann, "is it late?", func(context.Context, client.None) (bool, error) { return late, nil })
		fmt.Println(siotest.CallError(ann, "shout", "hello").Code)
		late = false
		fmt.Println(siotest.Call[string](ann, "shout", "hello"))
	})
	// Output:
	// quiet_hours
	// hello!
}

// A failure says what did arrive. Waiting for it takes 10 s, unless in a bubble of testing/synctest; this one
// is there as soon as the event is.
func ExampleExpectNone() {
	inTest(func(t testing.TB) {
		router, sockets := newApp()
		ts := siotest.Serve(t, router, sockets)
		ts.Quiet = time.Minute // a busy machine may need longer than the usual 50 ms
		ann := ts.Dial(siotest.Header("Cookie", "name=ann"))
		ann.Emit("say", "hello")
		siotest.ExpectNone(ann, "said")
	})
	// Output:
	// siotest: unexpected event in /: said "ann" "hello"
	// arrived and not asked for: nothing
	// taken before:
	// 	said "ann" "hello"
}
