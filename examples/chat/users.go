package main

import (
	"context"

	"golang.org/x/crypto/bcrypt"

	"github.com/siokit/siokit/auth"
)

// User is who is logged in. It never leaves the server as a whole: events and answers carry the name only.
type User struct {
	Name string
	hash string // bcrypt
}

// The demo's users; an application has a table of them. Passwords: ann-secret and bob-secret.
var accounts = map[string]*User{
	"ann": {Name: "ann", hash: "$2a$10$zN7IR7ODbt0UTF2l9FVNVe0UUfz9O2pONybAILCaqdX7w3cwZAyyK"},
	"bob": {Name: "bob", hash: "$2a$10$0sYJPbpFAP6CnOnlMQkDo.OZTbr0ritoY.hUZ7nx4x56dlui/C9wq"},
}

// nobody's password is compared when the name is unknown, so that the time of an answer does not tell which
// names exist.
var nobody = &User{hash: "$2a$10$hR0Uml5AqDKY5KFNsPt/auQ.9fstmBa8HaaFX4ZtEf5q2CSSyksLe"}

// checkPassword returns the user with this name and password.
func checkPassword(name, password string) (*User, bool) {
	user, known := accounts[name]
	if !known {
		user = nobody
	}
	err := bcrypt.CompareHashAndPassword([]byte(user.hash), []byte(password))
	return user, known && err == nil
}

// loadUser finds the user whose id the session holds, for each HTTP request that asks and each new connection.
func loadUser(_ context.Context, id string) (*User, error) {
	user, ok := accounts[id]
	if !ok {
		return nil, auth.ErrNoUser
	}
	return user, nil
}
