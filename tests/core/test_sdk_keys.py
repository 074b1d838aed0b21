import pytest

from tailslide_core.errors import ContractError
from tailslide_core.sdk_keys import (
    SdkKey,
    decode_sdk_key_record,
    encode_sdk_key_record,
    hash_of_sdk_key,
    is_sdk_key,
    parse_sdk_key,
)

KEY = SdkKey("check_out-2", "k3f9a2", "Abc-_" * 8)


def test_key_reads_as_it_was_written() -> None:
    assert parse_sdk_key(str(KEY)) == KEY
    assert is_sdk_key(str(KEY))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a-token",
        "tsk.shop.k3f9a2",
        "tsk.Shop.k3f9a2." + "x" * 40,
        "tsk.shop.K3F9A2." + "x" * 40,
        "tsk.shop.k3f9a2.short",
        f"{KEY}.more",
    ],
)
def test_other_texts_are_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ContractError) as refused:
        parse_sdk_key(text)
    assert not text or text not in refused.value.problem


def test_secret_is_not_in_the_repr() -> None:
    assert KEY.secret not in repr(KEY)


def test_record_holds_the_hash_alone() -> None:
    data = encode_sdk_key_record(KEY.record)
    assert KEY.secret.encode() not in data
    record = decode_sdk_key_record(data)
    assert record == KEY.record
    assert record.hash == hash_of_sdk_key(str(KEY))
    assert record.name == "check_out-2.k3f9a2"


@pytest.mark.parametrize(("old", "new", "field"), [(b"k3f9a2", b"K", "id"), (b'"hash":"', b'"hash":"z', "hash")])
def test_record_that_is_none_is_refused(old: bytes, new: bytes, field: str) -> None:
    with pytest.raises(ContractError) as refused:
        decode_sdk_key_record(encode_sdk_key_record(KEY.record).replace(old, new))
    assert refused.value.field == field
