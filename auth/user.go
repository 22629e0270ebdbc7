package auth

import (
	"context"
	"errors"
	"fmt"
	"reflect"
)

// User returns the user that is logged in, and whether there is one. U must be the type that [New]'s loader
// returns, or User panics. It works in HTTP handlers, in socket handlers, and with any context made from theirs.
//
// The user is loaded at the first call: once per HTTP request, and in sockets again after Options.Refresh. An
// account that is gone, and a loader that failed, count as nobody; [UserErr] tells them apart.
func User[U any](ctx context.Context) (U, bool) {
	u, err := UserErr[U](ctx)
	if wrong := (*typeError)(nil); errors.As(err, &wrong) {
		panic(wrong.Error())
	}
	return u, err == nil
}

// UserErr is [User] for callers that must tell nobody from trouble. The error is, or wraps, [ErrUnauthenticated]
// (together with [ErrNoUser] if the account is gone), [ErrNoMiddleware], or what the loader or the session store
// returned.
func UserErr[U any](ctx context.Context) (U, error) { return userErr[U](ctx, false) }

func userErr[U any](ctx context.Context, anew bool) (U, error) {
	var none U
	id := From(ctx)
	if id.realm != nil && id.realm.userType != reflect.TypeFor[U]() {
		return none, &typeError{asked: reflect.TypeFor[U](), loaded: id.realm.userType}
	}
	v, err := id.load(ctx, anew)
	if err != nil {
		return none, err
	}
	return v.(box[U]).user, nil
}

// MustUser is [User] behind a guard such as [Require]. It panics if there is no user.
func MustUser[U any](ctx context.Context) U {
	u, err := UserErr[U](ctx)
	if err != nil {
		panic(fmt.Errorf("auth: MustUser has no user here (guard the handler with auth.Require or RequireHTTP, or ask auth.User): %w", err))
	}
	return u
}

// typeError says that a handler asks for another type than the loader has.
type typeError struct{ asked, loaded reflect.Type }

func (e *typeError) Error() string {
	return fmt.Sprintf("auth: a handler asks for the user as %v, but the loader given to auth.New returns %v: ask for User[%v]",
		e.asked, e.loaded, e.loaded)
}

// explain turns what a loader returned into what callers see.
func (i *Identity) explain(user string, err error) error {
	if errors.Is(err, ErrNoUser) {
		return errAccountGone
	}
	i.realm.warn(user, err)
	return fmt.Errorf("auth: the user could not be loaded: %w", err)
}
