#!/bin/sh
# Tests the client, and that its version is that of all clients. TAILSLIDE_PYTHON says with which Python.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${TAILSLIDE_PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null \
    || { echo "$python is missing or too old: install Python 3.9 or newer" >&2; exit 69; }
version=$(cat "$here/../VERSION")
grep -q "^version = \"$version\"$" "$here/pyproject.toml" \
    || { echo "pyproject.toml names another version than VERSION" >&2; exit 1; }
cd "$here"
PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 exec "$python" -W error -m unittest discover -s tests -p 'test_*.py'
