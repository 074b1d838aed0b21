#!/bin/sh
# Tests the client, its types, and that its version is that of all clients.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null \
    || { echo "node is missing or too old: install Node.js 18 or newer" >&2; exit 69; }
version=$(cat "$here/../VERSION")
grep -q "^  \"version\": \"$version\",$" "$here/package.json" \
    || { echo "package.json names another version than VERSION" >&2; exit 1; }
cd "$here"
node --test tests/*.test.mjs
modules=$here/../../tower/dashboard/node_modules
if [ -x "$modules/.bin/tsc" ] && [ -d "$modules/@types/node" ]; then
    "$modules/.bin/tsc" --noEmit --strict --module nodenext --target es2022 --lib es2022 \
        --typeRoots "$modules/@types" --types node tests/types.mts tests/types.cts
else
    echo "the types are not tested: npm ci in tower/dashboard brings the compiler" >&2
fi
