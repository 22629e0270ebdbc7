package core_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/siokit/siokit/core"
)

// Who sends requests to Check's listener while Check ends: none of them begins in the application afterwards.
func TestCheckLetsNobodyInAfterItself(t *testing.T) {
	a := serve(t, core.Config{})
	for range 15 {
		var over atomic.Bool
		var strangers sync.WaitGroup
		var once sync.Once
		err := a.Check(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if over.Load() {
				t.Error("a request began after Check had returned")
			}
			if r.URL.Path == "/stranger" {
				return
			}
			once.Do(func() {
				for range 4 {
					strangers.Go(func() {
						client := &http.Client{Transport: &http.Transport{}}
						defer client.CloseIdleConnections()
						for {
							resp, err := client.Get("http://" + r.Host + "/stranger")
							if err != nil {
								return
							}
							_ = resp.Body.Close()
						}
					})
				}
			})
			a.Server.ServeHTTP(w, r)
		}), "", nil)
		over.Store(true)
		if err != nil {
			t.Error(err)
		}
		strangers.Wait()
	}
}
