package archtest_test

import (
	"slices"
	"strings"
	"testing"
)

// floors gives every package of the module its floor. A package imports only packages on lower floors.
// docs/architecture.md says what each floor is for.
var floors = map[string]int{
	"wire/eio": 0, // bytes only: no I/O, no goroutine, no clock
	"wire/sio": 0,

	"engineio":          1,
	"cluster":           1,
	"sessions":          1,
	"internal/freeport": 0,
	"internal/leaks":    0, // what tests of every floor end with
	"internal/delivery": 1, // what delivery tests of every floor judge by
	"wire/arguments":    1, // what wire/sio has parsed, as the input of typed handlers; both ends use it
	"wire/msgpack":      1, // as pure as its neighbours, but made of wire/sio's packets

	"cluster/internal/pump":       1, // what the buses have in common
	"cluster/internal/brokertest": 1, // starts the brokers of Debian for tests

	// Below busurl, which chooses among them.
	"cluster/kafkabus":  2,
	"cluster/natsbus":   2,
	"cluster/rabbitbus": 2,
	"cluster/redisbus":  2,

	"core":    2,
	"auth":    2,
	"emitter": 2,

	"client": 2,

	"ginsio":  3,
	"echosio": 3,
	"chisio":  3,

	"siotest": 3,

	"sessions/sessiontest": 3,

	"cluster/busurl":             3,
	"cluster/clustertest":        3,
	"cluster/internal/faulttest": 3, // a network that fails between a bus and its broker
	"cluster/membus":             3,
	"cluster/nodewire":           3,

	"examples/login/app": 3, // what the four programs beside it have in common

	"cluster/internal/conformance": 5, // clients of several servers, over all brokers

	"docs":                             4,
	"cmd/siokit":                       4, // the client for people
	"examples/chat":                    4,
	"examples/cluster":                 4,
	"examples/jwt":                     4,
	"examples/standalone":              4,
	"examples/existing-gin-app":        4,
	"examples/existing-gin-app/after":  4,
	"examples/existing-gin-app/before": 4,
	"examples/login/chi":               4,
	"examples/login/echo":              4,
	"examples/login/gin":               4,
	"examples/login/nethttp":           4,
	"internal/archtest":                4,
	"internal/bench":                   4,
	"internal/bench/bareserver":        4,
	"internal/bench/siokitserver":      4,
	"internal/shake":                   4, // runs tests with pauses everywhere
	"internal/conformance":             4,
	"internal/conformance/authflow":    4,
	"internal/conformance/adapters":    4,
	"internal/conformance/client":      4,
	"internal/conformance/exampletest": 4,
	"internal/conformance/flask":       4,
}

// strangers are the web frameworks; only the package that mounts on one may import it.
var strangers = []string{
	"github.com/gin-gonic/gin",
	"github.com/labstack/echo",
	"github.com/go-chi/chi",
	"github.com/gofiber/fiber",
}

func TestEveryPackageHasAFloor(t *testing.T) {
	ours := ourPackages(t)
	for path := range ours {
		if _, ok := floors[path]; !ok {
			t.Errorf("%s has no floor: decide on one and add it to floors in this file", path)
		}
	}
	for path := range floors {
		if _, ok := ours[path]; !ok {
			t.Errorf("%s has a floor but no Go files: remove it from floors in this file", path)
		}
	}
}

func TestImportsPointDown(t *testing.T) {
	for path, p := range ourPackages(t) {
		if _, known := floors[path]; !known {
			continue
		}
		for _, imported := range p.Imports {
			target, known := floors[shortPath(imported)]
			if !strings.HasPrefix(imported, modulePath+"/") || !known {
				continue // not ours, or reported by TestEveryPackageHasAFloor
			}
			if target >= floors[path] {
				t.Errorf("%s (floor %d) imports %s (floor %d): only lower floors may be imported",
					path, floors[path], shortPath(imported), target)
			}
		}
	}
}

// What is in wire turns bytes into packets and back, and nothing else, so that it can be fuzzed as it is.
func TestWireIsPure(t *testing.T) {
	forbidden := []string{"net", "net/http", "os", "time", "context", "log", "log/slog"}
	for path, p := range ourPackages(t) {
		if !strings.HasPrefix(path, "wire/") {
			continue
		}
		for _, imported := range p.Imports {
			if slices.Contains(forbidden, imported) {
				t.Errorf("%s imports %s: wire does no I/O, starts no goroutine and reads no clock", path, imported)
			}
		}
	}
}

// core, sessions and auth meet only in the application: each can be used, or replaced, without the others.
func TestNeighboursDoNotKnowEachOther(t *testing.T) {
	for _, pair := range [][2]string{
		{"core", "auth"}, {"core", "sessions"}, {"auth", "core"}, {"auth", "engineio"}, {"sessions", "engineio"},
	} {
		p, ok := ourPackages(t)[pair[0]]
		if !ok {
			t.Errorf("package %s does not exist", pair[0])
			continue
		}
		if slices.Contains(p.Deps, modulePath+"/"+pair[1]) {
			t.Errorf("%s depends on %s: they meet through the hooks of core.Config", pair[0], pair[1])
		}
	}
}

// A worker that emits is small: it links no server, and no broker but its own.
func TestEmitterLinksNoServer(t *testing.T) {
	p, ok := ourPackages(t)["emitter"]
	if !ok {
		t.Fatal("package emitter does not exist")
	}
	for _, dep := range p.Deps {
		if dep == "net" || strings.HasPrefix(dep, "net/") || strings.HasPrefix(dep, modulePath+"/") && !slices.Contains([]string{"cluster", "wire/sio"}, shortPath(dep)) {
			t.Errorf("emitter depends on %s: it may know cluster and wire/sio", dep)
		}
	}
}

func TestOnlyMountsKnowFrameworks(t *testing.T) {
	for path, p := range ourPackages(t) {
		if floors[path] > 2 {
			continue
		}
		for _, dep := range p.Deps {
			for _, framework := range strangers {
				if strings.HasPrefix(dep, framework) {
					t.Errorf("%s depends on %s: frameworks belong to the packages that mount on them", path, dep)
				}
			}
		}
	}
}

func TestPackagesAreNamedByConcept(t *testing.T) {
	for path, p := range ourPackages(t) {
		for element := range strings.SplitSeq(path+"/"+p.Name, "/") {
			switch element {
			case "utils", "util", "common", "helpers", "helper", "types", "pkg", "misc", "shared":
				t.Errorf("%s: %q says nothing about what is inside; name the package after its concept", path, element)
			}
		}
	}
}
