"""Packages of the thin clients, as `package.sh` builds them, each installed where there is nothing else.

No registry is asked: what a package needs besides the language itself would be missing here. What programs do with the
clients is in `client_programs`.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from suite_install import without

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "sdk-thin"
VERSION = (CLIENTS / "VERSION").read_text().strip()
MISSING = 69
"""The exit status of a script whose language is not installed (EX_UNAVAILABLE of sysexits.h)."""
TIMEOUT_S = 100


def run_script(*command: str | Path) -> str:
    """Return what a client's script says; skip the test where its language is missing."""
    environment = {**os.environ, "TAILSLIDE_PYTHON": sys.executable}
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_S, env=environment)
    if ended.returncode == MISSING:
        without(ended.stderr.strip())
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    return said


class Packages:
    """The packages of all languages, each built once, when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, language: str) -> Path:
        """Return the folder where the package of a language is; skip the test if the language is missing."""
        out = self._folder / language
        if not out.exists():
            script = CLIENTS / language / "package.sh"
            if not script.exists():
                without(f"there is no package for {language} yet")
            run_script(script, out)
        return out

    def install(self, language: str, folder: Path) -> "Installed":
        """Return a language with its package installed into a folder."""
        built = self.of(language)
        installed = LANGUAGES[language](folder)
        installed.install(built)
        return installed


class Installed(ABC):
    """A language with the client's package, installed from the built file into a folder of its own."""

    tools: tuple[str, ...] = ()
    program = ""
    """The file that a program is written to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = [tool for tool in self.tools if shutil.which(tool) is None]
        if missing:
            without(f"not installed: {' and '.join(missing)}")

    @abstractmethod
    def install(self, built: Path) -> None:
        """Install the package from the folder where it has been built."""

    @abstractmethod
    def prepare(self, program: str) -> list[str | Path]:
        """Write down a program, compile it if need be, and return the command that runs it."""

    def environment(self) -> Mapping[str, str]:
        """Return what the language is told besides, so that it finds nothing but the package."""
        return {}

    def run(self, *command: str | Path, **environment: str) -> str:
        """Return the standard output of a command in the folder; with an error if it fails."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TAILSLIDE_", "PYTHON", "RUBY", "GEM_", "NODE_", "GO", "CLASSPATH"))
        }
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**kept, **self.environment(), **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def written(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.write_text(text)
        return file


def only(built: Path, pattern: str) -> Path:
    """Return the one file that has this name."""
    (found,) = built.glob(pattern)
    return found


class Python(Installed):
    """A virtual environment without pip; the one of the tests installs into it."""

    program = "example.py"

    def install(self, built: Path) -> None:
        self.run(sys.executable, "-m", "venv", "--without-pip", "env")
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self.python)
        self.run(*pip, "install", "--quiet", "--no-index", only(built, "*.whl"))

    @property
    def python(self) -> Path:
        return self.folder / "env" / "bin" / "python"

    def prepare(self, program: str) -> list[str | Path]:
        return [self.python, "-I", "-W", "error", self.written(self.program, program)]


class JavaScript(Installed):
    """An empty project with the package as its one dependency; programs are ES modules."""

    tools = ("node", "npm")
    program = "example.mjs"

    def environment(self) -> Mapping[str, str]:
        return {"npm_config_cache": str(self.folder / "cache"), "npm_config_offline": "true"}

    def install(self, built: Path) -> None:
        self.written("package.json", '{"name": "example", "private": true}')
        self.run("npm", "install", "--no-audit", "--no-fund", only(built, "*.tgz"))

    def prepare(self, program: str) -> list[str | Path]:
        return ["node", self.written(self.program, program)]


class Go(Installed):
    """A module of its own that takes the client from a folder laid out as Go's module proxy, and has no other proxy."""

    tools = ("go",)
    program = "main.go"
    MODULE = "github.com/tailslide/tailslide/sdk-thin/go"

    def environment(self) -> Mapping[str, str]:
        return {
            "GOFLAGS": "-mod=mod -modcacherw",
            "GOMODCACHE": str(self.folder / "modules"),
            "GOPROXY": f"file://{self.folder}/proxy",
            "GOSUMDB": "off",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }

    def install(self, built: Path) -> None:
        (self.folder / "proxy").symlink_to(only(built, f"*-{VERSION}"))
        self.run("go", "mod", "init", "example")
        self.run("go", "get", f"{self.MODULE}@v{VERSION}")

    def prepare(self, program: str) -> list[str | Path]:
        self.written(self.program, program)
        self.run("go", "vet", ".")
        self.run("go", "build", "-o", "program", ".")
        return [self.folder / "program"]


class Ruby(Installed):
    """A folder of gems that has only this one."""

    tools = ("ruby", "gem")
    program = "example.rb"

    def environment(self) -> Mapping[str, str]:
        return {"GEM_HOME": str(self.folder / "gems"), "GEM_PATH": str(self.folder / "gems")}

    def install(self, built: Path) -> None:
        self.run("gem", "install", "--local", "--no-document", only(built, "*.gem"))

    def prepare(self, program: str) -> list[str | Path]:
        return ["ruby", self.written(self.program, program)]


class Java(Installed):
    """The jar alone on the class path."""

    tools = ("java", "javac")
    program = "Example.java"

    def install(self, built: Path) -> None:
        self.jar = only(built, f"*-{VERSION}.jar")

    def prepare(self, program: str) -> list[str | Path]:
        source = self.written(self.program, program)
        self.run("javac", "--release", "11", "-Xlint:all", "-Werror", "-cp", self.jar, "-d", self.folder, source)
        return ["java", "-cp", f"{self.jar}{os.pathsep}{self.folder}", "Example"]


class CSharp(Installed):
    """The library out of the package, beside a program of Mono."""

    tools = ("mcs", "mono")
    program = "Example.cs"

    def install(self, built: Path) -> None:
        with zipfile.ZipFile(only(built, "*.nupkg")) as package:
            (library,) = [name for name in package.namelist() if name.endswith("/Tailslide.Client.dll")]
            (self.folder / "Tailslide.Client.dll").write_bytes(package.read(library))

    def prepare(self, program: str) -> list[str | Path]:
        source = self.written(self.program, program)
        references = ("-r:System.Net.Http", "-r:Tailslide.Client.dll")
        self.run("mcs", "-langversion:7.2", "-warnaserror", *references, "-out:Example.exe", source)
        return ["mono", "Example.exe"]


LANGUAGES: Mapping[str, type[Installed]] = {
    "python": Python,
    "javascript": JavaScript,
    "go": Go,
    "ruby": Ruby,
    "java": Java,
    "csharp": CSharp,
}
