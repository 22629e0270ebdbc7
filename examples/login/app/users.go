package app

import (
	"context"

	"golang.org/x/crypto/bcrypt"

	"github.com/siokit/siokit/auth"
)

// User is who is logged in.
type User struct {
	Name string
	Hash string // of the password, by bcrypt; never leaves the server
}

// Accounts are the users by name; an application has a table of them. The account named "" is compared when a name
// is unknown, so that the time of an answer does not tell which names exist: its hash must cost what the others do.
type Accounts map[string]*User

// DemoAccounts have the passwords ann-secret and bob-secret.
var DemoAccounts = Accounts{
	"ann": {Name: "ann", Hash: "$2a$10$zN7IR7ODbt0UTF2l9FVNVe0UUfz9O2pONybAILCaqdX7w3cwZAyyK"},
	"bob": {Name: "bob", Hash: "$2a$10$0sYJPbpFAP6CnOnlMQkDo.OZTbr0ritoY.hUZ7nx4x56dlui/C9wq"},
	"":    {Hash: "$2a$10$hR0Uml5AqDKY5KFNsPt/auQ.9fstmBa8HaaFX4ZtEf5q2CSSyksLe"},
}

// check returns the user with this name and password.
func (a Accounts) check(name, password string) (*User, bool) {
	user, known := a[name]
	if !known {
		user = a[""]
	}
	err := bcrypt.CompareHashAndPassword([]byte(user.Hash), []byte(password))
	return user, known && name != "" && err == nil
}

// load finds the user whose id the session holds, for each HTTP request that asks and for each connection.
func (a Accounts) load(_ context.Context, id string) (*User, error) {
	if user, ok := a[id]; ok && id != "" {
		return user, nil
	}
	return nil, auth.ErrNoUser
}
