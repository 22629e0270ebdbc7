// Command gin is a login with sockets in a gin application. Start it at the top of the repository:
//
//	go run ./examples/login/gin
//
// app.Main lists the environment variables. The same application in echo, chi and net/http is beside it.
package main

import (
	"crypto/rand"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/examples/login/app"
	"github.com/siokit/siokit/ginsio"
)

func main() { app.Main(routes) }

// routes is the application. Middleware comes first: what it does, it does for the sockets' handshakes too.
func routes(a *app.App) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	if err := router.SetTrustedProxies([]string{"127.0.0.1", "::1"}); err != nil {
		panic(err) // these are addresses
	}
	router.Use(gin.Recovery(), requestID, ginsio.Middleware(a.Users.Middleware))

	router.GET("/", gin.WrapF(app.Page))
	router.GET("/me", func(c *gin.Context) {
		me, err := app.WhoAmI(c)
		if err != nil {
			c.String(app.Problem(err))
			return
		}
		c.JSON(http.StatusOK, me)
	})
	router.POST("/login", func(c *gin.Context) {
		if err := a.Login(c, c.PostForm("name"), c.PostForm("password"), c.PostForm("nickname")); err != nil {
			c.String(app.Problem(err))
			return
		}
		c.Redirect(http.StatusSeeOther, "/")
	})
	// Logout also disconnects the sockets of this login, in every tab.
	router.POST("/logout", func(c *gin.Context) {
		if err := a.Users.Logout(c); err != nil {
			c.String(app.Problem(err))
			return
		}
		c.Redirect(http.StatusSeeOther, "/")
	})
	router.POST("/announce", func(c *gin.Context) {
		if err := a.Announce(c, c.PostForm("text")); err != nil {
			c.String(app.Problem(err))
			return
		}
		c.Status(http.StatusNoContent)
	})

	ginsio.Mount(router, "/socket.io/", a.Sockets)
	core.OnCall(a.Sockets, "request id", func(c *core.Context, _ core.None) (string, error) {
		id, _ := ginsio.Get[string](c, "request_id") // of the request that opened the connection
		return id, nil
	})
	return app.Guard(router)
}

// requestID names the request, if a proxy has not yet.
func requestID(c *gin.Context) {
	id := c.GetHeader("X-Request-Id")
	if id == "" {
		id = rand.Text()
	}
	c.Set("request_id", id)
	c.Header("X-Request-Id", id)
}
