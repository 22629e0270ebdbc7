package authflow_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gorilla "github.com/gorilla/sessions"
	"github.com/gorilla/websocket"
)

// breakingStore is a session store whose server can be lost.
type breakingStore struct {
	gorilla.Store
	fails, hangs atomic.Bool
}

func (s *breakingStore) New(r *http.Request, name string) (*gorilla.Session, error) {
	switch {
	case s.hangs.Load():
		<-r.Context().Done()
		return nil, r.Context().Err()
	case s.fails.Load():
		return nil, errors.New("dial tcp 10.0.0.3:6379: refused")
	}
	return s.Store.New(r, name)
}

// while the session store is lost handshakes are refused with 503, within its timeout of 2 s, and not let in as
// nobody's. Connections that are open do not notice.
func TestStoreOutage(t *testing.T) {
	store := &breakingStore{Store: cookieStore()}
	s := newSite(t, store, nil)
	ann := s.login("ann")
	var open []*tab
	for _, transport := range []string{"polling", "websocket"} {
		p := s.open(transport, ann)
		p.join("/", "")
		s.parked(p)
		open = append(open, p)
	}
	for name, broken := range map[string]*atomic.Bool{"fails": &store.fails, "hangs": &store.hangs} {
		broken.Store(true)
		for _, transport := range []string{"polling", "websocket"} {
			began := time.Now()
			if status := s.do("GET", transport, "", credentials{cookie: ann}); status != http.StatusServiceUnavailable {
				t.Errorf("%s: a %s handshake: %d", name, transport, status)
			}
			if took := time.Since(began); took > 2*time.Second+time.Second*slowness {
				t.Errorf("%s: a %s handshake took %v", name, transport, took)
			}
		}
		for _, p := range open { // their cookie has been seen a moment ago
			p.send(`420["whoami"]`)
			p.want(`30["ann"]`)
		}
		broken.Store(false)
		p := s.open("polling", ann)
		p.join("/", "")
	}
	if strings.Contains(s.log.String(), strings.TrimPrefix(ann, "app=")) {
		t.Error("the log holds a cookie")
	}
}

// a logout between the probe of an upgrade and its end leaves nothing behind, and refuses one that begins later.
func TestLogoutInAnUpgrade(t *testing.T) {
	s := newSite(t, cookieStore(), nil)
	for _, stage := range []string{"opened", "probed"} {
		cookie := s.login("ann")
		p := s.open("polling", cookie)
		p.join("/", "")
		s.parked(p)
		address := "ws" + strings.TrimPrefix(s.ts.URL, "http") + "/socket.io/?EIO=4&transport=websocket&sid=" + p.sid
		ws, _, err := websocket.DefaultDialer.Dial(address, credentials{cookie: cookie}.header())
		if err != nil {
			t.Fatal(err)
		}
		defer ws.Close()
		if stage == "probed" {
			if err := ws.WriteMessage(websocket.TextMessage, []byte("2probe")); err != nil {
				t.Fatal(err)
			}
			if _, b, err := ws.ReadMessage(); err != nil || string(b) != "3probe" {
				t.Fatalf("%q %v", b, err)
			}
		}
		s.visit(cookie, "/logout")
		_ = ws.WriteMessage(websocket.TextMessage, []byte("5"))
		_ = ws.WriteMessage(websocket.TextMessage, []byte(`420["whoami"]`))
		_ = ws.SetReadDeadline(time.Now().Add(patience))
		for {
			_, b, err := ws.ReadMessage()
			if err != nil {
				break
			}
			if text := string(b); strings.HasPrefix(text, "43") {
				t.Errorf("%s: after the logout came %q", stage, text)
			}
		}
		for _, packet := range p.ended() {
			if strings.HasPrefix(packet, "3") {
				t.Errorf("%s: after the logout came %q", stage, packet)
			}
		}
		ws2, resp, err := websocket.DefaultDialer.Dial(address, credentials{cookie: cookie}.header())
		if err == nil {
			ws2.Close()
			t.Errorf("%s: an upgrade after the logout is accepted", stage)
		} else if resp == nil || resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: an upgrade after the logout: %v %v", stage, resp, err)
		}
	}
}

// A-11, two processes over one cookie: what one revokes cuts the other's sockets, here as fast as the wire between them.
func TestRevocationInAnotherProcess(t *testing.T) {
	store := cookieStore()
	here, there := newSite(t, store, nil), newSite(t, store, nil)
	bus := make(chan []byte, 16)
	here.users.OnRevoke(func(data []byte) { bus <- data })
	there.users.OnRevoke(func(data []byte) { t.Errorf("announced again: %s", data) })
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(bus)
	wg.Go(func() {
		for data := range bus {
			if err := there.users.ApplyRevocation(data); err != nil {
				t.Error(err)
			}
		}
	})
	for _, transport := range []string{"polling", "websocket"} {
		cookie := here.login("ann")
		hers, another := there.open(transport, cookie), there.open(transport, there.login("bob"))
		hers.join("/", "")
		there.parked(hers)
		began := time.Now()
		here.visit(cookie, "/logout")
		hers.want(farewell("you were logged out", "logged out"), "1")
		if rest := hers.ended(); len(rest) > 0 {
			t.Errorf("after the end came %q", rest)
		}
		if took := time.Since(began); took > time.Second*slowness {
			t.Errorf("it took %v", took)
		}
		after := there.open(transport, cookie)
		for p, who := range map[*tab]string{after: "nobody", another: "bob"} {
			p.join("/", "")
			p.send(`420["whoami"]`)
			p.want(`30["` + who + `"]`)
		}
	}
}
