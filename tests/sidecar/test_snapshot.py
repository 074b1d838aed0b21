"""What a snapshot holds: what was written, or a reason; never another app's, and never an exception of Python's."""

import hashlib
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import circuits, rulesets, segments

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import Mark
from tailslide_core.errors import ContractError
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_core.segment import Segment
from tailslide_core.variants import ON_OFF
from tailslide_sidecar.flag_store import Content
from tailslide_sidecar.snapshot import Snapshot, SnapshotEncoder, decode_snapshot

RULESET = Ruleset("clinic", "f", 3, active=True, rollout=12.5, salt="s", circuit=CircuitSettings())
SEGMENT = Segment("clinic", "Vip.users", 2, frozenset({"u1"}), frozenset({"u2"}))
CONTENT = Content(
    {"f": RULESET}, {"f": Circuit(State.OPEN, 0.0, trips=2)}, Mark(1_795_363_190_302, 1), {"Vip.users": SEGMENT}
)


def in_order(ruleset: Ruleset) -> Ruleset:
    """Return a flag as a snapshot has it: what has a name, by its name."""
    variants = ruleset.variants
    if variants != ON_OFF:
        variants = tuple(sorted(variants, key=lambda variant: variant.key))
    return replace(ruleset, variants=variants, metadata=tuple(sorted(ruleset.metadata, key=lambda entry: entry[0])))


@given(
    st.dictionaries(st.just("f"), rulesets.map(lambda ruleset: replace(in_order(ruleset), app="clinic", key="f"))),
    st.dictionaries(st.just("f"), circuits()),
    st.none() | st.builds(Mark, st.integers(0, 2**53), st.integers(0, 10_000)),
    st.dictionaries(st.just("A.b"), segments.map(lambda segment: replace(segment, app="clinic", key="A.b"))),
    st.floats(0, 2e9),
)
def test_what_is_written_is_read(
    rules: dict[str, Ruleset],
    states: dict[str, Circuit],
    mark: Mark | None,
    groups: dict[str, Segment],
    saved_at: float,
) -> None:
    snapshot = Snapshot("clinic", saved_at, Content(rules, states, mark, groups))
    assert decode_snapshot(SnapshotEncoder().encode(snapshot), "clinic") == snapshot


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from("fgh"), rulesets), st.dictionaries(st.sampled_from("fgh"), circuits())
        )
    )
)
def test_what_was_written_before_does_not_show(contents: list[tuple[dict[str, Ruleset], dict[str, Circuit]]]) -> None:
    encoder = SnapshotEncoder()
    for rules, states in contents:
        snapshot = Snapshot("clinic", 1.0, Content(rules, states))
        assert encoder.encode(snapshot) == SnapshotEncoder().encode(snapshot)


@given(st.data())
def test_no_damage_goes_unnoticed(data: st.DataObject) -> None:
    whole = SnapshotEncoder().encode(Snapshot("clinic", 1.0, CONTENT))
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[place]))
    damaged = whole[:place] + bytes([byte]) + whole[place + 1 :]
    try:
        read = decode_snapshot(damaged, "clinic")
    except ContractError:
        return
    assert read.content == CONTENT  # a space or a letter of no meaning


WHOLE: dict[str, Any] = orjson.loads(SnapshotEncoder().encode(Snapshot("clinic", 1.0, CONTENT)))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("f"), inner, max_size=3),
    max_leaves=8,
)


def signed(body: dict[str, Any]) -> bytes:
    """Return a file with the right checksum, whatever is in it."""
    rest = {name: value for name, value in body.items() if name != "checksum"}
    checksum = hashlib.sha256(orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return orjson.dumps(rest | {"checksum": checksum})


def put(value: Any, path: list[str], new: Any) -> Any:
    """Return a value with another one at the path; missing objects on the way are made."""
    if not path:
        return new
    inner = value if isinstance(value, dict) else {}
    return inner | {path[0]: put(inner.get(path[0]), path[1:], new)}


def test_a_right_checksum_is_all_that_a_changed_file_lacks() -> None:
    assert decode_snapshot(signed(WHOLE), "clinic").content == CONTENT


@given(st.dictionaries(st.sampled_from(list(WHOLE)) | st.text(max_size=5), ANY_JSON, max_size=7))
def test_any_json_under_the_right_checksum_is_a_snapshot_or_a_contract_error(fields: dict[str, Any]) -> None:
    for body in (fields, WHOLE | fields):
        try:
            snapshot = decode_snapshot(signed(body), "clinic")
        except ContractError:
            continue
        assert all(ruleset.flag_id == ("clinic", key) for key, ruleset in snapshot.content.rulesets.items())


@given(st.data())
def test_any_json_in_any_place_of_a_value_costs_that_flag_at_most(data: st.DataObject) -> None:
    """The same within a ruleset, a circuit and the mark, beside a flag that is whole."""
    body = put(WHOLE, ["rulesets", "whole"], WHOLE["rulesets"]["f"] | {"key": "whole"})
    name = data.draw(st.sampled_from(["rulesets", "circuits"]))
    path, place = [name, "f"], body[name]["f"]
    while isinstance(place, dict) and place and data.draw(st.booleans()):
        path.append(data.draw(st.sampled_from(sorted(place))))
        place = place[path[-1]]
    snapshot = decode_snapshot(signed(put(body, path, data.draw(ANY_JSON))), "clinic")
    assert snapshot.content.rulesets["whole"].key == "whole"
    assert snapshot.content.mark == CONTENT.mark
    assert len(snapshot.refused) == ("f" not in snapshot.content.rulesets) + ("f" not in snapshot.content.circuits)
    assert all(f"{name}.f: " in problem for problem in snapshot.refused)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("rulesets", None, "rulesets: expected an object with a value for each flag, got null"),
        ("rulesets", [], "rulesets: expected an object with a value for each flag, got []"),
        ("rulesets", 5, "rulesets: expected an object with a value for each flag, got 5"),
        ("circuits", "x", 'circuits: expected an object with a value for each flag, got "x"'),
        ("format", 2, "format: expected 1, got 2"),
        ("format", None, "format: expected an integer, got null"),
        ("app", "other", 'app: expected clinic, got "other"'),
        ("app", None, "app: expected a string, got null"),
        ("saved_at", "now", "saved_at: expected a number"),
        ("saved_at", 1e300, "saved_at: expected a number"),
        ("saved_at", -1, "saved_at: expected a number"),
        ("rulesets.f", None, "rulesets: expected rulesets, got none that can be understood: rulesets.f: "),
        ("rulesets.f.schema", 9, "rulesets: expected rulesets, got none that can be understood: rulesets.f: schema: "),
    ],
)
def test_a_wrong_shape_under_the_right_checksum_is_one_sentence(path: str, value: object, problem: str) -> None:
    with pytest.raises(ContractError) as error:
        decode_snapshot(signed(put(WHOLE, path.split("."), value)), "clinic")
    assert str(error.value).startswith(problem)


