package core

import (
	"fmt"
	"net/http"
	"strings"
)

// Mount serves srv on path of mux, with and without the last slash, and the browser client's
// files below it. (mux.Handle of the path with the slash alone would redirect requests without
// it, which breaks POST.) For gin, echo and chi see packages ginsio, echosio and chisio.
//
// Mount panics if path does not end in Config.Path, or is taken.
func Mount(mux *http.ServeMux, path string, srv *Server) {
	base := srv.MountPath(path)
	mux.Handle(base, srv)
	mux.Handle(base+"/", srv)
}

// MountPath returns path without its last slash, for adapters. It panics if the server would not
// answer there, because every request would be a 404.
func (s *Server) MountPath(path string) (base string) {
	base = strings.TrimSuffix(path, "/")
	if !strings.HasSuffix(base, strings.TrimSuffix(s.cfg.Path, "/")) {
		panic(fmt.Sprintf("core: mounted on %q, but the server answers on paths that end in %q: mount it on %q, or set Config.Path", path, s.cfg.Path, base+s.cfg.Path))
	}
	return base
}
