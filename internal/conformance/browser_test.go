package conformance_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/siokit/siokit/internal/conformance"
	"github.com/siokit/siokit/internal/conformance/exampletest"
)

// TestChatInBrowser drives the chat example, as its users start it, in Chromium.
func TestChatInBrowser(t *testing.T) {
	root := moduleRoot(t)
	suite(t)
	screenshots := t.TempDir()
	if dir := os.Getenv("SIOKIT_RESULTS"); dir != "" {
		screenshots = filepath.Join(dir, "screenshots")
	}
	exampletest.NodeFiles(t, "browser", []string{filepath.Join("js", "chat.browser.test.mjs")},
		"CHAT_URL="+startChat(t, root), "SCREENSHOTS="+screenshots)
}

// startChat builds and starts the chat on a free port and returns its URL, which the chat logs.
func startChat(t *testing.T, root string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "chat")
	build := exec.Command("go", "build", "-o", program, "./examples/chat")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build ./examples/chat: %v\n%s", err, out)
	}
	chat := exec.Command(program)
	chat.Dir = root
	chat.Env = append(os.Environ(), "ADDR=127.0.0.1:0", "SESSION_KEY=a key for one run of the tests only")
	log, err := chat.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := chat.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan string, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		defer close(found)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			t.Log("chat: ", lines.Text())
			if url := regexp.MustCompile(`url=(http://\S+)`).FindStringSubmatch(lines.Text()); url != nil {
				select {
				case found <- url[1]:
				default:
				}
			}
		}
	}()
	t.Cleanup(func() {
		if err := chat.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		<-drained
		if err := chat.Wait(); err != nil {
			t.Errorf("the chat did not end well: %v", err)
		}
	})
	url, ok := <-found
	if !ok {
		t.Fatal("the chat ended without serving")
	}
	return url
}

// TestOldClientInBrowser runs socket.io-client 2 in Chromium, with every transport that it has there.
func TestOldClientInBrowser(t *testing.T) {
	exampletest.NeedNode(t)
	suite(t)
	fixture, err := conformance.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fixture.Close(); err != nil {
			t.Errorf("the fixture did not end: %v", err)
		}
	})
	exampletest.NodeFiles(t, "browser-old", []string{filepath.Join("js", "old.browser.test.mjs")}, fixture.Env()...)
}
