// Package chisio mounts a Socket.IO server in a chi application.
//
//	r := chi.NewRouter()
//	r.Use(users.Middleware) // session and login: chi's middleware is net/http's
//	chisio.Mount(r, "/socket.io/", srv)
//
// What middleware stored in the handshake request's context is found by Value in the socket's
// handlers, as with net/http. Route parameters are found by Handshake().PathValue, and by
// chi.URLParamFromCtx: chi keeps them in an object that it reuses for the next request, which may
// be another user's, so Mount copies it. Without this package, as with r.Handle(path, srv), a
// socket's handlers would read that other request's parameters.
//
// Handshake().RemoteIP is what one of chi's middleware.ClientIPFrom... found. Without them it follows
// core.Config.TrustedProxies and r.RemoteAddr, which the older middleware.RealIP overwrites with whatever
// the client claims.
package chisio
