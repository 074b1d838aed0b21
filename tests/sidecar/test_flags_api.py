"""How a query says who asks."""

from multidict import MultiDict

from tailslide_core.evaluation import Context
from tailslide_sidecar.flags_api import context_of_query


def test_a_query_is_a_context() -> None:
    query = MultiDict([("targeting_key", "u"), ("country", "DE"), ("group", "a"), ("group", "b")])
    assert context_of_query(query) == Context("u", {"country": "DE", "group": ["a", "b"]})
    assert context_of_query(MultiDict()) == Context(None, {})
