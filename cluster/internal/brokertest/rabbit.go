package brokertest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A RabbitMQ is a broker without plugins, and an Erlang port mapper of its own.
type RabbitMQ struct {
	*Process
	env []string
}

// rabbitBin is where Debian keeps the programs themselves; those in the PATH change to another user.
const rabbitBin = "/usr/lib/rabbitmq/bin"

// program returns the path of one of RabbitMQ's programs.
func program(name string) string {
	if path := filepath.Join(rabbitBin, name); exec.Command("test", "-x", path).Run() == nil {
		return path
	}
	return name
}

// StartRabbitMQ starts a RabbitMQ. That takes some seconds.
func StartRabbitMQ(t testing.TB) *RabbitMQ {
	t.Helper()
	dir, port, mapper := t.TempDir(), FreePort(t), FreePort(t)
	plugins := filepath.Join(dir, "enabled_plugins")
	if err := os.WriteFile(plugins, []byte("[].\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const cure = "rabbitmq-server is needed: run make setup-rabbitmq"
	r := &RabbitMQ{env: append(os.Environ(),
		"HOME="+dir, // the Erlang cookie is kept there
		"RABBITMQ_NODENAME=siokit-"+port+"@localhost",
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT="+port, "RABBITMQ_DIST_PORT="+FreePort(t),
		"ERL_EPMD_PORT="+mapper,
		"RABBITMQ_MNESIA_BASE="+dir, "RABBITMQ_LOG_BASE="+dir, "RABBITMQ_LOGS=-",
		"RABBITMQ_ENABLED_PLUGINS_FILE="+plugins,
		"RABBITMQ_CONF_ENV_FILE="+filepath.Join(dir, "none"), "RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "none"),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 1:1 +sbwt none", // no busy waiting: the tests want the processor
	)}
	epmd := exec.Command("epmd", "-port", mapper)
	if err := epmd.Start(); err != nil {
		t.Fatalf("%v: %s", err, cure)
	}
	t.Cleanup(func() { _ = epmd.Process.Kill(); _ = epmd.Wait() })
	r.Process = &Process{
		Addr: net.JoinHostPort("127.0.0.1", port), ready: "Server startup complete", cure: cure,
		command: func() *exec.Cmd {
			cmd := exec.Command(program("rabbitmq-server"))
			cmd.Env, cmd.Dir = r.env, dir
			return cmd
		},
	}
	t.Cleanup(func() { r.Stop(t) })
	r.Start(t)
	return r
}

// URL is how clients connect.
func (r *RabbitMQ) URL() string { return "amqp://guest:guest@" + r.Addr + "/" }

// Control runs rabbitmqctl.
func (r *RabbitMQ) Control(t testing.TB, args ...string) {
	t.Helper()
	cmd := exec.Command(program("rabbitmqctl"), args...)
	cmd.Env = r.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("rabbitmqctl %v: %v\n%s", args, err, out)
	}
}
