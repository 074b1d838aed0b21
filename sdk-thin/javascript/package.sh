#!/bin/sh
# package.sh OUT_DIR: builds tailslide-client-VERSION.tgz.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
command -v npm >/dev/null || { echo "npm is missing: install Node.js 18 or newer" >&2; exit 69; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
cp "$here/index.js" "$here/index.d.ts" "$here/package.json" "$here/README.md" "$here/../../LICENSE" "$built/"
cd "$built"
npm pack --offline --silent --pack-destination "$out"
