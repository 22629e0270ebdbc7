// Package echosio mounts a Socket.IO server in an Echo v4 application.
//
//	e := echo.New()
//	e.Use(echosio.Middleware(users.Middleware)) // session and login for HTTP routes
//	echosio.Mount(e, "/socket.io/", srv, "tenant")
//
// What Echo knows about the handshake request is copied for the socket's handlers: the values of
// the keys named at Mount, as c.Set left them, are found by Value (and [Get]), route parameters
// by Handshake().PathValue, and what c.RealIP returned is Handshake().RemoteIP. What middleware stored in
// the request's context is found by Value as with net/http. Nothing else of an echo.Context survives
// the handshake: Echo reuses it for the next request, which may be another user's.
//
// Keys are named because an echo.Context cannot list them. Session and user need no name: they
// travel in the request's context.
//
// Without an Echo.IPExtractor, c.RealIP believes the X-Forwarded-For header of every client. Set
// one (echo.ExtractIPDirect, or echo.ExtractIPFromXFFHeader behind a proxy) before an address
// decides anything.
package echosio
