"""What Prometheus reads of the proxy: numbers that are explicit, labels that are bounded."""

import re

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tailslide_core.outcomes import CallEnd
from tailslide_sidecar.proxy.accounts import Accounts, Side
from tailslide_sidecar.proxy.metrics import ProxyMetrics
from tailslide_sidecar.proxy.pool import Pool
from tailslide_sidecar.proxy.routes import Address, NoRoute


class Reads:
    """A file that was taken twice and refused once."""

    loaded, refused, loaded_at = 2, 1, 1_795_363_190.5


def samples_of(accounts: Accounts, pool: Pool) -> dict[str, float]:
    """Return each sample by its name with labels."""
    registry = CollectorRegistry()
    registry.register(ProxyMetrics(accounts, pool, Reads()))
    text = generate_latest(registry).decode()  # type: ignore[no-untyped-call] # no types in there
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if not line.startswith("#")
    }


def test_calls_are_told_by_route_side_and_result() -> None:
    accounts = Accounts()
    account = accounts.route("* /a")
    account.count(Side.FEATURE, CallEnd.TIMED_OUT, 2_000.0)
    account.count(Side.FALLBACK, CallEnd.ANSWERED, 2.0)
    account.running, account.retried, account.bytes_up, account.bytes_down = 2, 1, 10, 20
    accounts.no_route(NoRoute.UNKNOWN_HOST)
    accounts.refused, accounts.resent = 3, 4
    samples = samples_of(accounts, Pool())
    told = "tailslide_sidecar_proxied"
    expected = {
        f'{told}_calls_total{{result="timed_out",route="* /a",side="feature"}}': 1,
        f'{told}_calls_total{{result="answered",route="* /a",side="fallback"}}': 1,
        f'{told}_calls_total{{result="unknown_host",route="(none)",side="none"}}': 1,
        f'{told}_calls_total{{result="refused",route="(none)",side="none"}}': 3,
        f'{told}_running{{route="* /a"}}': 2,
        f'{told}_retries_on_fallback_total{{route="* /a"}}': 1,
        f'{told}_bytes_total{{direction="up",route="* /a"}}': 10,
        f'{told}_bytes_total{{direction="down",route="* /a"}}': 20,
        f"{told}_resent_total": 4,
        f'{told}_call_seconds_count{{side="feature"}}': 1,
        f'{told}_call_seconds_bucket{{le="+Inf",side="fallback"}}': 1,
    }
    assert {name: samples.get(name) for name in expected} == expected


def test_connections_are_told() -> None:
    accounts, pool = Accounts(), Pool()
    accounts.connections, accounts.accepted, accounts.turned_away = 5, 7, 2
    server = pool.server(Address("http", "::1", 80))
    server.open, server.made, server.reused, server.refusals = 3, 4, 9, 1
    samples = samples_of(accounts, pool)
    upstream = 'upstream="http://[::1]:80"'
    expected = {
        "tailslide_sidecar_proxy_connections": 5,
        "tailslide_sidecar_proxy_connections_accepted_total": 7,
        "tailslide_sidecar_proxy_connections_turned_away_total": 2,
        f'tailslide_sidecar_upstream_connections{{state="idle",{upstream}}}': 0,
        f'tailslide_sidecar_upstream_connections{{state="busy",{upstream}}}': 3,
        f"tailslide_sidecar_upstream_connects_total{{{upstream}}}": 4,
        f"tailslide_sidecar_upstream_reuses_total{{{upstream}}}": 9,
        f"tailslide_sidecar_upstream_refusals{{{upstream}}}": 1,
    }
    assert {name: samples.get(name) for name in expected} == expected
    assert 0 < samples["tailslide_sidecar_open_fds"] < samples["tailslide_sidecar_max_fds"]


def test_reads_of_the_file_are_told() -> None:
    samples = samples_of(Accounts(), Pool())
    assert samples['tailslide_sidecar_config_reloads_total{result="loaded"}'] == 2
    assert samples['tailslide_sidecar_config_reloads_total{result="refused"}'] == 1
    assert samples["tailslide_sidecar_config_loaded_timestamp_seconds"] == 1_795_363_190.5


def test_names_follow_the_conventions_of_openmetrics() -> None:
    registry = CollectorRegistry()
    registry.register(ProxyMetrics(Accounts(), Pool(), Reads()))
    text = generate_latest(registry).decode()  # type: ignore[no-untyped-call] # no types in there
    for family in text_string_to_metric_families(text):  # type: ignore[no-untyped-call] # nor here
        assert re.fullmatch(r"tailslide_sidecar(_[a-z]+)+", family.name), family.name
        assert not family.name.endswith(("_total", "_ms", "_percentage", "_count")), family.name
        assert family.documentation, family.name
