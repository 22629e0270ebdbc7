// This program is a small shop: gin, a login of its own, and the session in a cookie of gin-contrib/sessions.
package main

import (
	"crypto/rand"
	_ "embed"
	"log"
	"net/http"

	"github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/cookie"
	"github.com/gin-gonic/gin"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/ginsio"
	"golang.org/x/crypto/bcrypt"
)

//go:embed index.html
var page []byte

// The users with their passwords by bcrypt: ann-secret, bob-secret.
var passwords = map[string]string{
	"ann": "$2a$10$zN7IR7ODbt0UTF2l9FVNVe0UUfz9O2pONybAILCaqdX7w3cwZAyyK",
	"bob": "$2a$10$0sYJPbpFAP6CnOnlMQkDo.OZTbr0ritoY.hUZ7nx4x56dlui/C9wq",
}

func main() {
	key := make([]byte, 32)
	rand.Read(key) // so a restart logs everybody out
	s, err := newShop(key)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(s.router().Run("127.0.0.1:5000"))
}

type shop struct {
	cookies cookie.Store
	sockets *core.Server
}

func newShop(key []byte) (*shop, error) {
	s := &shop{cookies: cookie.NewStore(key)}
	s.cookies.Options(sessions.Options{Path: "/", MaxAge: 86400, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	if err := s.openSockets(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *shop) router() *gin.Engine {
	router := gin.New()
	router.Use(gin.Recovery(), sessions.Sessions("shop", s.cookies))
	router.GET("/", func(c *gin.Context) { c.Data(http.StatusOK, "text/html; charset=utf-8", page) })
	router.POST("/login", s.login)
	router.POST("/logout", s.logout)
	router.GET("/me", s.me)
	router.POST("/orders", s.order)
	ginsio.Mount(router, "/socket.io/", s.sockets)
	return router
}

func (s *shop) login(c *gin.Context) {
	name := c.PostForm("name")
	if bcrypt.CompareHashAndPassword([]byte(passwords[name]), []byte(c.PostForm("password"))) != nil {
		c.String(http.StatusUnauthorized, "wrong name or password")
		return
	}
	session := sessions.Default(c)
	session.Set("user", name)
	if err := session.Save(); err != nil {
		c.String(http.StatusInternalServerError, "the login could not be saved")
		return
	}
	c.Redirect(http.StatusSeeOther, "/")
}

func (s *shop) logout(c *gin.Context) {
	session := sessions.Default(c)
	name, _ := session.Get("user").(string)
	session.Clear()
	if err := session.Save(); err != nil {
		c.String(http.StatusInternalServerError, "the logout could not be saved")
		return
	}
	log.Printf("%q has left", name)
	s.disconnect(name)
	c.Redirect(http.StatusSeeOther, "/")
}

func (s *shop) me(c *gin.Context) {
	name, ok := sessions.Default(c).Get("user").(string)
	if !ok {
		c.String(http.StatusUnauthorized, "please log in")
		return
	}
	c.JSON(http.StatusOK, gin.H{"name": name})
}

func (s *shop) order(c *gin.Context) {
	name, ok := sessions.Default(c).Get("user").(string)
	if !ok {
		c.String(http.StatusUnauthorized, "please log in")
		return
	}
	log.Printf("%q orders", name)
	if err := s.sockets.To("user:" + name).Emit("ordered"); err != nil {
		log.Print(err)
	}
	c.Redirect(http.StatusSeeOther, "/")
}
