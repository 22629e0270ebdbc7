package ginsio_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/ginsio"
	"github.com/siokit/siokit/siotest"
)

const polling = "?EIO=4&transport=polling"

// everyTransport speaks polling, WebSocket and the upgrade of one to the other through path.
func everyTransport(t *testing.T, s *site, path string, opts ...siotest.Option) {
	t.Helper()
	for _, transports := range [][]string{{"websocket"}, {"polling"}, {"polling", "websocket"}} {
		c := s.Dial(append(opts, siotest.Path(path), siotest.Transports(transports...))...)
		for deadline := time.Now().Add(patience); ; {
			if got := siotest.Call[string](c, "echo", path); got != path {
				t.Fatalf("%s over %s came back as %q", path, transports, got)
			}
			if c.Transport() == transports[len(transports)-1] {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: no upgrade", path)
			}
		}
	}
}

func echoServer(t *testing.T, cfg core.Config) *core.Server {
	srv := newServer(t, cfg)
	core.OnCall(srv, "echo", func(_ *core.Context, in string) (string, error) { return in, nil })
	return srv
}

func TestMount(t *testing.T) {
	for name, mount := range map[string]func(r *gin.Engine, srv *core.Server) (path string){
		"engine": func(r *gin.Engine, srv *core.Server) string {
			ginsio.Mount(r, "/socket.io/", srv)
			return "/socket.io/"
		},
		"no last slash": func(r *gin.Engine, srv *core.Server) string { ginsio.Mount(r, "/socket.io", srv); return "/socket.io" },
		"group": func(r *gin.Engine, srv *core.Server) string {
			ginsio.Mount(r.Group("/a/:b"), "/socket.io/", srv)
			return "/a/x/socket.io/"
		},
		"logger, recovery": func(r *gin.Engine, srv *core.Server) string {
			r.Use(gin.Logger(), gin.Recovery())
			ginsio.Mount(r, "/socket.io/", srv)
			return "/socket.io/"
		},
		"unwrap only": func(r *gin.Engine, srv *core.Server) string {
			r.Use(ginsio.Middleware(plainWrapper))
			ginsio.Mount(r, "/socket.io/", srv)
			return "/socket.io/"
		},
		"gzip writer": func(r *gin.Engine, srv *core.Server) string {
			r.Use(ginsio.Middleware(gzipped))
			ginsio.Mount(r, "/socket.io/", srv)
			return "/socket.io/"
		},
		"gin's own writer": func(r *gin.Engine, srv *core.Server) string {
			r.Use(ginWrapper)
			ginsio.Mount(r, "/socket.io/", srv)
			return "/socket.io/"
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := echoServer(t, core.Config{})
			router := gin.New()
			path := mount(router, srv)
			s := start(t, router, srv)
			everyTransport(t, s, path)
			if other := strings.TrimSuffix(path, "/"); other != path {
				everyTransport(t, s, other)
			} else {
				everyTransport(t, s, path+"/")
			}
			if status, _, _ := s.do("GET", path+"nothing", ""); status != 404 {
				t.Errorf("below the endpoint: %d", status)
			}
		})
	}
}

// statusWriter is what net/http middleware for metrics looks like.
type statusWriter struct {
	http.ResponseWriter
	status *int
}

func (w statusWriter) WriteHeader(code int)        { *w.status = code; w.ResponseWriter.WriteHeader(code) }
func (w statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func plainWrapper(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(statusWriter{w, new(int)}, r) })
}

type gzipWriter struct {
	http.ResponseWriter
	z *gzip.Writer
}

func (w *gzipWriter) Write(p []byte) (int, error) {
	if w.z == nil {
		w.Header().Del("Content-Length")
		w.Header().Set("Content-Encoding", "gzip")
		w.z = gzip.NewWriter(w.ResponseWriter)
	}
	return w.z.Write(p)
}

func (w *gzipWriter) WriteHeader(code int) {
	w.Header().Del("Content-Length")
	if code == 200 {
		w.Header().Set("Content-Encoding", "gzip")
		w.z = gzip.NewWriter(w.ResponseWriter)
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *gzipWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func gzipped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g := &gzipWriter{ResponseWriter: w}
		next.ServeHTTP(g, r)
		if g.z != nil {
			_ = g.z.Close()
		}
	})
}

type ginWriter struct{ gin.ResponseWriter }

func (w ginWriter) Write(p []byte) (int, error) { return w.ResponseWriter.Write(p) }

func ginWrapper(c *gin.Context) {
	c.Writer = ginWriter{c.Writer}
	c.Next()
}

