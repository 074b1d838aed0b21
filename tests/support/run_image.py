"""Carries out a Dockerfile without a container engine: each stage in a Debian root, and a process in what came out.

`debootstrap` makes the root from the archive that this machine's apt uses; `chroot` runs the steps in it. Each stage is
a layer of an overlay file system, so that an image can be mounted read-only. All mounts are in a namespace of their
own, which `unshare` makes and which ends with the process. Takes root.

As a program: `run_image.py build FOLDER` makes all stages in FOLDER, `run_image.py run FOLDER TARGET COMMAND…` becomes
COMMAND in the image TARGET, as its user, without capabilities, with the settings of Tailslide in the environment.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from dockerfile import Config, Ignored, Instruction, Stage, config_of, context_files, read_stages

CHECKOUT = Path(__file__).parents[2]
DOCKERFILE = CHECKOUT / "deploy" / "docker" / "Dockerfile"
TARGETS = ("sidecar", "tower", "aerobat")
# A machine behind a proxy or with a certificate authority of its own says so in these.
_OF_THE_MACHINE = ("PIP_", "NPM_", "npm_", "NODE_EXTRA_", "SSL_", "HTTP", "NO_PROXY", "http", "no_proxy")
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
BASE = "base"


def in_namespace(*words: str | Path) -> list[str]:
    """Return the command that runs this file with these words in a mount namespace of its own."""
    own = ("unshare", "--mount", "--propagation", "private", sys.executable, Path(__file__))
    return [str(word) for word in (*own, *words)]


def archive() -> str:
    """Return the address of the Debian archive that this machine's apt uses."""
    done = subprocess.run(
        ("apt-get", "indextargets", "--format", "$(SITE)"), check=True, capture_output=True, text=True
    )
    sites = done.stdout.split()
    if not sites:
        raise SystemExit("apt knows no archive")
    return sites[0]


class Build:
    """The stages in a folder: `layers/<stage>` has what each adds, `work` and `roots` are for the mounts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stages = read_stages(DOCKERFILE.read_text())

    def layers(self, name: str) -> list[Path]:
        """Return the folders that a stage lies on, its own first."""
        if name not in self.stages:
            return [self.folder / BASE]
        return [self.folder / "layers" / name, *self.layers(self.stages[name].base)]

    def root(self, name: str) -> Path:
        """Return where a stage is mounted."""
        return self.folder / "roots" / name

    def make(self) -> None:
        """Make the base and all stages."""
        image = next(stage.base for stage in self.stages.values() if stage.base not in self.stages)
        suite = image.removeprefix("debian:").removesuffix("-slim")
        _run("debootstrap", "--variant=minbase", suite, self.folder / BASE, archive())
        # As in Debian's own images: what a power cut leaves of this root matters to nobody.
        (self.folder / BASE / "etc" / "dpkg" / "dpkg.cfg.d" / "unsafe-io").write_text("force-unsafe-io\n")
        for stage in self.stages.values():
            print(f"== {stage.name}", flush=True)
            self._make_stage(stage)

    def _make_stage(self, stage: Stage) -> None:
        root, work = self.root(stage.name), self.folder / "work" / stage.name
        upper, *lower = self.layers(stage.name)
        for folder in (root, work, upper):
            folder.mkdir(parents=True)
        options = f"lowerdir={':'.join(map(str, lower))},upperdir={upper},workdir={work}"
        _run("mount", "-t", "overlay", "overlay", "-o", options, root)
        _mount_system(root)
        shutil.copyfile("/etc/resolv.conf", root / "etc" / "resolv.conf")
        config, arguments = config_of(self.stages, stage.base), dict[str, str]()
        for instruction in stage.instructions:
            if not config.take(instruction, arguments):
                self._change_files(root, config, instruction)

    def _change_files(self, root: Path, config: Config, instruction: Instruction) -> None:
        match instruction.word:
            case "WORKDIR":
                config.workdir = instruction.rest
                _below(root, config.workdir).mkdir(parents=True, exist_ok=True)
            case "RUN":
                _in_root(root, config, instruction.rest)
            case "COPY":
                self._copy(root, config, instruction.rest.split())
            case word:
                raise ValueError(f"not known here: {word}")

    def _copy(self, root: Path, config: Config, words: Sequence[str]) -> None:
        options = [word for word in words if word.startswith("--")]
        *sources, target = words[len(options) :]
        into = _below(root, str(PurePosixPath(config.workdir, target)))
        if options:
            (option,) = options
            stage = self.root(option.removeprefix("--from="))
            for source in sources:
                shutil.copytree(_below(stage, source), into, symlinks=True, dirs_exist_ok=True)
            return
        ignored = Ignored((CHECKOUT / ".dockerignore").read_text())
        found = False
        for path in context_files(CHECKOUT, ignored):
            for source in sources:
                if source == "." or str(path) == source:
                    place = into / (path if source == "." else path.name)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(CHECKOUT / path, place)
                    found = True
        assert found, words

    def become(self, target: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Replace this process by a command in an image whose root is read-only."""
        root = self.folder / "running" / f"{target}-{os.getpid()}"
        root.mkdir(parents=True)
        _run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={':'.join(map(str, self.layers(target)))}", root)
        _mount_system(root)
        config = config_of(self.stages, target)
        uid, _, gid = config.user.partition(":")
        settings = {name: value for name, value in environment.items() if name.startswith("TAILSLIDE_")}
        # The process gets nothing that it could gain privileges by, as with cap_drop and no-new-privileges.
        drop = ("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs", "--inh-caps=-all")
        words = ("chroot", str(root), *drop, "--bounding-set=-all", "env", "-C", config.workdir, *command)
        os.execve(shutil.which(words[0]) or words[0], words, {**config.environment, **settings})


def _mount_system(root: Path) -> None:
    for name in ("proc", "dev"):
        _run("mount", "--rbind", f"/{name}", root / name)


def _in_root(root: Path, config: Config, script: str) -> None:
    certificates = root / _CERTIFICATES
    if certificates.is_file() and certificates.read_bytes() != Path("/", _CERTIFICATES).read_bytes():
        _run("mount", "--bind", Path("/", _CERTIFICATES), certificates)
    machine = {name: value for name, value in os.environ.items() if name.startswith(_OF_THE_MACHINE)}
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environment = {"PATH": path, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive", **machine, **config.environment}
    _run("chroot", root, "env", "-C", config.workdir, "/bin/sh", "-c", script, environment=environment)


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _run(*command: str | Path, environment: Mapping[str, str] | None = None) -> None:
    subprocess.run([str(word) for word in command], check=True, env=environment)


def main(word: str, folder: str, *rest: str) -> None:
    """Do what the words say."""
    build = Build(Path(folder))
    if word == "build":
        build.make()
    else:
        target, *command = rest
        build.become(target, command, os.environ)


if __name__ == "__main__":
    main(*sys.argv[1:])
