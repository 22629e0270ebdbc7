package siotest

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
)

// Jar returns a cookie jar: one person's browser. It may hold cookies from the start, such as the
// Result().Cookies() of an httptest.ResponseRecorder, or what another jar has for another address.
//
// As browsers do on localhost, it sends Secure cookies although URL is not https; and it takes cookies of any
// Domain, since there is only one host.
func Jar(cookies ...*http.Cookie) http.CookieJar {
	inner, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // without options it cannot fail
	}
	j := jar{inner}
	j.SetCookies(&url.URL{Scheme: "http", Host: host}, cookies)
	return j
}

// jar is one that does not mind how the test's only host is called.
type jar struct{ http.CookieJar }

func (j jar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	own := make([]*http.Cookie, len(cookies))
	for i, c := range cookies {
		changed := *c
		changed.Secure, changed.Domain = false, ""
		own[i] = &changed
	}
	j.CookieJar.SetCookies(u, own)
}

// lenient makes any jar one of ours.
func lenient(j http.CookieJar) http.CookieJar {
	switch j.(type) {
	case nil, jar:
		return j
	}
	return jar{j}
}