func TestClientFiles(t *testing.T) {
	srv := newServer(t, core.Config{Client: fstest.MapFS{"socket.io.js": {Data: []byte("io()")}, "secret.js": {Data: []byte("no")}}})
	router := gin.New()
	ginsio.Mount(router, "/socket.io/", srv)
	s := start(t, router, srv)
	if status, body, h := s.do("GET", "/socket.io/socket.io.js", ""); status != 200 || body != "io()" || !strings.HasPrefix(h.Get("Content-Type"), "text/javascript") {
		t.Errorf("%d %q %v", status, body, h)
	}
	for _, path := range []string{"/socket.io/secret.js", "/socket.io/socket.io.min.js", "/socket.io/..%2fsocket.io.js", "/socket.io/x/socket.io.js"} {
		if status, _, _ := s.do("GET", path, ""); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
}

// The endpoint is behind the group's middleware.
func TestMiddlewareRefusesTheHandshake(t *testing.T) {
	srv := echoServer(t, core.Config{})
	router := gin.New()
	ginsio.Mount(router.Group("/", func(c *gin.Context) {
		if c.GetHeader("Token") != "good" {
			c.AbortWithStatusJSON(401, gin.H{"error": "log in"})
		}
	}), "/socket.io/", srv)
	s := start(t, router, srv)
	if status, body, _ := s.do("GET", "/socket.io/"+polling, ""); status != 401 || body != `{"error":"log in"}` {
		t.Errorf("polling: %d %s", status, body)
	}
	if err := s.DialError(); !strings.Contains(err.Error(), "401") {
		t.Errorf("websocket: %v", err)
	}
	everyTransport(t, s, "/socket.io/", siotest.Header("Token", "good"))
	if n := len(srv.Sockets()); n != 3 {
		t.Errorf("%d sockets", n)
	}
}

type requestKey struct{}

// What gin knew at the handshake is seen by handlers for as long as the socket lives, and never
// what it knew about another request: gin reuses its contexts.
func TestValuesOfTheHandshake(t *testing.T) {
	srv := newServer(t, core.Config{})
	seen := func(c *core.Context) string {
		user, ok := ginsio.Get[string](c, "user")
		_, wrongType := ginsio.Get[int](c, "user")
		return fmt.Sprint(user, ok, wrongType, ginsio.Param(c, "room"), ginsio.Param(c, "none"), c.Value(requestKey{}), c.Handshake().RemoteIP, c.Value("absent"))
	}
	srv.OnConnect(func(c *core.Context) error { return c.Emit("seen", seen(c)) })
	core.OnCall(srv, "seen", func(c *core.Context, _ core.None) (string, error) { return seen(c), nil })
	router := gin.New()
	if err := router.SetTrustedProxies([]string{"127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	router.Use(func(c *gin.Context) {
		user := c.GetHeader("User")
		c.Set("user", user)
		c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), requestKey{}, "request of "+user))
	})
	router.GET("/other", func(c *gin.Context) { c.Set("user", "mallory"); c.String(200, "ok") })
	ginsio.Mount(router.Group("/:room"), "/socket.io/", srv)
	s := start(t, router, srv)
	var users sync.WaitGroup
	for i := range 8 {
		users.Go(func() {
			user, ip := fmt.Sprintf("user%d", i), fmt.Sprintf("10.0.0.%d", i)
			want := fmt.Sprint(user, true, false, "r"+user, "", "request of "+user, ip, nil)
			path := "/r" + user + "/socket.io/"
			c := s.Dial(siotest.Path(path), siotest.Header("User", user), siotest.Header("X-Forwarded-For", ip),
				siotest.Query("lastsid", "7"), siotest.Query("sid", "")) // names like "sid", and no sid
			if got := siotest.Next[string](c, "seen"); got != want {
				t.Errorf("on connect: %s, want %s", got, want)
			}
			session := s.open(path+polling, "User", user, "X-Forwarded-For", ip)
			s.post(session, "40", "User", "mallory")
			s.poll(session, `40{"sid":"*"}`+"\x1e"+fmt.Sprintf(`42["seen",%q]`, want), "User", "mallory")
			for range 20 {
				if status, _, _ := s.do("GET", "/other", ""); status != 200 {
					t.Error(status)
				}
				if got := siotest.Call[string](c, "seen"); got != want {
					t.Errorf("later: %s, want %s", got, want)
				}
				s.post(session, `422["seen"]`, "User", "mallory")
				s.poll(session, fmt.Sprintf(`432[%q]`, want), "User", "mallory")
			}
		})
	}
	users.Wait()
}

func TestEmitFromAnHTTPHandler(t *testing.T) {
	srv := newServer(t, core.Config{})
	core.On(srv, "join", func(c *core.Context, room string) error { return c.Join(room) })
	router := gin.New()
	ginsio.Mount(router, "/socket.io/", srv)
	router.POST("/orders/:id", func(c *gin.Context) {
		body, _ := io.ReadAll(c.Request.Body)
		if err := srv.To("order:"+c.Param("id")).Emit("paid", string(body)); err != nil {
			c.String(500, err.Error())
		}
	})
	s := start(t, router, srv)
	c := s.Dial()
	siotest.Call[client.None](c, "join", "order:7")
	for _, id := range []string{"8", "7"} {
		if status, body, _ := s.do("POST", "/orders/"+id, "by "+id); status != 200 {
			t.Errorf("%d %s", status, body)
		}
	}
	if got := siotest.Next[string](c, "paid"); got != "by 7" {
		t.Errorf("paid %s", got)
	}
}
