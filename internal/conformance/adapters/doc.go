// Package adapters holds what every way of mounting a Socket.IO server must do alike: in gin, echo, chi and
// net/http. Its tests build the same application in each framework and speak to it over real connections, by
// polling, WebSocket and the upgrade from one to the other. See adapter_test.go for what an adapter has to supply.
package adapters
