"""Every refusal of a value of the wrong type: said in the words of JSON, which callers write, and not of Python."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from aiohttp.test_utils import make_mocked_request
from pydantic import BaseModel

import tailslide_tower
from tailslide_core.errors import ContractError
from tailslide_core.naming import check_app_key, check_flag_key
from tailslide_runtime.http import ApiError
from tailslide_tower.alerts import changes as webhook_changes
from tailslide_tower.alerts.addresses import AddressRules
from tailslide_tower.alerts.models import WebhookChange, WebhookCreate
from tailslide_tower.apps.models import AppChange, AppCreate
from tailslide_tower.audit.models import RollBack
from tailslide_tower.auth.principal import ENVIRONMENT
from tailslide_tower.auth.rights import read_rights
from tailslide_tower.evaluation.models import EvaluateFlag
from tailslide_tower.flags.flag import changed, check_defaults, created, toggled
from tailslide_tower.flags.models import Archive, Duplicate, FlagChange, FlagCreate, Toggle
from tailslide_tower.invitations.models import InvitationAccept, InvitationCreate, ResetLinkCreate
from tailslide_tower.keys.models import KeyCreate
from tailslide_tower.preview.models import PreviewAsked
from tailslide_tower.preview.service import settings_of
from tailslide_tower.requests import NoFields, PageQuery, _checked, read_precondition, read_query
from tailslide_tower.segments import segment
from tailslide_tower.segments.models import SegmentChange, SegmentCreate, SegmentMembers
from tailslide_tower.sessions.models import AccountChange, LogIn, PasswordChange
from tailslide_tower.setup_links.models import SetUp
from tailslide_tower.timeseries.models import SparksAsked
from tailslide_tower.timeseries.routes import flags_named
from tailslide_tower.tokens.models import TokenCreate, TokenRotate
from tailslide_tower.users.models import UserChange
from tailslide_tower.users.user import read_email
from tailslide_tower.viewer_links.models import LinkCreate, LinkUse

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
PYTHON = re.compile(
    r"\b(True|False|None|NoneType|dict|dictionary|tuple|bool|str|int|float|nan|inf|instance of|object at)\b"
    r"|list\[|<class|got '|[A-Z][a-z]+(Fields|Create|Change)"
)
"""Words and marks of Python's, and names of our classes."""
WRONG: tuple[object, ...] = (
    *(None, True, False, 0, -1, 5, 2**60, 2**80, 0.5, -1e300, "", "x", "é\n\u202e", "\0"),
    *([], [None], [True], [False, None], [5], ["x"], [[]], [{}], [{"a": None}]),
    *({}, {"a": None}, {"a": True}, {"True": [None]}, "y" * 5_000, ["z"] * 5_000),
)
CONDITION: dict[str, object] = {
    "attribute": "country",
    "operator": "in",
    "values": ["DE"],
    "negate": True,
    "ignore_case": True,
}
SHARE: dict[str, object] = {"variant": "on", "weight": 1}
FLAG: dict[str, object] = {
    "key": "k",
    "name": "K",
    "description": "",
    "tags": ["checkout"],
    "owner": "team@example.org",
    "lifetime": "temporary",
    "expected_end": "2026-12-31",
    "active": True,
    "rollout": 5,
    "allow": ["u"],
    "deny": ["v"],
    "salt": "s",
    "type": "boolean",
    "variants": {"on": True, "off": False, "also": True},
    "off_variant": "off",
    "split": [SHARE],
    "bucket_by": "company",
    "requires": [{"flag": "other", "variants": ["on"]}],
    "metadata": {"ticket": "SHOP-12"},
    "rules": [
        {"when": [CONDITION], "rollout": 5, "split": [SHARE], "name": "germans"},
        {"when": [CONDITION], "variant": "also"},
    ],
    "circuit": {
        "forced_open": False,
        "window_ms": 10_000,
        "long_window_ms": 60_000,
        "min_calls": 10,
        "confidence": 0.99,
        "error_threshold": 50,
        "failure_statuses": ["5xx", 429],
        "slow_call_ms": 5,
        "slow_threshold": 50,
        "recovery": {
            "delay_ms": 1,
            "max_delay_ms": 5,
            "initial": 5,
            "increment": 5,
            "interval_ms": 500,
            "profile": "linear",
        },
        "local_guard": {"consecutive_failures": 5, "max_ms": 500},
    },
}
SEGMENT: dict[str, object] = {
    "key": "vip",
    "description": "",
    "include": ["u"],
    "exclude": ["v"],
    "when": [CONDITION],
}
WEBHOOK: dict[str, object] = {
    "name": "On call",
    "kind": "slack",
    "url": "https://hooks.example.org/services/x",
    "app": "a",
    "flag": "k",
    "occasions": ["opened", "closed"],
    "enabled": True,
}
CHANGE = {name: value for name, value in FLAG.items() if name != "key"}
OWN = {"key", "name", "salt", "requires", "expected_end"}
APP: dict[str, object] = {
    "name": "A",
    "description": "",
    "service": "checkout",
    "environment": "production",
    "requires_reason": True,
    "defaults": {name: value for name, value in FLAG.items() if name not in OWN},
}
BODIES: dict[type[BaseModel], dict[str, object]] = {
    FlagCreate: FLAG,
    FlagChange: CHANGE,
    Toggle: {"active": True},
    RollBack: {"version": 7},
    Archive: {"force": True},
    Duplicate: {"app": "a", "key": "b"},
    EvaluateFlag: {
        "contexts": [{"targeting_key": "u", "attributes": {"country": "DE"}}],
        "targeting_keys": ["u"],
        "flag": CHANGE,
    },
    AppCreate: {"key": "a", **APP},
    AppChange: APP,
    SegmentCreate: SEGMENT,
    SegmentChange: {name: value for name, value in SEGMENT.items() if name != "key"},
    SegmentMembers: {"list": "include", "add": ["a"], "remove": ["b"]},
    SparksAsked: {"flags": ["shop.search"], "range": "1h", "resolution_ms": 60_000},
    PreviewAsked: {"circuit": FLAG["circuit"], "range": "1h"},
    WebhookCreate: WEBHOOK,
    WebhookChange: {name: value for name, value in WEBHOOK.items() if name not in {"kind", "app", "flag"}},
    KeyCreate: {"name": "production"},
    LogIn: {"email": "ada@example.org", "password": "p"},
    PasswordChange: {"current_password": "p", "new_password": "correct horse"},
    AccountChange: {"name": "Ada"},
    SetUp: {"secret": "s", "email": "ada@example.org", "name": "Ada", "password": "correct horse"},
    UserChange: {"name": "Ada", "role": "viewer", "apps": {"shop": "editor"}, "disabled": True},
    InvitationCreate: {"email": "ada@example.org", "role": "viewer", "apps": {"shop": "editor"}, "expires_in_s": 60},
    ResetLinkCreate: {"expires_in_s": 60},
    InvitationAccept: {"secret": "s", "name": "Ada", "password": "correct horse"},
    LinkCreate: {"name": "demo", "app": "shop", "expires_in_s": 60, "session_s": 60, "path": "/apps/shop"},
    LinkUse: {"secret": "s"},
    TokenCreate: {"name": "ci", "role": "viewer", "apps": {"shop": "editor"}, "expires_in_s": 60, "shared": True},
    TokenRotate: {"grace_s": 0, "expires_in_s": 60},
    NoFields: {},
}
TOWERS_OWN = {"app", "version", "archived_at", "created_at", "updated_at", "reset_generation"}
"""Fields that nobody may say, whatever the value."""


