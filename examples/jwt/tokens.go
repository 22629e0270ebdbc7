package main

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/siokit/siokit/auth"
)

// Who the tokens are from and for. A token of another service that happens to share the key is no good here.
const (
	issuer   = "https://jwt.example"
	audience = "sockets"
	lifetime = 15 * time.Minute
)

// newToken signs a token for a user who has just proved to be one.
func newToken(key []byte, user string) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer:    issuer,
		Audience:  jwt.ClaimStrings{audience},
		Subject:   user,
		ID:        rand.Text(),
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(lifetime)),
	}).SignedString(key)
}

// newVerifier accepts what newToken signs. The method is fixed here and not by the token: "alg":"none", and an HMAC
// made with a public key that everybody knows, are the two classic holes.
//
// With keys of an identity provider (RS256, ES256) the key function looks the token's "kid" up in that provider's set;
// when the set cannot be fetched it returns an error that wraps auth.ErrUnavailable.
func newVerifier(key []byte) auth.Verifier {
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithIssuedAt(),
		jwt.WithExpirationRequired(),
	)
	return func(_ context.Context, token string) (auth.Token, error) {
		var claims jwt.RegisteredClaims
		_, err := parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return key, nil })
		if err != nil {
			return auth.Token{}, err
		}
		if claims.IssuedAt == nil {
			return auth.Token{}, errors.New("no iat: Revoke could not refuse this token")
		}
		return auth.Token{User: claims.Subject, ID: claims.ID, Issued: claims.IssuedAt.Time, Expires: claims.ExpiresAt.Time}, nil
	}
}
