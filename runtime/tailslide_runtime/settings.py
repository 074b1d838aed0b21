"""What the settings of all processes share: addresses to listen on, and errors that name the variable.

Each process has a `settings.py` of its own, which alone reads the environment; this module reads nothing. The URLs of
servers are in `server_urls`.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, PlainValidator, ValidationError
from pydantic_core import core_schema
from pydantic_settings import BaseSettings, NoDecode, SettingsError

from tailslide_core.fields import shown
from tailslide_runtime.errors import StartError

Settings = TypeVar("Settings", bound=BaseSettings)

_OBJECT_EXPECTED = ("model_type", "model_attributes_type", "dict_type")
"""Kinds of pydantic's errors whose texts speak of dictionaries and of classes of ours."""
_MISSING = "a value is required"
_SHOULD = re.compile(r"^\w+ should (?:be|have) ")
"""How most of pydantic's texts begin: `Input should be a valid string`, `String should have at least 1 character`."""
_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]*):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where to listen: `host:port` (port 0 for any free one) or `unix:/path/to/socket`."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    @classmethod
    def parse(cls, text: str) -> "ListenAddress":
        """Read an address; raise `ValueError` that says what was expected."""
        if text.startswith("unix:"):
            path = Path(text.removeprefix("unix:"))
            if not path.is_absolute() or "\0" in text:
                raise ValueError(f"expected unix:/absolute/path, got {shown(text)}")
            return cls(path=path)
        match = _HOST_PORT.fullmatch(text)
        if match is None or int(match["port"]) > 65535 or not match["host"]:
            raise ValueError(f"expected host:port with a port of 0 to 65535, or unix:/absolute/path, got {shown(text)}")
        return cls(host=match["host"].strip("[]"), port=int(match["port"]))

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Let pydantic read an address from its text."""

        def read(value: object) -> ListenAddress:
            if isinstance(value, ListenAddress):
                return value
            if not isinstance(value, str):
                raise ValueError(f"expected host:port, got {shown(value)}")  # noqa: TRY004 # pydantic collects ValueError
            return cls.parse(value)

        return core_schema.no_info_plain_validator_function(read)


_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?\.?")


def read_hosts(value: object) -> tuple[str, ...]:
    """Read names of hosts, without ports: a list of them, or one text with commas; raise `ValueError`."""
    names = [name for name in value.split(",") if name.strip()] if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        raise ValueError(f"expected names of hosts, got {shown(value)}")  # noqa: TRY004 # pydantic collects ValueError
    hosts = tuple(name.strip() if isinstance(name, str) else name for name in names)
    for host in hosts:
        if not isinstance(host, str) or not _is_host(host):
            raise ValueError(f"expected names of hosts without ports, like tower.example.org, got {shown(host)}")
    return hosts


def _is_host(text: str) -> bool:
    if _HOST_NAME.fullmatch(text):
        return True
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return isinstance(ipaddress.ip_address(bare), ipaddress.IPv6Address)
    except ValueError:
        return False


AllowedHosts = Annotated[tuple[str, ...], NoDecode, PlainValidator(read_hosts)]
"""Names that a listener answers to besides those of loopback."""


def load(settings: type[Settings], prefix: str = "TAILSLIDE_") -> Settings:
    """Read settings from the environment; raise `StartError` that names the variables that are wrong.

    The first of a required field's `examples` is shown when there is no value.
    """

    def variable(field: str) -> str:
        # What a model refuses as a whole has no field.
        return "environment" if field == "body" else f"{prefix}{field.upper()}"

    try:
        return settings()
    except ValidationError as error:
        sentences = []
        for field, problem in problems(error):
            known = settings.model_fields.get(field)
            like = f", like {known.examples[0]}" if known and known.examples and problem == _MISSING else ""
            sentences.append(f"{variable(field)}: {problem}{like}")
        raise StartError("; ".join(sentences)) from None
    except SettingsError as error:  # a list or an object, which pydantic reads as JSON, does not parse
        named = re.search(r'field "(\w+)"', str(error))
        raise StartError(f"{variable(named[1] if named else 'body')}: expected JSON, which this is not") from None


def explain(error: ValidationError, name: Any = str) -> str:
    """Return one sentence for all that a model refused; `name` turns the path of a field into what people call it."""
    return "; ".join(f"{name(field)}: {problem}" for field, problem in problems(error))


def problems(error: ValidationError) -> list[tuple[str, str]]:
    """Return what a model refused as (path of the field, what was expected)."""
    found: list[tuple[str, str]] = []
    for item in error.errors(include_url=False):
        path = ""
        for part in item["loc"]:
            if part == "[key]":  # so pydantic says that it is the name which is wrong, and not its value
                continue
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "unknown field"
        elif item["type"] == "missing":
            message = _MISSING
        elif item["type"] in _OBJECT_EXPECTED:
            message = f"expected an object, got {shown(item['input'])}"
        elif item["type"] != "value_error":
            message = f"{_as_expected(message)}, got {shown(item['input'])}"
        found.append((path or "body", message))
    return found


def _as_expected(message: str) -> str:
    """Return a message of pydantic in the form that our own have."""
    problem = _SHOULD.sub("expected ", message)
    return f"{problem[:1].lower()}{problem[1:]}"


class Closed(BaseModel):
    """Base for what people write by hand: an unknown field is an error, and a value never changes once read."""

    model_config = {"extra": "forbid", "frozen": True}
