#!/bin/sh
# package.sh OUT_DIR: builds a module proxy of this one version, tailslide-client-go-VERSION, as GOPROXY=file://… takes it.
#
# Publishing is a tag, sdk-thin/go/vVERSION: proxies then make the same zip of the repository.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
command -v python3 >/dev/null || { echo "python3 is missing: install Python 3" >&2; exit 69; }
version=v$(cat "$here/../VERSION")
module=$(sed -n 's/^module //p' "$here/go.mod")
versions=$1/tailslide-client-go-${version#v}/$module/@v
mkdir -p "$versions"
python3 - "$here" "$versions/$version.zip" "$module@$version" <<'PYTHON'
import sys
import zipfile
from pathlib import Path

here, package, prefix = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
    for file in sorted(here.rglob("*")):
        if file.is_file():
            archive.write(file, f"{prefix}/{file.relative_to(here).as_posix()}")
    archive.write(here.parents[1] / "LICENSE", f"{prefix}/LICENSE")
PYTHON
cp "$here/go.mod" "$versions/$version.mod"
printf '{"Version": "%s"}\n' "$version" > "$versions/$version.info"
echo "$version" > "$versions/list"
