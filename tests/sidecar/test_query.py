"""How a query says who asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.evaluation import Context
from tailslide_sidecar.query import context_of_query


@pytest.mark.parametrize(
    ("query", "context"),
    [
        ("", Context(None, {})),
        ("targeting_key=u&country=DE", Context("u", {"country": "DE"})),
        ("group=a&group=b&group=c", Context(None, {"group": ["a", "b", "c"]})),
        ("targeting_key=first&targeting_key=second", Context("first", {})),
        ("targeting_key=", Context("", {})),
        ("targeting_key", Context("", {})),
        ("beta", Context(None, {"beta": ""})),
        ("targeting_key=Zo%C3%AB+B", Context("Zoë B", {})),
        ("targeting%5Fkey=u", Context("u", {})),
        ("targetingKey=u", Context(None, {"targetingKey": "u"})),
        ("a=%FF", Context(None, {"a": "\ufffd"})),
        ("a=%zz", Context(None, {"a": "%zz"})),
        ("a=b=c&&=d", Context(None, {"a": "b=c", "": "d"})),
        ("a=b;c=d", Context(None, {"a": "b;c=d"})),
    ],
)
def test_a_query_is_a_context(query: str, context: Context) -> None:
    assert context_of_query(query) == context


@given(st.text())
def test_any_query_is_read(query: str) -> None:
    context = context_of_query(query)
    assert "targeting_key" not in context.attributes
    assert all(isinstance(value, str | list) for value in context.attributes.values())
