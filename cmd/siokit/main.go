// Command siokit talks to a Socket.IO server from a terminal or a script: it prints events as they arrive,
// and sends what is typed or given as arguments. "siokit -help" lists the flags; docs/command.md has
// examples.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// run is the whole program. Events and answers go to stdout, everything else to stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	p := newPrinter(stdout, stderr, o.json)
	if err := talk(ctx, o, stdin, p); err != nil {
		p.failure(err)
		return exitFailed
	}
	return exitOK
}
