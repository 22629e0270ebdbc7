// Package client judges siokit's Go client: one suite against three servers, siokit's own fixture, the
// official Node server, and Flask-SocketIO as Debian has it. All serve the contract of ../js/reference.mjs.
package client
