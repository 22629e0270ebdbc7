#!/bin/bash
# Runs the adapters' tests and their rows of the conformance suite with other releases of the frameworks than
# go.mod requires: `make matrix`. docs/frameworks.md has the table. Each release gets a go.mod of its own in a
# temporary folder, with a replace directive, because go.mod's version is the least that one can have without.
set -u
cd "$(dirname "$0")/../.." || exit 1

# module, adapter, row of the suite, releases; what follows a slash are tests that this release is known to fail
matrix=(
  "github.com/gin-gonic/gin ginsio gin $(printf "%s/in_(bare_recorder|TimeoutHandler) " v1.9.1 v1.10.1 v1.11.0) v1.12.0"
  "github.com/labstack/echo/v4 echosio echo v4.11.1/Timeout.BodyDump v4.12.0 v4.13.4 v4.14.0 v4.15.4 v4.16.0"
  "github.com/go-chi/chi/v5 chisio chi v5.4.0 v5.5.0"
)

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0
for line in "${matrix[@]}"; do
  read -r module adapter row releases <<<"$line"
  for release in $releases; do
    version=${release%%/*} skip=()
    [ "$version" = "$release" ] || skip=(-skip "//${release#*/}")
    cp go.mod go.sum "$work"
    go mod edit -replace="$module=$module@$version" "$work/go.mod" || exit 1
    test=(go test -mod=mod -modfile="$work/go.mod" -count=1)
    if "${test[@]}" "./$adapter" >"$work/log" 2>&1 &&
      "${test[@]}" -run "/^$row" "${skip[@]}" ./internal/conformance/adapters >>"$work/log" 2>&1; then
      echo "ok    $module $version"
    else
      echo "FAIL  $module $version"
      grep -E '^ *--- FAIL|\.go:[0-9]+:[0-9 ]' "$work/log" | cut -c1-300 | head -30
      failed=1
    fi
  done
done
exit $failed
