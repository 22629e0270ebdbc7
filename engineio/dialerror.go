package engineio

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A DialError says why there is no connection, or why a request of one failed, and what to do. It unwraps
// to the error behind it, such as an x509.UnknownAuthorityError.
type DialError struct {
	Transport  string
	Address    string        // scheme, host and path
	Status     int           // of the HTTP answer; 0 if there was none
	Code       int           // of the Engine.IO server, such as CodeForbidden; -1 if it named none
	Message    string        // of the server, at most 64 bytes
	RetryAfter time.Duration // when the server wants to be asked again; 0 if it did not say
	Cure       string
	Err        error
}

func (e *DialError) Error() string {
	var what string
	switch {
	case e.Status != 0 && e.Message != "":
		what = fmt.Sprintf("HTTP %d, %q", e.Status, e.Message)
	case e.Status != 0:
		what = fmt.Sprintf("HTTP %d %s", e.Status, http.StatusText(e.Status))
	default:
		what = e.Err.Error()
	}
	text := fmt.Sprintf("engineio: %s over %s: %s", e.Address, e.Transport, what)
	if e.Cure != "" {
		text += ": " + e.Cure
	}
	return text
}

func (e *DialError) Unwrap() error { return e.Err }

func (c *ClientConn) place() string {
	return c.endpoint.Scheme + "://" + c.endpoint.Host + c.endpoint.EscapedPath()
}

// unreachable words an error of the network.
func (c *ClientConn) unreachable(transport string, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL, which holds the session id and the caller's query
	}
	if own, ok := errors.AsType[*DialError](err); ok {
		return own
	}
	return &DialError{Transport: transport, Address: c.place(), Code: -1, Cure: networkCure(err), Err: err}
}

func networkCure(err error) string {
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		dns       *net.DNSError
		redirect  *redirectError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &redirect):
		return "connect to the final address itself; a redirect is followed only within one scheme and host, because headers and cookies would go along"
	case errors.As(err, &authority):
		return "the certificate is self-signed, or of an authority that this system does not know: add that to RootCAs of the TLS configuration"
	case strings.Contains(err.Error(), "legacy Common Name"):
		return "the certificate lists no host names: issue it again with the host as a subject alternative name"
	case errors.As(err, &hostname):
		return "the certificate is for another host: connect by the name that it names"
	case errors.As(err, &invalid):
		if invalid.Reason == x509.Expired {
			return "renew the server's certificate, or set this machine's clock"
		}
		return "the server needs another certificate"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "the server does not speak TLS on this port: use http:// or another port"
	case errors.As(err, &alert):
		return "the TLS handshake failed: does the server want a client certificate?"
	case errors.As(err, &dns):
		return "the host's name is not known: is it spelled right?"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: is the server running, and is this its port?"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "the server closed the connection without an answer: does it want https:// on this port, is it a Socket.IO server, was it just stopped?"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "the server did not answer in time"
	}
	return ""
}

// refusedBy words an HTTP answer that is no success. It reads the body.
func (c *ClientConn) refusedBy(transport string, resp *http.Response, sid bool) error {
	e := &DialError{Transport: transport, Address: c.place(), Status: resp.StatusCode, Code: -1}
	e.Err = fmt.Errorf("HTTP status %d", resp.StatusCode)
	var told struct {
		Code    *int   `json:"code"`
		Message string `json:"message"`
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 2048))
	if json.Unmarshal(body, &told) == nil && told.Code != nil {
		e.Code, e.Message = *told.Code, clip(told.Message)
	} else if told := pythonRefusal(body); told != "" {
		e.Message = told
	} else if transport == WebSocket && resp.StatusCode == http.StatusBadRequest && isPlain(body) {
		e.Message = clip(string(body)) // Node's server says why in plain text here
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 && s <= 86_400 {
		e.RetryAfter = time.Duration(s) * time.Second
	}
	e.Cure = e.statusCure(string(body), sid)
	return e
}

// pythonRefusal returns the text by which python-engineio refuses: one JSON string.
func pythonRefusal(body []byte) (text string) {
	if json.Unmarshal(body, &text) != nil {
		return ""
	}
	return clip(text)
}

// isPlain reports whether an answer is one line of text, and no page or object.
func isPlain(body []byte) bool {
	return len(body) > 0 && !bytes.ContainsAny(body, "<{\r\n")
}

func (e *DialError) statusCure(body string, sid bool) string {
	switch {
	case e.Code == CodeUnsupportedEngine || strings.Contains(e.Message, "unsupported version"):
		return "the server speaks another version of the protocol: it needs Engine.IO 4, that is Socket.IO 3 or 4 (Flask-SocketIO 5)"
	case e.Code == CodeUnknownTransport:
		return "the server does not offer this transport: put the other one into Transports"
	case e.Code == CodeUnknownSession || sid && e.Status == http.StatusBadRequest && e.Code == -1:
		return "the server does not know this session any more; if several processes share the address, switch on sticky sessions in the load balancer, or use websocket alone"
	case e.Status == http.StatusForbidden:
		return "the server refuses this client: if you send an Origin header the server must list it, otherwise it is about cookies, headers or the address"
	case e.Status == http.StatusUnauthorized:
		return "the server wants credentials: set a header, such as Authorization, or a cookie"
	case e.Status == http.StatusProxyAuthRequired:
		return "the proxy wants credentials: put them into its URL"
	case e.Status == http.StatusNotFound:
		return "no Socket.IO server at this path: is it /socket.io/ with both slashes (Options.Path), and is the server mounted there? The path of a client's address is a namespace"
	case e.Status == http.StatusMethodNotAllowed:
		return "this path is not a Socket.IO server's"
	case e.Status == http.StatusTooManyRequests, e.Status == http.StatusServiceUnavailable:
		return "the server is busy or shutting down: try again later"
	case e.Status == http.StatusBadGateway, e.Status == http.StatusGatewayTimeout:
		return "the proxy in front does not reach the server"
	case e.Status/100 == 3:
		return "connect to the address that it redirects to; WebSockets follow no redirects"
	case strings.Contains(body, "HTTP request to an HTTPS server"):
		return "the server speaks TLS on this port: use https://"
	case e.Transport == WebSocket && e.Status == http.StatusBadRequest:
		return "the server refuses this WebSocket: if you send an Origin header the server must list it, otherwise it is about its version, cookies or headers: polling may tell more"
	case e.Transport == WebSocket && e.Status == http.StatusOK:
		return "this is no WebSocket server, or a proxy removed the Upgrade header: use polling first, or configure the proxy"
	}
	return ""
}

// notEngine words an answer that is no handshake.
func (c *ClientConn) notEngine(transport string, err error) error {
	if own, ok := errors.AsType[*DialError](err); ok {
		return own
	}
	return &DialError{Transport: transport, Address: c.place(), Code: -1, Err: err}
}

// redirectError stops a redirect.
type redirectError struct{ to string }

func (e *redirectError) Error() string { return "the server redirects to " + e.to }

// sameOrigin is the policy for redirects. next is the caller's own, nil for none.
func sameOrigin(next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(r *http.Request, via []*http.Request) error {
		first := via[0]
		if r.URL.Scheme != first.URL.Scheme || r.URL.Host != first.URL.Host || first.Method != http.MethodGet {
			return &redirectError{clip(r.URL.Scheme + "://" + r.URL.Host + r.URL.EscapedPath())}
		}
		if next != nil {
			return next(r, via)
		}
		if len(via) > 5 {
			return &redirectError{"itself more than 5 times"}
		}
		return nil
	}
}
