"""Where traces go, and of how many requests. What reads the environment is each process's `settings`."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tailslide_core.fields import shown

PATH = "/v1/traces"
"""Where a collector takes traces by OTLP over HTTP (OTLP specification, OTLP/HTTP Request)."""

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_VISIBLE = re.compile(r"[!-~]*")


def read_traces_url(value: object) -> str:
    """Read the URL of a collector, whose path is `/v1/traces` unless another one is given; raise `ValueError`."""
    if not isinstance(value, str):
        raise ValueError(f"expected the URL of a collector, got {shown(value)}")  # noqa: TRY004 # pydantic collects ValueError
    text = value.strip()
    try:
        # `urlsplit` leaves out line ends, and takes what no URL may have.
        parts = urlsplit(text if _VISIBLE.fullmatch(text) else "")
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    is_plain = not (parts.username or parts.password or parts.query or parts.fragment)
    has_host = _HOST.fullmatch(parts.hostname or "") is not None
    if parts.scheme not in {"http", "https"} or not has_host or not is_plain or port == 0:
        # Not shown: it may be a password that is wrong about it.
        raise ValueError(
            "expected the URL of a collector that takes OTLP over HTTP, without a user or a query, "
            "like http://127.0.0.1:4318"
        )
    return parts._replace(path=parts.path if parts.path.strip("/") else PATH).geturl()


TracesUrl = Annotated[str, PlainValidator(read_traces_url)]
SamplePercent = Annotated[float, Field(ge=0, le=100)]


class TraceFields(BaseSettings):
    """The variables of Tower and Aerobat; a sidecar reads the same by itself."""

    model_config = SettingsConfigDict(env_prefix="TAILSLIDE_", env_ignore_empty=True, frozen=True)

    traces_url: TracesUrl | None = None
    """Where traces are sent: a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318. Without it there
    are none."""