def carry_out(request: object) -> None:  # one case for each body
    """Do what a request asks for, as far as it can be refused: through the core, as the services do."""
    flag = created("a", FlagCreate.model_validate(FLAG), NOW)
    match request:
        case FlagCreate():
            created("a", request, NOW)
        case FlagChange():
            changed(flag, request, NOW)
        case Toggle():
            toggled(flag, request.active, NOW)
        case SegmentCreate():
            segment.created("a", request, NOW)
        case SegmentChange():
            segment.changed(segment.created("a", SegmentCreate.model_validate(SEGMENT), NOW), request, NOW)
        case SegmentMembers():
            segment.with_members(segment.created("a", SegmentCreate.model_validate(SEGMENT), NOW), request, NOW)
        case SparksAsked():
            flags_named(request.flags, ENVIRONMENT)
        case PreviewAsked():
            settings_of(flag, request)
        case WebhookCreate():
            webhook_changes.created(request, AddressRules(), NOW)
        case WebhookChange():
            webhook = webhook_changes.created(WebhookCreate.model_validate(WEBHOOK), AddressRules(), NOW)
            webhook_changes.changed(webhook, request, AddressRules(), NOW)
        case _:
            carry_out_of_others(request)


def carry_out_of_others(request: object) -> None:
    match request:
        case AppCreate():
            check_app_key("app", request.key)
            check_defaults("a", app_defaults(request), NOW)
        case _:
            carry_out_access(request)


