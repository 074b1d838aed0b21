#!/bin/sh
# Tests the client. Its version is that of the module's tag, sdk-thin/go/vVERSION; no file here names it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
command -v go >/dev/null || { echo "go is missing: install Go 1.21 or newer" >&2; exit 69; }
cd "$here"
unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { echo "gofmt would change $unformatted" >&2; exit 1; }
go vet ./...
exec go test ./...
