"""Requests as the routes of the proxy see them, made of plain values."""

from dataclasses import dataclass, field


@dataclass
class PlainRequest:
    """A request; `fields` are its headers in their order, names in lower case."""

    path: str = "/"
    method: str = "GET"
    host: str = "h"
    port: int | None = None
    query: str = ""
    absolute: bool = False
    fields: list[tuple[str, str]] = field(default_factory=list)

    def get(self, name: str) -> str | None:
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: str) -> list[str]:
        return [value for found, value in self.fields if found == name]
