package core

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// redacted stands in logged URLs for what was secret.
const redacted = "REDACTED"

// secretParameters are the names, in lower case, whose values RedactQuery hides.
var secretParameters = map[string]bool{"sid": true, "pid": true, "token": true, "access_token": true, "auth": true}

// RedactQuery keeps secrets out of access logs. The URL of every Socket.IO request but the first holds
// the session id, which opens the connection to whoever reads it, and the loggers of gin, echo and chi
// write whole URLs. Behind RedactQuery a Socket.IO request, known by its parameter EIO, shows REDACTED as
// the value of sid, pid, token, access_token and auth, in URL.RawQuery and RequestURI. Server.ServeHTTP
// gives the true query back to Config's hooks and the handshake. Other requests are not touched.
//
// It must come before the logger, and middleware that reads these parameters itself before RedactQuery:
//
//	router := gin.New()
//	router.Use(ginsio.Middleware(core.RedactQuery), gin.Logger(), gin.Recovery())
//	e.Use(echosio.Middleware(core.RedactQuery), middleware.Logger())
//	r.Use(core.RedactQuery, middleware.Logger) // chi
//	http.ListenAndServe(addr, core.RedactQuery(app)) // in front of anything
func RedactQuery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if query := redactQuery(r.URL.RawQuery); query != r.URL.RawQuery {
			whole := unredacted{r.URL.RawQuery, r.RequestURI}
			r = r.WithContext(context.WithValue(r.Context(), unredactedKey{}, whole)) // a copy
			u := *r.URL
			u.RawQuery = query
			r.URL = &u
			if path, _, ok := strings.Cut(r.RequestURI, "?"); ok {
				r.RequestURI = path + "?" + query
			}
		}
		next.ServeHTTP(w, r)
	})
}

// unredacted is what RedactQuery took out of a request.
type unredacted struct{ query, requestURI string }

type unredactedKey struct{}

// unredact returns r as it came from the client.
func unredact(r *http.Request) *http.Request {
	if !strings.Contains(r.URL.RawQuery, redacted) { // spares requests the search through their contexts
		return r
	}
	whole, ok := r.Context().Value(unredactedKey{}).(unredacted)
	if !ok {
		return r
	}
	restored, u := *r, *r.URL
	u.RawQuery = whole.query
	restored.URL, restored.RequestURI = &u, whole.requestURI
	return &restored
}

// redactQuery replaces the values of secret parameters, whatever their names' escaping and case. An
// empty value stays: a sid without one makes a handshake. Pairs that net/url would refuse are logged all
// the same, so those count too.
func redactQuery(query string) string {
	var b strings.Builder
	ours := false
	for rest := query; rest != ""; {
		pair, separator := rest, ""
		if i := strings.IndexAny(rest, "&;"); i >= 0 {
			pair, separator = rest[:i], rest[i:i+1]
		}
		rest = rest[len(pair)+len(separator):]
		key, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		if err != nil {
			name = key
		}
		ours = ours || name == "EIO"
		if value != "" && secretParameters[strings.ToLower(name)] {
			pair = key + "=" + redacted
		}
		b.WriteString(pair)
		b.WriteString(separator)
	}
	if !ours {
		return query
	}
	return b.String()
}
