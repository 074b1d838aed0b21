"""Entries of sidecars: read back as written, and bounded whatever is in them."""

from dataclasses import replace

import orjson
import pytest
from contract_samples import PRESENCE
from hypothesis import given
from hypothesis import strategies as st
from strategies import flag_keys, texts, wire_keys

from tailslide_core.errors import ContractError
from tailslide_core.fields import MAX_INTEGER
from tailslide_core.naming import SidecarId, instance_of, is_app_key
from tailslide_core.presence import MAX_FLAGS, MAX_PRESENCE_BYTES, Presence, decode_presence, encode_presence

integers = st.integers(0, MAX_INTEGER)
lines = texts.filter(str.isprintable)
flags = st.lists(flag_keys, max_size=3).map(tuple)
presences = st.builds(
    Presence,
    wire_keys,
    wire_keys,
    lines,
    lines,
    integers,
    integers,
    integers,
    st.none() | integers,
    st.none() | st.sampled_from(["jetstream", "snapshot"]),
    st.lists(lines, max_size=4).map(tuple),
    flags,
    integers,
    flags,
    integers,
)


@given(presences)
def test_entry_is_read_back_as_written(presence: Presence) -> None:
    assert decode_presence(encode_presence(presence)) == presence


@given(presences, st.text(min_size=200, max_size=300), flag_keys)
def test_entry_is_bounded_whatever_its_host_is_called(presence: Presence, text: str, flag: str) -> None:
    large = replace(
        presence, host=text, version=text, listeners=(text,) * 9, route_flags=(flag,) * 900, refused=(flag,) * 900
    )
    written = encode_presence(large)
    assert len(written) <= MAX_PRESENCE_BYTES
    read = decode_presence(written)
    assert len(read.route_flags) == MAX_FLAGS
    assert read.host.isprintable()
    assert encode_presence(read) == written


def test_entry_of_another_bounds_texts_and_lists_as_well() -> None:
    read = decode_presence(
        orjson.dumps(PRESENCE | {"host": "h" * 999, "route_flags": ["a"] * 999, "source": "from\u2028somewhere"})
    )
    assert (read.host, len(read.route_flags), read.source) == ("h" * 100, MAX_FLAGS, "fromsomewhere")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"instance": "A.b"}, "instance"),
        ({"revision": -1}, "revision"),
        ({"route_flags": ["a b"]}, "route_flags[0]"),
        ({"listeners": [7]}, "listeners[0]"),
        ({"host": "h" * MAX_PRESENCE_BYTES}, "value"),
    ],
)
def test_entry_that_is_none_is_refused_by_its_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(ContractError) as caught:
        decode_presence(orjson.dumps(PRESENCE | change))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("host", "instance"),
    [
        ("pay", "pay-7f9c"),
        ("Pay.example.org", "pay-example-org-7f9c"),
        ("", "7f9c"),
        ("-- é --", "7f9c"),
        ("_x", "x-7f9c"),
        ("h" * 200, "h" * 40 + "-7f9c"),
    ],
)
def test_instance_has_its_host_in_it(host: str, instance: str) -> None:
    assert instance_of(host, "7f9c") == instance


@given(st.text())
def test_instance_is_one_token_of_a_subject(host: str) -> None:
    instance = instance_of(host, "7f9c")
    assert is_app_key(instance)
    assert SidecarId.parse(f"shop.{instance}") == SidecarId("shop", instance)


@pytest.mark.parametrize("key", ["shop", "shop.", "shop.a.b", "Shop.a", "shop._a"])
def test_key_that_is_no_sidecar_s_is_refused(key: str) -> None:
    with pytest.raises(ContractError):
        SidecarId.parse(key)
