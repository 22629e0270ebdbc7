package adapters_test

import (
	"context"
	"flag"
	"net/http"
	"strings"
	"testing"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/internal/leaktest"
)

// TestMain lets more tests run at the same time than there are processors, unless -parallel says otherwise: most of them
// wait for a deadline.
func TestMain(m *testing.M) {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		if err := flag.Set("test.parallel", "24"); err != nil {
			panic(err)
		}
	}
	leaktest.Main(m)
}

// A router builds an application in the way its framework's users do. Paths may hold "{name}".
type router interface {
	http.Handler

	use(mw func(http.Handler) http.Handler)              // a net/http middleware, by the adapter's Middleware
	set(key string, value func(r *http.Request) string)  // a middleware of the framework's kind that stores a value
	refuse(when func(r *http.Request) bool)              // one that answers 401 instead of calling the next
	group(prefix string) router                          // routes with a prefix and middleware in common
	sub(prefix string) router                            // an application of its own inside this one
	mount(path string, srv *core.Server, keys ...string) // what is tested
	post(path string, h func(ctx context.Context, w http.ResponseWriter, r *http.Request))

	get(ctx context.Context, key string) string    // in a socket handler, what set stored
	param(ctx context.Context, name string) string // the adapter's function beside Handshake.PathValue
}

// frameworks lists everything that the suite runs on. trust says whether X-Forwarded-For of loopback peers
// counts by the framework's own rule, if it has one.
var frameworks = []struct {
	name string
	new  func(trust bool) router
}{
	{"gin", newGin},
	{"echo", newEcho},
	{"chi", newChi},
	{"nethttp", newNetHTTP},
}

// everywhere runs a test on every framework.
func everywhere(t *testing.T, test func(t *testing.T, newRouter func(trust bool) router)) {
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			test(t, f.new)
		})
	}
}

// each runs a test on every framework and transport.
func each(t *testing.T, test func(t *testing.T, r router, transport string)) {
	everywhere(t, func(t *testing.T, newRouter func(bool) router) {
		for _, transport := range transports {
			t.Run(transport, func(t *testing.T) {
				t.Parallel()
				test(t, newRouter(false), transport)
			})
		}
	})
}

// colons writes "{name}" as ":name".
func colons(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

type ctxKey string
