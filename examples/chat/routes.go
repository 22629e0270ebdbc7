package main

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/core"
)

//go:embed web/index.html
var page []byte

//go:embed web/static
var static embed.FS

// handleRoutes registers the HTTP half: the page, login and logout, and one route that emits to sockets.
func handleRoutes(router gin.IRouter, users *auth.Users[*User], sockets *core.Server) {
	files, err := fs.Sub(static, "web/static")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	router.StaticFS("/static", http.FS(files))

	router.GET("/", func(c *gin.Context) {
		// A second line of defence behind textContent: no script runs but ours.
		c.Header("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
		c.Data(http.StatusOK, "text/html; charset=utf-8", page)
	})

	router.GET("/me", func(c *gin.Context) {
		user, ok := auth.User[*User](c)
		if !ok {
			c.String(http.StatusUnauthorized, "please log in")
			return
		}
		c.JSON(http.StatusOK, gin.H{"name": user.Name})
	})

	router.POST("/login", smallForm, func(c *gin.Context) {
		user, ok := checkPassword(c.PostForm("name"), c.PostForm("password"))
		if !ok {
			c.String(http.StatusUnauthorized, "wrong name or password")
			return
		}
		if err := users.Login(c, user.Name); err != nil {
			c.String(http.StatusServiceUnavailable, "the login could not be saved")
			return
		}
		c.Redirect(http.StatusSeeOther, "/")
	})

	// Logout also disconnects the sockets of this login, in every tab.
	router.POST("/logout", smallForm, func(c *gin.Context) {
		if err := users.Logout(c); err != nil {
			c.String(http.StatusServiceUnavailable, "the logout could not be saved")
			return
		}
		c.Redirect(http.StatusSeeOther, "/")
	})

	// An HTTP handler emits like any other code: nothing has to be passed around but the server.
	router.POST("/announce", smallForm, func(c *gin.Context) {
		user, ok := auth.User[*User](c)
		if !ok {
			c.String(http.StatusUnauthorized, "please log in")
			return
		}
		text, err := cleanText(c.PostForm("text"), 280)
		if err != nil {
			c.String(http.StatusBadRequest, "an announcement has 1 to 280 characters")
			return
		}
		if err := sockets.Emit("announcement", Announcement{From: user.Name, Text: text}); err != nil {
			c.String(http.StatusInternalServerError, "the announcement was not sent")
			return
		}
		c.Status(http.StatusNoContent)
	})
}

// smallForm bounds what a form may hold. Without it a request could send as much as it likes.
func smallForm(c *gin.Context) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, 16<<10)
}

// Announcement is the event "announcement", for everybody.
type Announcement struct {
	From string `json:"from"`
	Text string `json:"text"`
}