@pytest.mark.parametrize(
    ("mark", "problem"),
    [
        (5, "mark: expected an object or null, got 5"),
        ({"schema": 1, "at_ms": -1, "keys": 1}, "mark.at_ms: "),
        ({"schema": 2, "at_ms": 1, "keys": 1}, "mark.schema: "),
        ({}, "mark.schema: "),
    ],
)
def test_a_bad_mark_costs_no_flag(mark: object, problem: str) -> None:
    snapshot = decode_snapshot(signed(put(WHOLE, ["mark"], mark)), "clinic")
    assert snapshot.content == replace(CONTENT, mark=None)
    (refused,) = snapshot.refused
    assert refused.startswith(problem)


@pytest.mark.parametrize("missing", [name for name in WHOLE if name not in ("checksum", "mark", "segments")])
def test_a_missing_field_is_one_sentence(missing: str) -> None:
    with pytest.raises(ContractError, match=f"^{missing}: "):
        decode_snapshot(signed({name: value for name, value in WHOLE.items() if name != missing}), "clinic")


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("g", None, "rulesets.g: value: expected a JSON object, got null"),
        ("g", "x", 'rulesets.g: value: expected a JSON object, got "x"'),
        ("g", WHOLE["rulesets"]["f"], "rulesets.g: key: expected the ruleset of clinic.g, got that of clinic.f"),
        (
            "g",
            WHOLE["rulesets"]["f"] | {"app": "other", "key": "g"},
            "rulesets.g: key: expected the ruleset of clinic.g, got that of other.g",
        ),
        ("no key", WHOLE["rulesets"]["f"], "rulesets.no key: key: expected "),
        ("k" * 5_000, WHOLE["rulesets"]["f"], f"rulesets.{'k' * 100}: key: expected "),
    ],
)
def test_one_bad_flag_costs_that_flag_only(key: str, value: object, problem: str) -> None:
    snapshot = decode_snapshot(signed(put(WHOLE, ["rulesets", key], value)), "clinic")
    assert snapshot.content == CONTENT
    (refused,) = snapshot.refused
    assert refused.startswith(problem)
    assert len(refused) < 500


@pytest.mark.parametrize("depth", [250, 900, 100_000])
def test_a_deep_nesting_is_one_sentence(depth: int) -> None:
    nested = b'{"format":1,"checksum":"x","app":"clinic","rulesets":' + b"[" * depth + b"]" * depth + b"}"
    with pytest.raises(ContractError):
        decode_snapshot(nested, "clinic")


def test_a_file_of_before_there_were_segments_is_read() -> None:
    """And its rulesets are of the first schema."""
    old = {name: value for name, value in WHOLE.items() if name != "segments"}
    old["rulesets"] = {"f": WHOLE["rulesets"]["f"] | {"schema": 1}}
    snapshot = decode_snapshot(signed(old), "clinic")
    assert snapshot.content == replace(CONTENT, segments={})
    assert snapshot.refused == ()


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("beta", None, "segments.beta: value: expected a JSON object, got null"),
        ("beta", {}, "segments.beta: schema: expected an integer, but the field is missing"),
        ("beta", WHOLE["segments"]["Vip.users"], "segments.beta: key: expected the segment beta of clinic, got Vip"),
        ("beta", WHOLE["segments"]["Vip.users"] | {"key": "beta", "include": 5}, "segments.beta: include: expected "),
        ("_beta", WHOLE["segments"]["Vip.users"], "segments._beta: key: expected "),
    ],
)
def test_one_bad_segment_costs_that_segment_only(key: str, value: object, problem: str) -> None:
    snapshot = decode_snapshot(signed(put(WHOLE, ["segments", key], value)), "clinic")
    assert snapshot.content == CONTENT
    (refused,) = snapshot.refused
    assert refused.startswith(problem)


@pytest.mark.parametrize("value", [None, [], 5, "x"])
def test_segments_of_a_wrong_shape_are_one_sentence(value: object) -> None:
    with pytest.raises(ContractError, match=r"^segments: expected an object with a value for each"):
        decode_snapshot(signed(put(WHOLE, ["segments"], value)), "clinic")
