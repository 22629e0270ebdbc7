package app

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"net/http"
)

//go:embed page.html
var page []byte

// Page serves the one page of the examples.
func Page(w http.ResponseWriter, _ *http.Request) {
	nonce := rand.Text()
	// A second line of defence behind textContent: no script runs but ours.
	w.Header().Set("Content-Security-Policy",
		"default-src 'self'; script-src 'self' 'nonce-"+nonce+"'; style-src 'nonce-"+nonce+"'; img-src data:; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(bytes.ReplaceAll(page, []byte("NONCE"), []byte(nonce))) // an error means that the browser left
}
