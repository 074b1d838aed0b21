#!/bin/sh
# package.sh OUT_DIR: builds tailslide-client-VERSION.gem.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
command -v gem >/dev/null || { echo "gem is missing: install Ruby 3.0 or newer" >&2; exit 69; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
cp -R "$here/lib" "$here/README.md" "$here/tailslide-client.gemspec" "$here/../../LICENSE" "$built/"
cd "$built"
gem build --strict --output "$out/tailslide-client-$(cat "$here/../VERSION").gem" tailslide-client.gemspec
