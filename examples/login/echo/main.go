// Command echo is a login with sockets in an Echo application. Start it at the top of the repository:
//
//	go run ./examples/login/echo
//
// app.Main lists the environment variables. The same application in gin, chi and net/http is beside it.
package main

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/echosio"
	"github.com/siokit/siokit/examples/login/app"
)

func main() { app.Main(routes) }

// routes is the application. Middleware comes first: what it does, it does for the sockets' handshakes too.
func routes(a *app.App) http.Handler {
	e := echo.New()
	// Without an extractor Echo believes the X-Forwarded-For of everybody.
	e.IPExtractor = echo.ExtractIPFromXFFHeader(echo.TrustLoopback(true), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false))
	e.Use(middleware.Recover(), requestID(), echosio.Middleware(a.Users.Middleware))

	e.GET("/", echo.WrapHandler(http.HandlerFunc(app.Page)))
	e.GET("/me", func(c echo.Context) error {
		me, err := app.WhoAmI(c.Request().Context())
		if err != nil {
			return c.String(app.Problem(err))
		}
		return c.JSON(http.StatusOK, me)
	})
	e.POST("/login", func(c echo.Context) error {
		ctx := c.Request().Context()
		if err := a.Login(ctx, c.FormValue("name"), c.FormValue("password"), c.FormValue("nickname")); err != nil {
			return c.String(app.Problem(err))
		}
		return c.Redirect(http.StatusSeeOther, "/")
	})
	// Logout also disconnects the sockets of this login, in every tab.
	e.POST("/logout", func(c echo.Context) error {
		if err := a.Users.Logout(c.Request().Context()); err != nil {
			return c.String(app.Problem(err))
		}
		return c.Redirect(http.StatusSeeOther, "/")
	})
	e.POST("/announce", func(c echo.Context) error {
		if err := a.Announce(c.Request().Context(), c.FormValue("text")); err != nil {
			return c.String(app.Problem(err))
		}
		return c.NoContent(http.StatusNoContent)
	})

	echosio.Mount(e, "/socket.io/", a.Sockets, "request_id") // the keys of c.Set that sockets need
	core.OnCall(a.Sockets, "request id", func(c *core.Context, _ core.None) (string, error) {
		id, _ := echosio.Get[string](c, "request_id") // of the request that opened the connection
		return id, nil
	})
	return app.Guard(e)
}

// requestID names the request, if a proxy has not yet.
func requestID() echo.MiddlewareFunc {
	return middleware.RequestIDWithConfig(middleware.RequestIDConfig{
		RequestIDHandler: func(c echo.Context, id string) { c.Set("request_id", id) },
	})
}
