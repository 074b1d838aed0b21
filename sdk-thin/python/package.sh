#!/bin/sh
# package.sh OUT_DIR: builds the wheel and the sdist. TAILSLIDE_PYTHON says with which Python; it needs hatchling.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${TAILSLIDE_PYTHON:-$root/.venv/bin/python}
[ -x "$python" ] || python=python3
"$python" -c 'import hatchling' 2>/dev/null || { echo "hatchling is missing: pip install hatchling" >&2; exit 69; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
cp -R "$here/tailslide_client" "$here/pyproject.toml" "$here/README.md" "$root/LICENSE" "$built/"
cd "$built"
"$python" -m hatchling build -d "$out" >/dev/null
