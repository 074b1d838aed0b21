#!/bin/sh
# package.sh OUT_DIR: builds tailslide-client-VERSION.jar, its sources and its pom, as Maven Central takes them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
command -v javac >/dev/null || { echo "javac is missing: install a JDK of Java 11 or newer" >&2; exit 69; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
name=$out/tailslide-client-$(cat "$here/../VERSION")
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
mkdir -p "$built/classes/META-INF" "$built/sources/META-INF" "$built/documentation"
source=$here/src/main/java/io/tailslide/client/Tailslide.java
javac --release 11 -d "$built/classes" "$source"
javadoc -quiet -Xdoclint:none --release 11 -d "$built/documentation" "$source"
cp -R "$here/src/main/java/io" "$built/sources/"
cp "$here/../../LICENSE" "$built/classes/META-INF/"
cp "$here/../../LICENSE" "$built/sources/META-INF/"
printf 'Automatic-Module-Name: io.tailslide.client\n' > "$built/manifest"
jar --create --file "$name.jar" --manifest "$built/manifest" -C "$built/classes" .
jar --create --file "$name-sources.jar" -C "$built/sources" .
jar --create --file "$name-javadoc.jar" -C "$built/documentation" .
cp "$here/pom.xml" "$name.pom"
