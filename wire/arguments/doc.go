// Package arguments turns the arguments of an event or an ack into the input of a typed handler and
// back. Both ends use it: package core for what clients send, package client for what servers send,
// under the names core.Args2, client.Args2 and so on. Class and Method do the same with the methods of a value,
// for Listen of both.
//
// An input type is decoded from one argument, by the rules of sio.Args.Decode. None, Args2 to Args4
// and Args stand for no argument, several, and any number.
package arguments
