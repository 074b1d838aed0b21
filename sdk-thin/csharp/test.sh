#!/bin/sh
# Tests the client, and that its manifest names the version of all clients.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
command -v mcs >/dev/null && command -v mono >/dev/null || { echo "mcs or mono is missing: install Mono 6" >&2; exit 69; }
version=$(cat "$here/../VERSION")
grep -q "^    <Version>$version</Version>$" "$here/Tailslide.Client.csproj" \
    || { echo "Tailslide.Client.csproj names another version than VERSION" >&2; exit 1; }
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
mcs -langversion:7.2 -warnaserror -target:library -sdk:4.7.2-api -r:System.Net.Http -doc:"$built/documentation.xml" \
    -out:"$built/Tailslide.Client.dll" "$here/TailslideClient.cs"
mcs -langversion:7.2 -warnaserror -r:System.Net.Http -r:"$built/Tailslide.Client.dll" -out:"$built/ClientTest.exe" \
    "$here/tests/ClientTest.cs"
mono --debug "$built/ClientTest.exe"
