#!/bin/sh
# package.sh OUT_DIR: builds Tailslide.Client.VERSION.nupkg, with the .NET SDK where there is one.
#
# With Mono alone the package is put together by hand. What Mono's compiler makes refers to the libraries of .NET Framework
# (mscorlib, System) and not to netstandard, so it goes into lib/net472: it is for .NET Framework 4.7.2 and Mono. A package
# for netstandard2.0, which .NET takes, needs the SDK; a package by hand is for trying and not for publishing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
version=$(cat "$here/../VERSION")
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
if command -v dotnet >/dev/null; then
    mkdir -p "$built/sdk-thin/csharp"
    cp "$here/Tailslide.Client.csproj" "$here/TailslideClient.cs" "$here/README.md" "$built/sdk-thin/csharp/"
    cp "$here/../../LICENSE" "$built/"
    dotnet pack -c Release -o "$out" "$built/sdk-thin/csharp/Tailslide.Client.csproj"
    exit
fi
command -v mcs >/dev/null || { echo "dotnet and mcs are missing: install the .NET SDK or Mono 6" >&2; exit 69; }
command -v python3 >/dev/null || { echo "python3 is missing: install Python 3" >&2; exit 69; }
mkdir -p "$built/lib/net472"
printf '[assembly: System.Reflection.AssemblyVersion("%s.0")]\n' "$version" > "$built/version.cs"
mcs -langversion:7.2 -warnaserror -target:library -optimize -sdk:4.7.2-api -r:System.Net.Http \
    -doc:"$built/lib/net472/Tailslide.Client.xml" -out:"$built/lib/net472/Tailslide.Client.dll" \
    "$here/TailslideClient.cs" "$built/version.cs"
cp "$here/README.md" "$here/../../LICENSE" "$built/"
rm "$built/version.cs"
python3 - "$built" "$here/Tailslide.Client.csproj" "$out/Tailslide.Client.$version.nupkg" <<'PYTHON'
import sys
import xml.etree.ElementTree as xml
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

built, project, package = sys.argv[1:]
manifest = {item.tag: escape(item.text) for item in xml.parse(project).getroot().iter() if item.text}
nuspec = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
  <metadata>
    <id>{PackageId}</id>
    <version>{Version}</version>
    <authors>{Authors}</authors>
    <license type="expression">{PackageLicenseExpression}</license>
    <readme>{PackageReadmeFile}</readme>
    <projectUrl>{PackageProjectUrl}</projectUrl>
    <description>{Description}</description>
    <tags>{PackageTags}</tags>
    <dependencies><group targetFramework=".NETFramework4.7.2" /></dependencies>
    <frameworkAssemblies><frameworkAssembly assemblyName="System.Net.Http" targetFramework=".NETFramework4.7.2" /></frameworkAssemblies>
  </metadata>
</package>
""".format(**manifest)
types = """<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml" />
  <Default Extension="nuspec" ContentType="application/octet" />
  <Default Extension="dll" ContentType="application/octet" />
  <Default Extension="xml" ContentType="application/octet" />
  <Default Extension="md" ContentType="application/octet" />
  <Override PartName="/LICENSE" ContentType="application/octet" />
</Types>
"""
relations = """<?xml version="1.0" encoding="utf-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
  <Relationship Type="http://schemas.microsoft.com/packaging/2010/07/manifest" Target="/Tailslide.Client.nuspec" Id="R1" />
</Relationships>
"""
with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("[Content_Types].xml", types)
    archive.writestr("_rels/.rels", relations)
    archive.writestr("Tailslide.Client.nuspec", nuspec)
    for file in sorted(Path(built).rglob("*")):
        if file.is_file():
            archive.write(file, file.relative_to(built).as_posix())
PYTHON
echo "built by hand for .NET Framework 4.7.2 and Mono; the package for netstandard2.0 needs the .NET SDK" >&2