def carry_out_access(request: object) -> None:
    """Do what a request about access asks for, as far as it can be refused."""
    match request:
        case UserChange() | InvitationCreate() | TokenCreate():
            read_rights(request.role, request.apps)
        case LogIn() | SetUp():
            read_email("email", request.email)
        case LinkCreate():
            check_app_key("app", "shop" if request.app is None else request.app)
        case AppChange():
            check_defaults("a", app_defaults(request), NOW)
        case Duplicate():
            check_app_key("app", request.app)
            check_flag_key("key", request.key)


def app_defaults(request: AppCreate | AppChange) -> dict[str, Any]:
    return {} if request.defaults is None else request.defaults.model_dump(exclude_unset=True)


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Return the path of each value within a body, itself included."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from places(item, (*path, name))


def put(body: object, path: tuple[str | int, ...], value: object) -> object:
    if not path:
        return value
    whole: Any = copy.deepcopy(body)
    parent = whole
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    return whole


def refusal(ask: Callable[[], object]) -> str | None:
    """Return why something is refused, None when it is not; the field is the caller's."""
    try:
        ask()
    except ApiError as error:
        return error.message
    except ContractError as error:
        return error.problem
    return None


def in_our_words(sentence: str) -> str:
    """Return a sentence without the texts that it quotes, which are the caller's."""
    return re.sub(r'"(?:[^"\\]|\\.)*(?:"|…$)', '""', sentence)


def assert_plain(sentence: str) -> None:
    assert PYTHON.search(in_our_words(sentence)) is None, sentence
    assert len(sentence) < 400, sentence
    assert sentence.isprintable(), sentence


@pytest.mark.parametrize("model", BODIES)
def test_a_value_of_the_wrong_type_is_refused_in_the_words_of_json(model: type[BaseModel]) -> None:
    body = BODIES[model]
    assert refusal(lambda: carry_out(_checked(model, body))) is None
    refused = 0
    for path in places(body):
        for value in WRONG:
            asked = orjson.loads(json.dumps(put(body, path, value)))
            sentence = refusal(lambda asked=asked: carry_out(_checked(model, asked)))  # type: ignore[misc] # of the loop
            if sentence is not None:
                refused += 1
                assert_plain(sentence)
    assert refused > len(WRONG) // 2


@pytest.mark.parametrize("model", [FlagCreate, FlagChange])
@pytest.mark.parametrize("name", [*sorted(TOWERS_OWN), "colour"])
def test_a_field_that_nobody_may_say_is_refused_in_plain_words(model: type[BaseModel], name: str) -> None:
    for value in WRONG:
        body = put(BODIES[model], ("circuit", name) if name == "reset_generation" else (name,), value)
        sentence = refusal(lambda body=body: _checked(model, body))  # type: ignore[misc] # of the loop
        assert sentence is not None
        assert_plain(sentence)


def test_every_body_that_is_read_is_tried() -> None:
    """Else a new request would go untested."""
    sources = Path(tailslide_tower.__file__).parent.rglob("*.py")
    read = {
        name for source in sources for name in re.findall(r"async def \w+\(ask: Ask\[(\w+), ", source.read_text())
    } - {"Any"}
    assert read == {model.__name__ for model in BODIES}


def test_the_bodies_say_every_field_that_may_be_said() -> None:
    """Else a new field would go untested."""
    for model, body in BODIES.items():
        said = {".".join(str(name) for name in path if isinstance(name, str)) for path in places(body)} - {""}
        assert set(fields_of(model)) - said == set()


def fields_of(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, described in model.model_fields.items():
        if described.annotation is type(None):  # it is there only to be refused
            continue
        yield f"{path}{name}"
        for part in parts_of(described.annotation):
            yield from fields_of(part, f"{path}{name}.")


def parts_of(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from parts_of(part)


@pytest.mark.parametrize("query", ["limit=x", "limit=", "limit=0", "limit=501", "limit=None", "after=%00", "colour=1"])
def test_a_wrong_query_is_refused_in_plain_words(query: str) -> None:
    sentence = refusal(lambda: read_query(make_mocked_request("GET", f"/?{query}"), PageQuery).page)
    assert sentence is not None
    assert_plain(sentence)


@pytest.mark.parametrize("header", ["5", "None", "", "'5'", "x" * 5_000])
def test_a_wrong_precondition_is_refused_in_plain_words(header: str) -> None:
    sentence = refusal(lambda: read_precondition(make_mocked_request("PUT", "/", {"If-Match": header})))
    assert sentence is not None
    assert_plain(sentence)
