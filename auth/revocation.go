package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// revocation is one act of ending logins before their time.
type revocation struct {
	kind  string    // what ends: one of the following
	user  string    // of endLogin and endUser
	id    string    // of endLogin and endSession
	began time.Time // endUser: logins from then or before
	until time.Time // when no login that it ends can be alive by itself
	cause error
	brief bool // it is only about handshakes that run now
}

const (
	endLogin   = "login"
	endUser    = "user"
	endSession = "session"
)

// announcement is a revocation as other processes get it.
type announcement struct {
	Version int    `json:"v"`
	Kind    string `json:"kind"`
	User    string `json:"user,omitempty"`
	ID      string `json:"id,omitempty"`
	Began   int64  `json:"began,omitempty"` // nanoseconds since 1970, as Until
	Until   int64  `json:"until"`
	Reason  string `json:"reason"`
}

// maxAnnouncement bounds an announcement, and so the ids of users and tokens in it.
const maxAnnouncement = 16 << 10

// maxSkew is how far the clocks of processes may be apart.
const maxSkew = 5 * time.Minute

// OnRevoke makes announce be called with every revocation in this process: Logout, Revoke, RevokeSession, RevokeToken,
// and what Login ends. data says all there is to say, in at most 16 KiB of text, and is for [Users.ApplyRevocation] in
// the other processes; it is announce's to keep. announce is called before the call that revokes returns, after the
// connections of this process were cut, possibly by several goroutines at once; it should hand data on and not wait.
// Several functions are called in turn. Call OnRevoke before serving.
//
// data holds ids of users and sessions: send it only where you would send those.
//
//	users.OnRevoke(func(data []byte) { rdb.Publish(ctx, "revoked", data) })
//	for msg := range rdb.Subscribe(ctx, "revoked").Channel() { err := users.ApplyRevocation([]byte(msg.Payload)) … }
func (u *Users[U]) OnRevoke(announce func(data []byte)) { u.r.onRevoke(announce) }

// ApplyRevocation does in this process what another one announced by [Users.OnRevoke], and does not announce it again:
// the logins are refused from now on, and their connections have been cut when it returns. Messages may come twice, late
// and in any order, also those of this process itself. An error means that data is not such a message; nothing was done
// then. Whoever can send messages can end logins, and nothing else.
//
// Clocks that differ by more than seconds make a Revoke miss logins, or end new ones, of that many seconds.
func (u *Users[U]) ApplyRevocation(data []byte) error { return u.r.applyRevocation(data) }

// OnRevoke is [Users.OnRevoke].
func (t *Tokens[U]) OnRevoke(announce func(data []byte)) { t.r.onRevoke(announce) }

// ApplyRevocation is [Users.ApplyRevocation].
func (t *Tokens[U]) ApplyRevocation(data []byte) error { return t.r.applyRevocation(data) }

func (r *realm) onRevoke(announce func(data []byte)) {
	if announce == nil {
		panic("auth: OnRevoke got no function: pass func(data []byte)")
	}
	r.announceMu.Lock()
	defer r.announceMu.Unlock()
	r.announce = append(r.announce, announce)
}

// revoke ends logins in this process, and then in Options.Revocations and in the other processes. An error means that
// Options.Revocations failed.
func (r *realm) revoke(ctx context.Context, rev revocation) (cut int, err error) {
	now := time.Now()
	switch rev.kind {
	case endLogin:
		cut = r.reg.revokeLogin(rev.user, rev.id, rev.until, now, rev.cause)
	case endUser:
		rev.began, cut = r.reg.revokeUser(rev.user, now, rev.until, rev.cause)
	case endSession:
		cut = r.reg.revokeSession(rev.id, now, rev.until, rev.cause)
	}
	if !rev.brief {
		if err = r.persist(ctx, rev); err != nil {
			r.log.Error("auth: a login that was ended may count again after a restart: Options.Revocations failed",
				"user", rev.user, "error", err)
		}
	}
	r.announceMu.Lock()
	announce := r.announce
	r.announceMu.Unlock()
	for _, f := range announce {
		if err := tell(f, rev); err != nil {
			r.log.Error("auth: a login that was ended was not announced to other processes (Users.OnRevoke)",
				"user", rev.user, "error", err)
		}
	}
	return cut, err
}

// tell runs a function of the application.
func tell(announce func(data []byte), rev revocation) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("auth: panic in the function given to OnRevoke: %v\n%s", v, debug.Stack())
		}
	}()
	data, err := rev.encode()
	if err == nil {
		announce(data)
	}
	return err
}

func (rev revocation) encode() ([]byte, error) {
	a := announcement{Version: 1, Kind: rev.kind, User: rev.user, ID: rev.id, Until: rev.until.UnixNano(), Reason: reasonOf(rev.cause)}
	if rev.kind == endUser {
		a.Began = rev.began.UnixNano()
	}
	data, err := json.Marshal(a)
	if err == nil && len(data) > maxAnnouncement {
		err = fmt.Errorf("auth: the announcement has %d bytes, %d are allowed: use shorter ids of users or tokens", len(data), maxAnnouncement)
	}
	return data, err
}

func (r *realm) applyRevocation(data []byte) error {
	now := time.Now()
	rev, err := decodeRevocation(data)
	if err != nil {
		return fmt.Errorf("auth: this is no announcement of Users.OnRevoke: %w", err)
	}
	// Logins that are older than this process's Lifetime are refused anyway.
	if end := now.Add(r.lifetime); rev.until.After(end) {
		rev.until = end
	}
	if !now.Before(rev.until) {
		return nil
	}
	switch rev.kind {
	case endLogin:
		r.reg.revokeLogin(rev.user, rev.id, rev.until, now, rev.cause)
	case endUser:
		if latest := now.Add(maxSkew); rev.began.After(latest) {
			rev.began = latest
		}
		r.reg.revokeUserUntil(rev.user, rev.began, now, rev.until, rev.cause)
	case endSession:
		r.reg.revokeSession(rev.id, now, rev.until, rev.cause)
	}
	return nil
}

func decodeRevocation(data []byte) (revocation, error) {
	var a announcement
	if len(data) > maxAnnouncement {
		return revocation{}, fmt.Errorf("it has %d bytes, %d are allowed", len(data), maxAnnouncement)
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return revocation{}, err
	}
	var ok bool
	switch a.Kind {
	case endLogin:
		ok = a.User != "" && a.ID != ""
	case endUser:
		ok = a.User != "" && a.Began != 0
	case endSession:
		ok = a.ID != ""
	}
	switch {
	case a.Version != 1:
		return revocation{}, fmt.Errorf("its version is %d, this process knows 1: do not mix these versions of siokit", a.Version)
	case !ok || a.Until == 0:
		return revocation{}, errors.New("something is missing in it")
	}
	return revocation{
		kind: a.Kind, user: a.User, id: a.ID, began: time.Unix(0, a.Began), until: time.Unix(0, a.Until), cause: causeFor(a.Reason),
	}, nil
}

// reasonOf is what clients see as data.reason.
func reasonOf(cause error) string {
	for _, known := range []error{ErrLoggedOut, ErrReauthenticate} {
		if cause == known {
			return known.(*refusal).data.(endedData).Reason
		}
	}
	return ErrRevoked.(*refusal).data.(endedData).Reason
}

func causeFor(reason string) error {
	for _, known := range []error{ErrLoggedOut, ErrReauthenticate} {
		if reasonOf(known) == reason {
			return known
		}
	}
	return ErrRevoked
}
