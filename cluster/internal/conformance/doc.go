// Package conformance runs the official JavaScript client against several siokit processes behind nginx, as
// docs/deployment/nginx.conf has it, over each message broker, and while one of the processes is
// restarted. The events are those of internal/conformance; this package is here for the brokers of
// cluster/internal.
package conformance
