"""Lists whose items are worked out once, and paths into objects."""

from hypothesis import given
from hypothesis import strategies as st
from strategies import any_json

from tailslide_core.attributes import Items, at_path, path_of
from tailslide_core.scalars import comparable_text, number_of


@given(st.lists(any_json, max_size=6))
def test_items_are_divided_by_kind(values: list[object]) -> None:
    texts, numbers, booleans, unknown = Items(values).kinds
    known = 0
    for value in values:
        if isinstance(value, str) and comparable_text(value) is not None:
            assert value in texts
        elif isinstance(value, bool):
            assert value in booleans
        elif not isinstance(value, str) and number_of(value) is not None:
            assert value in numbers
        else:
            continue
        known += 1
    assert unknown is (known < len(values))
    assert len(texts) + len(numbers) + len(booleans) <= known


@given(st.lists(any_json, max_size=6))
def test_what_items_say_is_worked_out_once(values: list[object]) -> None:
    items = Items(values)
    assert items.written == [comparable_text(value) for value in values]
    assert items.lowered == {text.lower() for text in items.kinds.texts}
    assert items.said.numbers == {number for text in items.kinds.texts if (number := number_of(text)) is not None}
    assert items.kinds is items.kinds
    assert items.said is items.said
    assert items.written is items.written


def test_a_text_that_says_a_number_beyond_64_bits_is_remembered() -> None:
    assert Items(["x", "1e999"]).said.too_large
    assert Items(["18446744073709551616"]).said.too_large
    assert not Items(["x", "18446744073709551615", 10**30]).said.too_large


def test_items_show_their_number() -> None:
    assert repr(Items([1, 2])) == "Items(2)"


@given(any_json, st.lists(st.sampled_from(["a", "b", ""]), min_size=2, max_size=4))
def test_a_path_leads_through_objects_alone(value: object, names: list[str]) -> None:
    nested: object = value
    for name in reversed(names[1:]):
        nested = {name: nested}
    path = path_of(".".join(names))
    assert path == tuple(names)
    assert at_path({names[0]: nested}, path) is value
    assert at_path({names[0]: [nested]}, path) is None
    assert at_path({}, path) is None


def test_a_name_without_dots_is_no_path() -> None:
    assert path_of("plan") == ()
