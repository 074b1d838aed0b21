"""Tower is as its own description says, for whatever schemathesis can think of: every endpoint, on real servers."""

from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import schemathesis
from operation_tests import try_operation
from real_servers import RealServers
from schemathesis import BaseSchema
from tower_bench import TOKEN, tower_bench, until

from tailslide_embedded.addresses import any_free_port
from tailslide_tower.app import SUBJECTS
from tailslide_tower.described import whole_description

THERE = {"app": ["shop"], "flag": ["one", "two"], "segment": ["vip"], "webhook": ["wh_1"], "delivery": ["1"]}
"""What is in the database, so that not every path leads to nothing."""
CLIENTS = count(1)
REFUSED_ALL_THE_SAME = ["400", "401", "403", "404", "409", "412", "422", "426", "429", "503"]
"""A request may be well formed and yet refused: the core knows more of flags than a schema says, and what a path or a
body names has to be there."""


def described() -> BaseSchema:
    document = whole_description()
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation["parameters"]:
                if parameter["in"] == "path" and parameter["name"] in THERE:
                    parameter["schema"] = {"anyOf": [{"enum": THERE[parameter["name"]]}, parameter["schema"]]}
                if parameter["name"] == "If-Match":
                    parameter["schema"] = {"enum": ["*", '"1"', '"2"']}
    schema = schemathesis.openapi.from_dict(document)
    schema.config.checks.positive_data_acceptance.expected_statuses += REFUSED_ALL_THE_SAME
    schema.config.checks.negative_data_rejection.expected_statuses += ["414"]
    schema.config.checks.missing_required_header.expected_statuses += ["428"]
    return schema


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def described_tower(own_servers: RealServers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Run a Tower as a process, since schemathesis blocks; yield its address."""
    async with tower_bench(own_servers, tmp_path_factory.mktemp("tower")) as bench:
        listen = f"127.0.0.1:{any_free_port()}"
        async with bench.process_at(listen, {"TAILSLIDE_TRUSTED_PROXIES": "127.0.0.1"}):
            url = f"http://{listen}"
            await _fill(url)
            # Not through the API, which makes the ids; its receiver is refused, so nothing is sent anywhere.
            await bench.sql(
                "INSERT INTO webhooks (id, name, kind, url, secret, occasions, enabled, version, created_at,"
                " updated_at) VALUES ('wh_1', 'x', 'generic', 'http://127.0.0.1:9/', 'whsec_AAAA', '[]', true, 1,"
                " now(), now());"
                "INSERT INTO webhook_deliveries (webhook, entry, message_id, occasion, state, attempts, next_at, until,"
                " happened_at, created_at) VALUES ('wh_1', 1, 'm', 'opened', 'failed', 1, now(), now(), now(), now())"
            )
            yield url


async def _fill(url: str) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:

        async def ready() -> bool:
            try:
                async with session.get(f"{url}/readyz") as answer:
                    return answer.status == 200 and bool((await answer.json())["published"])
            except aiohttp.ClientConnectionError:
                return False

        await until(ready)
        for path, body in (
            ("/apps", {"key": "shop"}),
            ("/apps/shop/segments", {"key": "vip", "include": ["ada"]}),
            ("/apps/shop/flags", {"key": "one", "active": True}),
            (
                "/apps/shop/flags",
                {"key": "two", "type": "string", "variants": {"a": "A"}, "off_variant": "a"},
            ),
        ):
            async with session.post(f"{url}/api/v1{path}", json=body) as answer:
                assert answer.status == 201, await answer.text()


@pytest.fixture(scope="module")
def description() -> BaseSchema:
    return described()


@pytest.mark.parametrize("name", [operation.name for subject in SUBJECTS for operation, _ in subject.declared])
def test_operation_is_as_described(name: str, description: BaseSchema, described_tower: str) -> None:
    def check(case: "schemathesis.Case[Any]") -> None:
        # From ever other addresses, as far as Tower can see: many wrong tokens from one are answered with a pause.
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": f"2001:db8:{next(CLIENTS):x}::1"}
        case.call_and_validate(base_url=f"{described_tower}/api/v1", headers=headers)

    try_operation(description, name, check, examples=20)
