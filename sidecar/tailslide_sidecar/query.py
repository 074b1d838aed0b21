"""What the query of a request says of a user. Pure."""

from urllib.parse import parse_qsl

from tailslide_core.evaluation import Context

TARGETING_KEY = "targeting_key"


def context_of_query(query: str) -> Context:
    """Return the user whom a query, as it was sent, speaks for.

    `targeting_key` names the user; all else are attributes, a list where one is repeated. What is not UTF-8 is read
    with U+FFFD in its place.
    """
    targeting_key: str | None = None
    attributes: dict[str, object] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        if name == TARGETING_KEY:
            targeting_key = value if targeting_key is None else targeting_key
            continue
        known = attributes.get(name)
        if known is None:
            attributes[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            attributes[name] = [known, value]
    return Context(targeting_key, attributes)
