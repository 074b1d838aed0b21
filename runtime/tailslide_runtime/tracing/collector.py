"""Requests to a collector: each has a bound in time and size, whatever is at the other end, and says why it failed.

Which answers are tried again, and when, is OpenTelemetry's exporter's to decide. Left to itself it takes a redirect for
success, reads an answer to its end however long that is, and does not say what the last of its tries has met.
"""

import time
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from urllib3.exceptions import HTTPError

MOST_OF_AN_ANSWER = 4_096
"""Bytes that are read: a good answer has none, or some ten."""
MOST_OF_A_REASON = 300
"""Characters of what a collector says that go into the log."""


class CollectorSession(requests.Session):
    """The session of an exporter. One request at a time."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self.headers["Accept-Encoding"] = "identity"
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # none are kept: they would grow in number
        self.problem = ""
        """Why the last request has failed; empty where it has not."""
        self.rejected = 0
        """How many spans of the last request the collector has not taken, though it answered 200."""
        self._timeout_s = timeout_s

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request and read the beginning of its answer."""
        self.problem, self.rejected = "", 0
        until_s = time.monotonic() + self._timeout_s
        try:
            response = super().send(request, **{**kwargs, "stream": True})
        except Exception as error:
            self.problem = _reason(error)
            raise
        body = _beginning(response, until_s)
        if 300 <= response.status_code < 400:
            self.problem = f"the collector answered {response.status_code}, and redirects are not followed"
            raise requests.RequestException(self.problem)
        if response.status_code >= 400:
            self.problem = f"the collector answered {response.status_code} {response.reason}"[:MOST_OF_A_REASON]
        else:
            self._read_partial_success(body)
        return response

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: whether redirects are followed or not, `requests` would read all of the answer to see where to."""

    def _read_partial_success(self, body: bytes) -> None:
        # OTLP/HTTP, Partial Success: neither the batch nor a part of it is to be sent again.
        answer = ExportTraceServiceResponse()
        try:
            answer.ParseFromString(body)
        except DecodeError:
            return  # it has said 200, which is enough
        partial = answer.partial_success
        if partial.rejected_spans > 0:
            self.rejected = partial.rejected_spans
            self.problem = f"the collector refused {self.rejected} spans: {partial.error_message}"[:MOST_OF_A_REASON]


def _beginning(response: requests.Response, until_s: float) -> bytes:
    """Return what has come of a body in time, up to a bound. What is wrong with the rest undoes no status."""
    body = b""
    try:
        while len(body) < MOST_OF_AN_ANSWER and time.monotonic() < until_s:
            part = response.raw.read(1)  # one that asks for more waits for more, for ever
            if not part:
                return body
            body += part
    except (HTTPError, OSError):
        pass
    response.close()
    return body


def _reason(error: BaseException) -> str:
    """Return what is at the bottom of an error: those of `requests` and `urllib3` hold each other as texts."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    text = getattr(error, "verify_message", None) or (error.strerror if isinstance(error, OSError) else None)
    return (text or str(error) or type(error).__name__)[:MOST_OF_A_REASON]
