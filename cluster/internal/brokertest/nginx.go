package brokertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Nginx starts an nginx with these servers, maps and upstreams inside its http block.
func Nginx(t testing.TB, config string) *Process {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "nginx.conf")
	user := ""
	if os.Getuid() == 0 { // otherwise its workers change to somebody who may not write into dir
		user = "user root;"
	}
	text := fmt.Sprintf(`daemon off;
%s
worker_processes 1;
pid nginx.pid;
error_log stderr notice;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    map_hash_bucket_size 128;
%s
}
`, user, config)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &Process{
		ready: "start worker process", cure: "nginx is needed: run make setup-nginx",
		command: func() *exec.Cmd { return exec.Command("nginx", "-p", dir+"/", "-c", file) },
	}
	t.Cleanup(func() { p.Stop(t) })
	p.Start(t)
	return p
}
