#!/bin/sh
# Tests the client, and that its version is that of all clients.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
command -v ruby >/dev/null || { echo "ruby is missing: install Ruby 3.0 or newer" >&2; exit 69; }
ruby -e 'require "minitest"' 2>/dev/null || { echo "minitest is missing: gem install minitest" >&2; exit 69; }
version=$(cat "$here/../VERSION")
grep -q "^    VERSION = \"$version\"$" "$here/lib/tailslide_client.rb" \
    || { echo "lib/tailslide_client.rb names another version than VERSION" >&2; exit 1; }
exec ruby -w "$here/test/client_test.rb"
