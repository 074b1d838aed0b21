"""What a sidecar would do with its files, line by line, and what is wrong in them: `tailslide sidecar --check`.

Starts nothing, and asks no server. One file's mistakes do not hide the other's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from tailslide_core.fields import shown
from tailslide_core.naming import is_app_key
from tailslide_core.sentences.flag_rules import rules_in_words, segment_in_words
from tailslide_runtime.errors import StartError
from tailslide_sidecar.config_file import ConfigFile, read_config_file
from tailslide_sidecar.flags_file import FlagsFile, read_flags_file
from tailslide_sidecar.proxy.routes import FixedAnswer, Match, Route, Side, Switch, problem_with_variants
from tailslide_sidecar.proxy.sources import Source
from tailslide_sidecar.settings import Environment, Settings, load_config, read_environment
from tailslide_sidecar.yaml_file import FileError, read_yaml

Read = TypeVar("Read")


@dataclass(slots=True)
class Checked:
    """What the files would do, and what is wrong in them; a line each."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def main(
    config_path: Path | None,
    flags_path: Path | None,
    environ: Mapping[str, str],
    say: Callable[[str], None],
    complain: Callable[[str], None],
) -> int:
    """Say it, and complain of what is wrong; return the exit status, 1 when anything is."""
    checked = check(config_path, flags_path, environ)
    for line in checked.lines:
        say(line)
    for problem in checked.problems:
        complain(f"Error: {problem}")
    if not checked.problems:
        say("No errors")
    return 1 if checked.problems else 0


def check(config_path: Path | None, flags_path: Path | None, environ: Mapping[str, str]) -> Checked:
    """Read the files and the environment, as `load_config` would, and say what follows."""
    checked = Checked()
    environment = _try(checked, partial(read_environment, environ))
    if environment is not None and flags_path is None and environment.flags_file is not None:
        flags_path = Path(environment.flags_file)
    config = ConfigFile() if config_path is None else _try(checked, partial(read_config_file, config_path))
    flags = (
        None
        if flags_path is None
        else _try(checked, lambda: read_flags_file(flags_path, _app(environment, config, config_path)))
    )
    if not checked.problems:
        settings = _try(checked, partial(load_config, config_path, environ, flags_path))
        if settings is not None:
            checked.lines += [*_settings(settings), *_routes(settings.routes)]
            checked.problems += [*_unknown(settings, config_path), *_tls(settings)]
    if flags is not None:
        checked.lines += _flags(flags)
    return checked


def _tls(settings: Settings) -> Iterator[str]:
    """Say what is wrong with the files for TLS; with a flags file no server is asked."""
    for url in (settings.nats_url, settings.redis_url) if settings.flags is None else ():
        if url.tls is not None:
            yield from url.tls.problems()


def _app(environment: Environment | None, config: ConfigFile | None, config_path: Path | None) -> str | None:
    """Return the app that the flags file has to be of; also out of a file that is wrong in other places."""
    if environment is not None and environment.app is not None:
        return environment.app
    if config is not None or config_path is None:
        return None if config is None else config.app
    try:
        value = read_yaml(config_path, "settings").value
    except FileError:
        return None
    app = value.get("app") if isinstance(value, dict) else None
    return app if isinstance(app, str) and is_app_key(app) else None


def _try(checked: Checked, read: Callable[[], Read]) -> Read | None:
    try:
        return read()
    except FileError as error:
        checked.problems += error.problems
    except StartError as error:
        checked.problems.append(str(error))
    return None


def _settings(settings: Settings) -> Iterator[str]:
    yield f"sidecar of the app {settings.app}"
    yield f"  flags are answered on {settings.flags_listen}"
    yield f"  calls are proxied on {settings.proxy_listen}"
    if settings.flags is None:
        yield f"  flags come from NATS, {settings.nats_url}"
        yield f"  outcomes go to Redis, {settings.redis_url}"
        if settings.snapshot is None:
            yield "  no snapshot is kept, so nothing is answered after a start while NATS is away"
        else:
            yield f"  the last flags are kept in {settings.snapshot}, for a start while NATS is away"
    else:
        yield f"  flags come from the file {settings.flags.path}, which is read again when it changes"
        yield "  no NATS, Redis or Tower is asked for anything, and no snapshot is kept"
        yield "  no circuit opens by itself, since nobody judges outcomes; they are counted in /metrics"


def _routes(routes: Sequence[Route]) -> Iterator[str]:
    yield "routes, of which the first that matches takes a call" if routes else "no routes, so no call is proxied"
    for index, route in enumerate(routes):
        before = next((at for at in range(index) if routes[at].match in (Match(), route.match)), None)
        never = "" if before is None else f"; never, since routes[{before}] takes all of its calls"
        yield f"  routes[{index}] {route.match}: {_target(route)}{never}"


def _target(route: Route) -> str:
    switch = route.switch
    if switch is None:
        return f"to {_side(route.upstream)}"
    by_variant = "".join(f", {variant} to {side}" for variant, side in switch.variants)
    failed = ", which answers failed calls, too" if switch.retries_on_fallback else ""
    return (
        f"flag {switch.flag}: on to {_side(route.upstream)}{by_variant}, off to {_side(switch.fallback)}{failed}; "
        f"{_user(switch)}"
    )


def _side(side: Side | FixedAnswer) -> str:
    return str(side) if isinstance(side, Side) else f"a fixed answer with status {side.status}"


def _user(switch: Switch) -> str:
    key = "no targeting key" if switch.targeting_key is None else f"targeting key from {_source(switch.targeting_key)}"
    if switch.anonymous_cookie is not None:
        key += f", else from a cookie {switch.anonymous_cookie} that is set"
    attributes = "".join(f", {name} from {_source(source)}" for name, source in switch.attributes)
    return f"{key}{attributes}"


def _source(source: Source) -> str:
    return f"the {source.kind.value.replace('_', ' ')} {source.name}"


def _flags(file: FlagsFile) -> Iterator[str]:
    yield "flags" if file.rulesets else "no flags"
    for key, ruleset in file.rulesets.items():
        yield f"  {key}: {rules_in_words(ruleset)}"
    if file.segments:
        yield "segments"
    for key, segment in file.segments.items():
        yield f"  {key}: {segment_in_words(segment)}"


def _unknown(settings: Settings, config_path: Path | None) -> Iterator[str]:
    """Yield what routes name and the flags file does not have, which only the file can be wrong about."""
    if settings.flags is None or config_path is None:
        return
    file = read_yaml(config_path, "settings")
    for index, route in enumerate(settings.routes):
        if route.switch is None:
            continue
        ruleset = settings.flags.rulesets.get(route.switch.flag)
        if ruleset is None:
            expected = f"expected a flag of {settings.flags.path}, got {shown(route.switch.flag, 120)}"
            yield file.problem(f"routes[{index}].flag", expected)
        elif (problem := problem_with_variants(route.switch, ruleset)) is not None:
            yield file.problem(f"routes[{index}].variants", problem)
