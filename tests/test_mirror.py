"""Tests mirror the sources: each module has its tests where one looks for them, and each test its module."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

AREAS = {
    "core": "core/tailslide_core",
    "runtime": "runtime/tailslide_runtime",
    "sidecar": "sidecar/tailslide_sidecar",
    "tower": "tower/tailslide_tower",
    "aerobat": "aerobat/tailslide_aerobat",
    "embedded": "deploy/tailslide_embedded",
}

SHOWN_ELSEWHERE: dict[str, str] = {
    # Nothing without a server: connecting, and what becomes of it when the server goes away.
    "runtime/tailslide_runtime/jetstream.py": "tests/integration/test_bucket_watch.py",
    # Composition, adapters and listeners: what they are worth shows on the real thing only.
    "sidecar/tailslide_sidecar/app.py": "tests/integration/test_sidecar_flags.py",
    "sidecar/tailslide_sidecar/main.py": "tests/integration/test_sidecar_flags.py",
    "sidecar/tailslide_sidecar/status.py": "tests/integration/test_sidecar_flags.py",
    "sidecar/tailslide_sidecar/watcher.py": "tests/integration/test_sidecar_flags.py",
    "sidecar/tailslide_sidecar/proxy/client_connection.py": "tests/integration/test_proxy_messages.py",
    "sidecar/tailslide_sidecar/proxy/exchange.py": "tests/integration/test_proxy_messages.py",
    "sidecar/tailslide_sidecar/proxy/listener.py": "tests/integration/test_proxy_messages.py",
    "sidecar/tailslide_sidecar/proxy/pool.py": "tests/integration/test_proxy_messages.py",
    "sidecar/tailslide_sidecar/proxy/tunnel.py": "tests/integration/test_websocket_suite.py",
    "sidecar/tailslide_sidecar/proxy/upstream_connection.py": "tests/integration/test_proxy_messages.py",
    "sidecar/tailslide_sidecar/timeseries.py": "tests/integration/test_sidecar_outcomes.py",
    "tower/tailslide_tower/access.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/app.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/apps/errors.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/apps/models.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/apps/routes.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/apps/service.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/apps/store.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/auth/middleware.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/auth/store.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/flags/models.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/flags/routes.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/flags/service.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/flags/store.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/health.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/main.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/metrics.py": "tests/integration/test_tower.py",
    "tower/tailslide_tower/publisher/bucket.py": "tests/integration/test_tower_publisher.py",
    "tower/tailslide_tower/publisher/store.py": "tests/integration/test_tower_publisher.py",
    "aerobat/tailslide_aerobat/app.py": "tests/integration/test_aerobat.py",
    "aerobat/tailslide_aerobat/circuit_store.py": "tests/integration/test_aerobat.py",
    "aerobat/tailslide_aerobat/main.py": "tests/integration/test_aerobat.py",
    "aerobat/tailslide_aerobat/metrics.py": "tests/integration/test_aerobat.py",
    "aerobat/tailslide_aerobat/routes.py": "tests/integration/test_aerobat.py",
    "aerobat/tailslide_aerobat/session.py": "tests/integration/test_aerobat.py",
    "deploy/tailslide_embedded/demo/command.py": "tests/e2e/test_demo.py",
    "deploy/tailslide_embedded/demo/services.py": "tests/e2e/test_demo.py",
    "deploy/tailslide_embedded/demo/story.py": "tests/e2e/test_demo.py",
    "deploy/tailslide_embedded/demo/view.py": "tests/e2e/test_demo.py",
    "deploy/tailslide_embedded/circuit_log.py": "tests/e2e/test_whole_loop.py",
    "deploy/tailslide_embedded/whole_loop.py": "tests/e2e/test_whole_loop.py",
    "deploy/tailslide_embedded/launch.py": "tests/integration/test_embedded_servers.py",
    "deploy/tailslide_embedded/servers/__init__.py": "tests/integration/test_embedded_servers.py",
    "deploy/tailslide_embedded/servers/nats.py": "tests/integration/test_embedded_servers.py",
    "deploy/tailslide_embedded/servers/redis.py": "tests/integration/test_embedded_servers.py",
    "deploy/tailslide_embedded/stack.py": "tests/integration/test_embedded_servers.py",
    "deploy/tailslide_embedded/up.py": "tests/integration/test_up.py",
}
"""Modules that only make sense together with the world around them, and the test that shows them at work."""


def has_code(module: Path) -> bool:
    """Whether a module does anything but introduce or import others."""
    body = ast.parse(module.read_text(encoding="utf-8")).body
    told = (ast.Expr, ast.Import, ast.ImportFrom)
    return any(not isinstance(node, told) for node in body)


def modules_of(area: str) -> list[Path]:
    """Return the modules of an area, below its package; migrations are data, `__main__` is one call."""
    package = ROOT / AREAS[area]
    found = [path for path in package.rglob("*.py") if has_code(path) and path.name != "__main__.py"]
    return sorted(path.relative_to(package) for path in found if "migrations" not in path.parts)


def names_of(module: Path) -> set[str]:
    """Return how the tests of a module may be called, without their `test_`: `flags/store` or `flags_store`."""
    parts = [*module.parent.parts, module.stem]
    if module.stem == "__init__":
        parts.pop()
    return {"/".join(parts), "_".join(parts)}


def found_tests(area: str) -> dict[str, Path]:
    """Return the test files of an area by their names without `test_`, as `names_of` gives them."""
    folder = ROOT / "tests" / area
    found = {}
    for path in sorted(folder.rglob("test_*.py")):
        inner = path.relative_to(folder)
        found["/".join([*inner.parent.parts, inner.stem.removeprefix("test_")])] = path
    return found


def modules_by_test(area: str) -> dict[Path, Path | None]:
    """Return each test file of an area with the module that it is about, if there is one.

    A module may have several, each about one part of it: `test_circuit.py`, `test_circuit_rules.py`.
    """
    modules = {name: module for module in modules_of(area) for name in names_of(module)}
    found: dict[Path, Path | None] = {}
    for test, path in found_tests(area).items():
        names = [name for name in modules if test == name or test.startswith(f"{name}_")]
        found[path] = modules[max(names, key=len)] if names else None
    return found


@pytest.mark.parametrize("area", AREAS)
def test_each_module_has_its_tests(area: str) -> None:
    tested = set(modules_by_test(area).values())
    missing = [f"{AREAS[area]}/{module}" for module in modules_of(area) if module not in tested]
    untested = [module for module in missing if module not in SHOWN_ELSEWHERE]
    assert not untested, f"no tests/{area}/test_….py for, and not told in SHOWN_ELSEWHERE: {', '.join(untested)}"


@pytest.mark.parametrize("area", AREAS)
def test_each_test_has_its_module(area: str) -> None:
    orphans = [str(path.relative_to(ROOT)) for path, module in modules_by_test(area).items() if module is None]
    assert not orphans, f"no module in {AREAS[area]} for: {', '.join(orphans)}"


def test_what_is_shown_elsewhere_is_shown_there() -> None:
    gone = [path for pair in SHOWN_ELSEWHERE.items() for path in pair if not (ROOT / path).is_file()]
    assert not gone, f"named in SHOWN_ELSEWHERE, but not there: {', '.join(gone)}"
    tested = {f"{AREAS[area]}/{module}" for area in AREAS for module in modules_by_test(area).values()}
    both = sorted(tested & set(SHOWN_ELSEWHERE))
    assert not both, f"has tests of its own; take it out of SHOWN_ELSEWHERE: {', '.join(both)}"
