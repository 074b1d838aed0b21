#!/bin/sh
# Tests the client, and that its manifest names the version of all clients.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
command -v javac >/dev/null || { echo "javac is missing: install a JDK of Java 11 or newer" >&2; exit 69; }
version=$(cat "$here/../VERSION")
grep -q "^    <version>$version</version>$" "$here/pom.xml" || { echo "pom.xml names another version than VERSION" >&2; exit 1; }
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
javac --release 11 -Xlint:all -Werror -d "$built" \
    "$here/src/main/java/io/tailslide/client/Tailslide.java" "$here/tests/ClientTest.java" "$here/conformance/Driver.java"
java -cp "$built" io.tailslide.client.ClientTest
