"""The description of the API in OpenAPI 3.1, made of the routes' declarations."""

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from tailslide_core.naming import FLAG_KEY_PATTERN, MAX_FLAG_KEY
from tailslide_tower.api.problems import PROBLEM_TYPE
from tailslide_tower.api.routes import MAX_REASON, REASON_HEADER, Access, Operation
from tailslide_tower.requests import NoFields

_REF = "#/components/schemas/{model}"
_PATH_PARAMETER = re.compile(r"{(\w+)}")
_KEY_SCHEMA = {"type": "string", "pattern": f"^{FLAG_KEY_PATTERN}$", "maxLength": MAX_FLAG_KEY}
_PATH_SCHEMAS: dict[str, dict[str, Any]] = {
    "app": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$"},
    "flag": _KEY_SCHEMA,
    "segment": _KEY_SCHEMA,
}
_ANY_NAME = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,100}$"}


class Problem(BaseModel):
    """An error (RFC 9457). Some have more members: `current` in a 412 is the resource as it is now."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str = Field(description="One sentence for people.")
    code: str = Field(description="For programs: it does not change.")
    field: str | None = Field(default=None, description="What is at fault: a path in the body, a parameter, a header.")


_REFUSALS = {
    400: "Something that was sent is not as expected; `field` says what.",
    401: "No credential, or none that is known.",
    403: "The one who asks may not do this.",
    404: "Something in the path is not there.",
    409: "What is there stands in the way.",
    412: "It has changed since it was read; `current` has what is there now.",
    414: "Path and query are too long.",
    415: "The body is not JSON.",
    428: "If-Match is missing.",
    429: "Too many attempts; Retry-After says when to come back.",
    503: "A server that this needs is away; nothing was done.",
}


def description_of(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the OpenAPI document of these operations."""
    operations = list(operations)
    schemas = _Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tailslide Tower",
            "version": version("tailslide-platform"),
            "description": "Flags, segments and circuits, for people, scripts and dashboards.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}, {"session": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An API token."},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "tailslide_session",
                    "description": "A session; over https the name has the prefix __Host-. Changes also need the "
                    "header X-CSRF-Token with the csrf_token that GET /session gives.",
                },
            },
        },
    }


class _Schemas:
    """The JSON schemas of all models, each once."""

    def __init__(self, operations: list[Operation]) -> None:
        inputs = {model for operation in operations for model in (operation.body, operation.query)} | {Problem}
        adapters: list[tuple[Any, Any, TypeAdapter[Any]]] = [
            *((model, "validation", TypeAdapter(model)) for model in sorted(inputs, key=lambda model: model.__name__)),
            *(
                (operation.name, "serialization", TypeAdapter(operation.answer))
                for operation in operations
                if operation.answer is not None
            ),
            *(
                ((operation.name, side), "validation" if side == "client" else "serialization", TypeAdapter(messages))
                for operation in operations
                for side, messages in operation.messages.items()
            ),
        ]
        found, definitions = TypeAdapter.json_schemas(adapters, ref_template=_REF)
        self._found = {key: schema for (key, _), schema in found.items()}
        queries = {operation.query.__name__ for operation in operations}
        every = definitions.get("$defs", {})
        self._queries: dict[str, dict[str, Any]] = {name: every[name] for name in queries}
        self.definitions = {name: schema for name, schema in every.items() if name not in queries}

    def query_of(self, operation: Operation) -> dict[str, Any]:
        """Return the schema of an operation's query; what its parameters refer to is among the definitions."""
        return self._queries[operation.query.__name__]

    def of(self, key: Any) -> dict[str, Any]:
        """Return the schema of a body's model, of the answer of the operation of this name, or of messages of its."""
        return self._found[key]


def _operation(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    query = _query_parameters(schemas.query_of(operation))
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": [*_path_parameters(operation), *query, *_headers(operation)],
        "responses": _responses(operation, schemas),
    }
    if operation.messages:
        # OpenAPI has no words for what follows a 101.
        described["x-messages"] = {side: schemas.of((operation.name, side)) for side in operation.messages}
    if operation.access is Access.PUBLIC:
        described["security"] = []
    if operation.body is not NoFields:
        described["requestBody"] = {
            "required": any(field.is_required() for field in operation.body.model_fields.values()),
            "content": {"application/json": {"schema": schemas.of(operation.body)}},
        }
    return described


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _PATH_SCHEMAS.get(name, _ANY_NAME)}
        for name in _PATH_PARAMETER.findall(operation.path)
    ]


def _query_parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": each}
        for name, each in schema.get("properties", {}).items()
    ]


def _headers(operation: Operation) -> list[dict[str, Any]]:
    if operation.method == "GET" or operation.access in {Access.PUBLIC, Access.VIEW}:  # nothing is changed
        return []
    headers: list[dict[str, Any]] = [
        {
            "name": REASON_HEADER,
            "in": "header",
            "required": False,
            "description": "Why, for the log; may be percent-encoded UTF-8.",
            "schema": {"type": "string", "maxLength": MAX_REASON},
        }
    ]
    if operation.conditional:
        headers.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": True,
                "description": "The ETag of what was read, or * for whatever is there now.",
                "schema": {"type": "string", "examples": ["*"]},
            }
        )
    return headers


def _responses(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    success: dict[str, Any] = {"description": operation.summary}
    if operation.answer is not None:
        schema = {"schema": schemas.of(operation.name)}
        success["content"] = dict.fromkeys(operation.media_type.split(", "), schema)
    refused = {400, 414, 415, 503, *operation.more_answers}
    if operation.access is not Access.PUBLIC:
        refused |= {401, 403, 429}
    if _PATH_PARAMETER.search(operation.path):
        refused.add(404)
    if operation.method != "GET":
        refused.add(409)
    if operation.conditional:
        refused |= {412, 428}
    problem = {"content": {PROBLEM_TYPE: {"schema": schemas.of(Problem)}}}
    return {
        str(operation.status): success,
        **{str(status): {"description": _REFUSALS.get(status, "Refused."), **problem} for status in sorted(refused)},
    }
