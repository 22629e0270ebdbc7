package sessiontest_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/boj/redistore"
	gincookie "github.com/gin-contrib/sessions/cookie"
	ginredis "github.com/gin-contrib/sessions/redis"
	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/internal/leaktest"
	"github.com/siokit/siokit/sessions/sessiontest"
)

func TestMain(m *testing.M) { leaktest.Main(withRedis{m}) }

// withRedis runs tests while there is a redis-server.
type withRedis struct{ *testing.M }

func (m withRedis) Run() int {
	socket, stop, err := startRedis()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sessiontest: redis-server does not start:", err)
		return m.M.Run()
	}
	defer stop()
	redisSocket = socket
	return m.M.Run()
}

var testKey = []byte("0123456789abcdef0123456789abcdef")

func redisStore(t *testing.T) *redistore.RediStore {
	t.Helper()
	store, err := redistore.NewRediStore(4, "unix", needRedis(t), "", "", testKey)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func ginRedisStore(t *testing.T) ginredis.Store {
	t.Helper()
	store, err := ginredis.NewStore(4, "unix", needRedis(t), "", "", testKey)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if inside, err := ginredis.GetRedisStore(store); err == nil {
			inside.Close()
		}
	})
	return store
}

func TestCookieStore(t *testing.T) {
	sessiontest.Run(t, sessiontest.CookieOnly, func(*testing.T) gorilla.Store { return gorilla.NewCookieStore(testKey, testKey) })
}

func TestGinCookieStore(t *testing.T) {
	sessiontest.Run(t, sessiontest.CookieOnly, func(*testing.T) gorilla.Store { return gincookie.NewStore(testKey) })
}

func TestFilesystemStore(t *testing.T) {
	sessiontest.Run(t, sessiontest.ServerSide, func(t *testing.T) gorilla.Store {
		return gorilla.NewFilesystemStore(t.TempDir(), testKey)
	})
}

func TestRediStore(t *testing.T) {
	sessiontest.Run(t, sessiontest.ServerSide, func(t *testing.T) gorilla.Store { return redisStore(t) })
}

func TestRediStoreWithJSON(t *testing.T) {
	sessiontest.Run(t, sessiontest.ServerSide, func(t *testing.T) gorilla.Store {
		store := redisStore(t)
		store.SetSerializer(redistore.JSONSerializer{})
		return store
	})
}

func TestGinRedisStore(t *testing.T) {
	sessiontest.Run(t, sessiontest.ServerSide, func(t *testing.T) gorilla.Store { return ginRedisStore(t) })
}
