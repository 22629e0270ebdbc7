// Bareserver is the yardstick of internal/bench: a server on gorilla/websocket
// alone that answers the frames the bench sends, and is a Socket.IO server in
// nothing else. It does what a competent user of gorilla/websocket writes: one
// goroutine per connection, started by the handler so that the request can be
// collected, reads; a mutex per connection guards writing; write buffers come
// from a pool; a write has a deadline; one ticker sends all heartbeats; a
// broadcast is a prepared message. It passes the bytes of messages on unparsed,
// the least that anybody can do; with DECODE=1 in the environment it decodes them
// into a struct and encodes that, with encoding/json.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	pingInterval = 25 * time.Second
	pingTimeout  = 20 * time.Second
	writeTimeout = 10 * time.Second
)

// client is one connection.
type client struct {
	ws *websocket.Conn

	mu sync.Mutex // guards writing to ws
}

func (c *client) write(msg []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ws.SetWriteDeadline(time.Now().Add(writeTimeout))
	return c.ws.WriteMessage(websocket.TextMessage, msg)
}

func (c *client) writePrepared(msg *websocket.PreparedMessage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ws.SetWriteDeadline(time.Now().Add(writeTimeout))
	return c.ws.WritePreparedMessage(msg)
}

var upgrader = websocket.Upgrader{
	ReadBufferSize:  4096,
	WriteBufferSize: 4096,
	WriteBufferPool: &sync.Pool{},
	CheckOrigin:     func(*http.Request) bool { return true },
}

func (h *hub) serve(w http.ResponseWriter, r *http.Request) {
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	go h.run(&client{ws: ws})
}

// run serves c until its connection ends.
func (h *hub) run(c *client) {
	h.add(c)
	defer h.remove(c)
	c.ws.SetReadLimit(1_000_000)
	c.ws.SetReadDeadline(time.Now().Add(pingInterval + pingTimeout))
	err := c.write(fmt.Appendf(nil, `0{"sid":"%s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`, newID()))
	for err == nil {
		var msg []byte
		if _, msg, err = c.ws.ReadMessage(); err == nil {
			err = h.handle(c, msg)
		}
	}
}

// handle answers one Engine.IO message.
func (h *hub) handle(c *client, msg []byte) error {
	switch {
	case string(msg) == "3":
		return c.ws.SetReadDeadline(time.Now().Add(pingInterval + pingTimeout))
	case string(msg) == "40":
		return c.write(fmt.Appendf(nil, `40{"sid":"%s"}`, newID()))
	case !bytes.HasPrefix(msg, []byte("42")):
		return fmt.Errorf("unknown message %q", msg)
	}
	list := bytes.IndexByte(msg, '[')
	if list < 0 || msg[len(msg)-1] != ']' {
		return fmt.Errorf("no argument list in %q", msg)
	}
	id := msg[len("42"):list]
	name, arg, _ := bytes.Cut(msg[list+1:len(msg)-1], []byte(","))
	switch string(name) {
	case `"echo"`:
		arg, err := throughStruct(arg)
		if err != nil {
			return err
		}
		reply := make([]byte, 0, len(msg))
		reply = append(append(append(reply, "43"...), id...), '[')
		return c.write(append(append(reply, arg...), ']'))
	case `"join"`:
		h.join(string(arg), c)
		return c.write(fmt.Appendf(nil, `43%s[true]`, id))
	case `"cast"`:
		arg, err := throughStruct(arg)
		if err != nil {
			return err
		}
		return h.broadcast(`"board"`, fmt.Appendf(nil, `42["board",%s]`, arg))
	}
	return fmt.Errorf("unknown event %s", name)
}

// say is what clients send.
type say struct {
	User string `json:"user"`
	N    int    `json:"n"`
	Text string `json:"text"`
}

var decode = os.Getenv("DECODE") == "1"

// throughStruct decodes a message and encodes it again, if that is asked for.
func throughStruct(arg []byte) ([]byte, error) {
	if !decode {
		return arg, nil
	}
	var s say
	if err := json.Unmarshal(arg, &s); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// newID returns an id of 20 characters, as the other servers make them.
func newID() string {
	var b [15]byte
	rand.Read(b[:])
	return base64.URLEncoding.EncodeToString(b[:])
}

func main() {
	ln, err := net.Listen("tcp", os.Getenv("ADDR"))
	if err != nil {
		log.Fatalf("bareserver: %v (set ADDR, to 127.0.0.1:0 for any port)", err)
	}
	h := newHub()
	go h.heartbeat()
	mux := http.NewServeMux()
	mux.HandleFunc("/socket.io/", h.serve)
	mux.HandleFunc("/gc", func(w http.ResponseWriter, _ *http.Request) {
		debug.FreeOSMemory()
		io.WriteString(w, "ok")
	})
	go func() { log.Fatalf("bareserver: %v", http.Serve(ln, mux)) }()
	fmt.Println(ln.Addr(), "gorilla/websocket", libraryVersion())
	// The bench holds the other end: whatever becomes of it, this process goes too.
	io.Copy(io.Discard, os.Stdin)
}

func libraryVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/gorilla/websocket" {
				return m.Version
			}
		}
	}
	return "of unknown version"
}
