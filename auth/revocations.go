package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"time"
)

// Revocations keeps what was revoked where a restart does not forget it and other processes find it: see
// [Options.Revocations]. It is made of standard types, so that implementations need not import this package. Its methods
// may be called concurrently.
//
// Keys are 64 hexadecimal digits and tell nothing about whom they stand for. Times have nanoseconds; an implementation
// that rounds them must round before up.
type Revocations interface {
	// Add remembers, until the time until, that key is revoked for logins that began at before or earlier. A key that
	// is added again keeps the later one of both times. ctx ends after 5 s.
	Add(ctx context.Context, key string, before, until time.Time) error
	// Revoked reports whether one of keys is revoked for a login that began at the time began. An error means that it
	// could not be found out: the caller is then refused for now (503), and not let in. ctx has a deadline.
	Revoked(ctx context.Context, began time.Time, keys ...string) (bool, error)
}

// revocationTimeout bounds one call of an Options.Revocations.
const revocationTimeout = 5 * time.Second

func revocationKey(kind, id string) string {
	sum := sha256.Sum256([]byte("siokit " + kind + "\x00" + id))
	return hex.EncodeToString(sum[:])
}

// persist adds what r has just revoked to Options.Revocations.
func (r *realm) persist(ctx context.Context, rev revocation) (err error) {
	if r.revocations == nil {
		return nil
	}
	defer func() { // the other processes must learn of it all the same
		if v := recover(); v != nil {
			err = fmt.Errorf("auth: panic in Options.Revocations: %v\n%s", v, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revocationTimeout)
	defer cancel()
	id, before := rev.id, rev.until // a login and a session end whenever they began, by whatever clock
	if rev.kind == endUser {
		id, before = rev.user, rev.began
	}
	return r.revocations.Add(ctx, revocationKey(rev.kind, id), before, rev.until)
}

// alive reports whether a login counts, by what this process knows and by Options.Revocations.
func (r *realm) alive(ctx context.Context, in login) (bool, error) {
	if !r.live(in) {
		return false, nil
	}
	return r.unrevoked(ctx, in)
}

// unrevoked asks Options.Revocations, about each login once in Options.Refresh.
func (r *realm) unrevoked(ctx context.Context, in login) (bool, error) {
	if r.revocations == nil {
		return true, nil
	}
	now, key := time.Now(), hashCookie("alive\x00"+in.id) // net/http drops cookies with such a byte
	if _, ok := r.seen.get(key, now); ok {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, revocationTimeout)
	defer cancel()
	keys := []string{revocationKey(endLogin, in.id), revocationKey(endUser, in.user)}
	if in.session != "" {
		keys = append(keys, revocationKey(endSession, in.session))
	}
	revoked, err := r.revocations.Revoked(ctx, in.at, keys...)
	switch {
	case err != nil:
		return false, fmt.Errorf("auth: Options.Revocations could not be asked: %w", err)
	case revoked:
		return false, nil
	}
	if r.refresh > 0 {
		r.seen.put(key, in, now.Add(r.refresh))
	}
	return true, nil
}
