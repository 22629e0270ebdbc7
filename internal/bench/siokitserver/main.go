// Siokitserver is siokit as internal/bench measures it: the default
// configuration, and handlers as an application would write them. With DECODE=1 in
// the environment they get messages decoded into a struct, else as JSON text. With REDIS=host:port it is one of several.
// With SESSION=2ms every handshake looks for a session that long.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/siokit/siokit/cluster/redisbus"
	"github.com/siokit/siokit/core"
)

// say is what clients send.
type say struct {
	User string `json:"user"`
	N    int    `json:"n"`
	Text string `json:"text"`
}

// answer registers the handlers of messages that are taken as a T.
func answer[T any](srv *core.Server) {
	core.OnCall(srv, "echo", core.Plain(func(_ context.Context, in T) (T, error) { return in, nil }))
	core.On(srv, "cast", func(_ *core.Context, in T) error { return srv.To("board").Emit("board", in) })
}

func main() {
	ln, err := net.Listen("tcp", os.Getenv("ADDR"))
	if err != nil {
		log.Fatalf("siokitserver: %v (set ADDR, to 127.0.0.1:0 for any port)", err)
	}
	var cfg core.Config
	if addr := os.Getenv("REDIS"); addr != "" {
		cfg.Bus = redisbus.New(redis.NewClient(&redis.Options{Addr: addr}), redisbus.Options{})
	}
	if text := os.Getenv("SESSION"); text != "" {
		lookup, err := time.ParseDuration(text)
		if err != nil {
			log.Fatalf("siokitserver: SESSION: %v", err)
		}
		cfg.Authenticate = func(r *http.Request) (context.Context, string, error) {
			time.Sleep(lookup)
			return r.Context(), "", nil
		}
	}
	srv, err := core.New(cfg)
	if err != nil {
		log.Fatalf("siokitserver: %v", err)
	}
	if os.Getenv("DECODE") == "1" {
		answer[say](srv)
	} else {
		answer[json.RawMessage](srv)
	}
	core.OnCall(srv, "join", func(c *core.Context, room string) (bool, error) { return true, c.Join(room) })

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.HandleFunc("/gc", func(w http.ResponseWriter, _ *http.Request) {
		debug.FreeOSMemory()
		io.WriteString(w, "ok")
	})
	go func() { log.Fatalf("siokitserver: %v", http.Serve(ln, mux)) }()
	fmt.Println(ln.Addr(), "siokit of this tree")
	// The bench holds the other end: whatever becomes of it, this process goes too.
	io.Copy(io.Discard, os.Stdin)
}
