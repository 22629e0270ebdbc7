// Package ginsio mounts a Socket.IO server in a gin application.
//
//	sess, err := sessions.New(store, "app", sessions.Options{}) // the store the application has already
//	users := auth.New(sess, loadUser)                           // loadUser(ctx, id) (*User, error)
//	srv, err := core.New(core.Config{Sessions: sess, Authenticate: users.Handshake})
//
//	router := gin.Default()
//	router.Use(ginsio.Middleware(users.Middleware)) // session and login for HTTP routes
//	ginsio.Mount(router, "/socket.io/", srv)
//
// An application without sessions and logins needs core.New and Mount alone. In gin's own handlers the *gin.Context is the
// ctx that sessions.From, auth.User and Users.Login ask for.
//
// What gin knows about the handshake request is copied for the socket's handlers: keys set with
// c.Set are found by Value (and [Get]), route parameters by Handshake().PathValue, and the client's
// address by gin's trusted-proxy rules is Handshake().RemoteIP. Nothing else of a *gin.Context survives the
// handshake: gin reuses it for the next request, which may be another user's.
package ginsio
