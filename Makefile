# Two commands are all a fresh machine needs: "make run" and "make test". Each installs what it lacks,
# and does nothing when nothing is missing. "make help" lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test check fmt vet staticcheck test-reference matrix fuzz soak shake bench setup setup-go setup-node setup-browser setup-redis setup-rabbitmq setup-nginx setup-python setup-flask summary clean

# Recipes share the package manager's lock, node_modules and test-results, so -j runs one at a time, too.
.NOTPARALLEL:

comma := ,
RESULTS  := test-results
FUZZTIME ?= 60s
SOAKRUNS ?= 5
PACKAGES ?= ./...
SHAKE    ?= -every 400 -pause 3ms

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

run: setup-go setup-node ## serve the chat example on ADDR (default 127.0.0.1:5000)
	@go run ./examples/chat

# check has run vet; and since many packages wait for other programs, one more than there are processors may run.
test: setup check ## everything: formatting, vet, staticcheck, Go tests with -race, JavaScript clients, browser
	@rm -rf $(RESULTS) && mkdir -p $(RESULTS)
	@SIOKIT_RESULTS=$(CURDIR)/$(RESULTS) go test -race -count=1 -vet=off -p $$(($$(getconf _NPROCESSORS_ONLN) + 1)) -timeout 40m ./... 2>&1 | tee $(RESULTS)/go.txt; \
	  status=$$?; $(MAKE) --no-print-directory summary; exit $$status

# The closing lines of each runner, so that the counts are the last thing to read.
summary:
	@for report in $(RESULTS)/node-*.txt $(RESULTS)/python-*.txt; do \
	  [ -e "$$report" ] || continue; \
	  echo; echo "== $$report"; \
	  grep -E '^(ℹ (tests|pass|fail|cancelled|skipped|todo|duration_ms)|[0-9]+ upgrades in|Ran [0-9]+ tests|OK|FAILED) ?' "$$report"; \
	done; true
	@echo; echo "== go test -race ./..."; grep -E '^(ok|FAIL|panic:|\?) ?' $(RESULTS)/go.txt; \
	  echo "$$(grep -c '^ok' $(RESULTS)/go.txt) packages ok, $$(grep -cE '^FAIL\s+\S' $(RESULTS)/go.txt) failed"

check: setup-go fmt vet staticcheck ## formatting, vet and staticcheck only

fmt:
	@unformatted=$$(gofmt -l $$(go list -f '{{.Dir}}' ./...)); \
	  if [ -n "$$unformatted" ]; then echo "gofmt -w would change:"; echo "$$unformatted"; exit 1; fi
	@echo "gofmt: ok"

vet:
	@go vet ./... && echo "go vet: ok"

staticcheck:
	@go tool staticcheck ./... && echo "staticcheck: ok"

test-reference: setup-node ## run the JavaScript suite against socket.io's own server, which it must pass
	@node internal/conformance/js/against-reference.mjs

matrix: setup-go setup-node ## the adapters with older releases of gin, echo and chi (minutes; not part of test)
	@internal/conformance/matrix.sh

fuzz: setup-go ## fuzz every target for FUZZTIME (default 60s) each
	@grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed -E 's/:func /:/' | sort | \
	while IFS=: read -r file target; do \
	  echo "== $$target in $$(dirname "$$file")"; \
	  said=$$(mktemp); \
	  go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" 2>&1 | tee "$$said"; status=$$?; \
	  if [ $$status != 0 ] && grep -q 'context deadline exceeded' "$$said" && ! grep -qE 'Failing input|panic:|hung or terminated' "$$said"; then \
	    echo "nothing was found: a worker was busy when the time was over"; status=0; \
	  fi; \
	  rm -f "$$said"; [ $$status = 0 ] || exit 1; \
	done

soak: setup ## the tests SOAKRUNS (default 5) times over, with long loads and 10,000 upgrades
	@SIOKIT_SOAK=1 SIOKIT_UPGRADES=$${SIOKIT_UPGRADES:-10000} go test -race -count=$(SOAKRUNS) -timeout 3h ./...

shake: setup ## the tests of PACKAGES with pauses at random places, as SHAKE says; finds what a busy machine breaks
	@go run ./internal/shake $(SHAKE) $(PACKAGES)

bench: setup-go setup-node setup-redis ## compare with a bare WebSocket server and with socket.io's own
	@go run ./internal/bench

setup: setup-go setup-node setup-browser setup-redis setup-rabbitmq setup-nginx setup-python setup-flask ## install what the tests need; a no-op when nothing is missing

setup-go:
	@command -v go >/dev/null || { echo "Go is missing: install Go 1.26.6 or newer, see https://go.dev/doc/install"; exit 1; }
	@go mod download

# node_modules remembers the lock file it was made from.
LOCK_STAMP := node_modules/.made-from
setup-node:
	@command -v npm >/dev/null || { echo "Node.js with npm is missing: install Node.js 20 or newer (Debian: apt-get install nodejs npm)"; exit 1; }
	@wanted=$$(cat package.json package-lock.json | sha256sum | cut -d' ' -f1); \
	if [ "$$(cat $(LOCK_STAMP) 2>/dev/null)" != "$$wanted" ]; then \
	  echo "installing the npm packages of package-lock.json"; \
	  npm ci --no-audit --no-fund && echo "$$wanted" >$(LOCK_STAMP); \
	fi

# debian installs packages (2) unless the check (1) finds what it needs; only root can.
debian = @if $(1); then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing the Debian packages $(2)"; \
	  wait="-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"; \
	  apt-get $$wait update -qq && DEBIAN_FRONTEND=noninteractive apt-get $$wait install -y -qq --no-install-recommends $(2) >/dev/null; \
	else \
	  echo "missing: $(2). Install it (Debian: sudo apt-get install $(2))$(3)"; exit 1; \
	fi

setup-browser:
	$(call debian,[ -n "$$CHROMIUM" ] || command -v chromium chromium-browser google-chrome >/dev/null,chromium,$(comma) or set CHROMIUM to its path)

# The tests start all these servers themselves, each run its own on free ports, and touch none that is running.
setup-redis:
	$(call debian,command -v redis-server >/dev/null,redis-server)

setup-rabbitmq:
	$(call debian,[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null,rabbitmq-server)

setup-nginx: # docs/deployment/nginx.conf runs in it
	$(call debian,command -v nginx >/dev/null || [ -x /usr/sbin/nginx ],nginx)

setup-python: # python-socketio, as peer on the bus and as client
	$(call debian,/usr/bin/python3 -c 'import socketio$(comma) redis$(comma) requests$(comma) websocket$(comma) aiohttp' 2>/dev/null,python3-socketio python3-redis python3-requests python3-websocket python3-aiohttp)

setup-flask: # the Go client is judged against Flask-SocketIO, as Debian has it
	$(call debian,/usr/bin/python3 -c 'import flask_socketio; import eventlet' 2>/dev/null,python3-flask-socketio python3-eventlet)

clean: ## remove what the targets above made
	@rm -rf node_modules $(RESULTS)
