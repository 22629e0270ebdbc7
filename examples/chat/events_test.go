package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

type m = map[string]any

func decode[T any](t *testing.T, data string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(data), &v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return v
}

func wantJSON(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %s, want %s", what, got, want)
	}
}

func wantCode(t *testing.T, what, ack, code string) {
	t.Helper()
	e := decode[struct {
		Error struct{ Code, Message string }
	}](t, ack).Error
	if e.Code != code || e.Message == "" {
		t.Errorf("%s: got %s, want an error with code %q", what, ack, code)
	}
}

func TestConnectWithoutLoginIsRefused(t *testing.T) {
	guest := newBrowser(t, serve(t, randomKey(t)))
	_, answer := guest.open()
	refusal, ok := strings.CutPrefix(answer, "44")
	if !ok {
		t.Fatalf("got %q, want a CONNECT_ERROR", answer)
	}
	got := decode[struct {
		Message string
		Data    struct{ Code int }
	}](t, refusal)
	if got.Message != "please log in" || got.Data.Code != 401 {
		t.Errorf("refused with %s", refusal)
	}
}

func TestSaying(t *testing.T) {
	base := serve(t, randomKey(t))
	ann, bob := as(t, base, "ann").connect(), as(t, base, "bob").connect()
	wantJSON(t, "whoami", ann.call("whoami"), `{"name":"ann"}`)
	wantJSON(t, "whoami", bob.call("whoami"), `{"name":"bob"}`)

	wantCode(t, "say before join", ann.call("say", m{"room": "lobby", "text": "hello"}), "not_joined")
	wantJSON(t, "empty history", ann.call("history", m{"room": "lobby"}), `[]`)
	wantJSON(t, "first join", ann.call("join", m{"room": "lobby"}), `{"members":1}`)
	wantJSON(t, "second join", bob.call("join", m{"room": "lobby"}), `{"members":2}`)
	wantJSON(t, "members", ann.next("members"), `{"room":"lobby","members":2}`)
	wantJSON(t, "joining again", bob.call("join", m{"room": "lobby"}), `{"members":2}`)

	before := time.Now()
	ann.emit("", "typing", m{"room": "lobby"})
	id := decode[Said](t, ann.call("say", m{"room": "lobby", "text": " hello <b>bob</b> "})).ID
	wantJSON(t, "typing", bob.next("typing", "said"), `{"room":"lobby","from":"ann"}`)
	for name, s := range map[string]*rawSocket{"ann": ann, "bob": bob} {
		said := decode[Message](t, s.next("said", "typing"))
		if said.ID != id || said.Room != "lobby" || said.From != "ann" || said.Text != "hello <b>bob</b>" {
			t.Errorf("%s heard %+v", name, said)
		}
		if said.At.Before(before.Add(-time.Second)) || said.At.After(time.Now().Add(time.Second)) {
			t.Errorf("%s heard it at %v, it was said at %v", name, said.At, before)
		}
	}
	past := decode[[]Message](t, bob.call("history", m{"room": "lobby"}))
	if len(past) != 1 || past[0].ID != id || past[0].Text != "hello <b>bob</b>" {
		t.Errorf("history: %+v", past)
	}

	// Another room hears nothing: what bob says last is what ann hears next.
	bob.call("join", m{"room": "kitchen"})
	bob.call("say", m{"room": "kitchen", "text": "not for ann"})
	bob.call("say", m{"room": "lobby", "text": "for ann"})
	if said := decode[Message](t, ann.next("said")); said.Text != "for ann" || said.ID <= id {
		t.Errorf("ann heard %+v", said)
	}
}

func TestBadArguments(t *testing.T) {
	ann := as(t, serve(t, randomKey(t)), "ann").connect()
	ann.call("join", m{"room": "lobby"})
	for _, text := range []string{"", " \n\t ", strings.Repeat("ä", maxText+1)} {
		wantCode(t, "text of "+text[:min(len(text), 9)], ann.call("say", m{"room": "lobby", "text": text}), "bad_text")
	}
	if id := decode[Said](t, ann.call("say", m{"room": "lobby", "text": strings.Repeat("ä", maxText)})).ID; id == 0 {
		t.Error("a text of exactly the longest length is refused")
	}
	for _, room := range []string{"", "-", "a b", "../x", "chat:lobby", "a\n", strings.Repeat("r", 33)} {
		for _, event := range []string{"join", "history", "say"} {
			wantCode(t, event+" "+room, ann.call(event, m{"room": room, "text": "x"}), "bad_room")
		}
	}
	for i := range maxJoined - 1 {
		ann.call("join", m{"room": "r" + strings.Repeat("x", i)})
	}
	wantCode(t, "one room too many", ann.call("join", m{"room": "full"}), "too_many_rooms")
	wantJSON(t, "a room joined already", ann.call("join", m{"room": "lobby"}), `{"members":1}`)
}

func TestOnline(t *testing.T) {
	base := serve(t, randomKey(t))
	ann := as(t, base, "ann")
	tab := ann.connect()
	wantJSON(t, "alone", tab.next("online"), `["ann"]`)
	second := ann.connect()
	wantJSON(t, "two tabs are one name", tab.next("online"), `["ann"]`)
	bob := as(t, base, "bob").connect()
	wantJSON(t, "with bob", tab.next("online"), `["ann","bob"]`)
	second.ws.Close()
	wantJSON(t, "one tab is left", tab.next("online"), `["ann","bob"]`)
	bob.ws.Close()
	wantJSON(t, "bob has left", tab.next("online"), `["ann"]`)
}

func TestAnnouncement(t *testing.T) {
	base := serve(t, randomKey(t))
	newBrowser(t, base).want(http.StatusUnauthorized, "POST", "/announce", "text", "anonymous")
	ann, bob := as(t, base, "ann"), as(t, base, "bob")
	heard := bob.connect()
	ann.want(http.StatusBadRequest, "POST", "/announce", "text", "  ")
	ann.want(http.StatusBadRequest, "POST", "/announce", "text", strings.Repeat("x", 281))
	ann.wantLargeFormRefused("/announce", "too large")
	ann.want(http.StatusNoContent, "POST", "/announce", "text", "lunch")
	wantJSON(t, "announcement", heard.next("announcement"), `{"from":"ann","text":"lunch"}`)
}

// Logout ends all sockets of that login, and no others: neither bob's nor those of ann's phone.
func TestLogoutEndsSockets(t *testing.T) {
	base := serve(t, randomKey(t))
	laptop, phone := as(t, base, "ann"), as(t, base, "ann")
	tabs := []*rawSocket{laptop.connect(), laptop.connect()}
	onPhone, bob := phone.connect(), as(t, base, "bob").connect()
	laptop.want(http.StatusSeeOther, "POST", "/logout")
	for _, tab := range tabs {
		tab.waitEnd()
	}
	wantJSON(t, "ann's phone", onPhone.call("whoami"), `{"name":"ann"}`)
	wantJSON(t, "bob", bob.call("whoami"), `{"name":"bob"}`)
	if _, answer := laptop.open(); !strings.HasPrefix(answer, "44") {
		t.Errorf("a socket after logout got %q, want a CONNECT_ERROR", answer)
	}

	phone.want(http.StatusSeeOther, "POST", "/logout")
	onPhone.waitEnd()
	for bob.next("online") != `["bob"]` { // the list forgets ann, although she is nobody by then
	}
}
