"""The OpenAPI document as a page tells it: each operation in words, with a call to copy."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

#: How a type of JSON Schema is called for people.
TYPES = {"string": "text", "integer": "number", "number": "number", "boolean": "true or false", "array": "list"}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    where: str
    kind: str
    required: bool
    words: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """``address`` is where a browser can open it as it is: what is read, without parameters in its path."""

    name: str
    method: str
    path: str
    summary: str
    words: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    bodies: tuple[str, ...]
    answers: tuple[tuple[int, str], ...]
    call: str
    address: str


@dataclass(frozen=True, slots=True)
class Room:
    """Operations about one kind of thing."""

    name: str
    operations: tuple[Operation, ...]


def rooms(document: dict[str, Any], base: str) -> list[Room]:
    """``base`` is the portal's own address, for the calls."""
    by_room: dict[str, list[Operation]] = {}
    schemas = document.get("components", {}).get("schemas", {})
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            by_room.setdefault(operation["tags"][0], []).append(
                _operation(path, method.upper(), operation, schemas, base)
            )
    return [Room(name, tuple(operations)) for name, operations in by_room.items()]


def _operation(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any], base: str) -> Operation:
    bodies = tuple(operation.get("requestBody", {}).get("content", {}))
    return Operation(
        name=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        words=tuple(part.replace("\n", " ") for part in operation.get("description", "").split("\n\n") if part),
        parameters=tuple(_parameter(one, schemas) for one in operation.get("parameters", [])),
        bodies=bodies,
        answers=tuple(
            (int(status), HTTPStatus(int(status)).phrase) for status in sorted(operation["responses"], key=int)
        ),
        call=_call(base + path, method, bodies),
        address=path if method == "GET" and "{" not in path else "",
    )


def _parameter(parameter: dict[str, Any], schemas: dict[str, Any]) -> Parameter:
    kinds = [_resolved(kind, schemas) for kind in parameter["schema"].get("anyOf", [parameter["schema"]])]
    kind: dict[str, Any] = next((kind for kind in kinds if kind.get("type") != "null"), {})
    return Parameter(
        name=parameter["name"],
        where=parameter["in"],
        kind="time" if kind.get("format") == "date-time" else TYPES.get(kind.get("type", ""), ""),
        required=parameter.get("required", False),
        words=parameter.get("description") or parameter["schema"].get("description", ""),
        choices=tuple(str(choice) for choice in kind.get("enum", ())),
    )


def _resolved(kind: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = schemas.get(kind["$ref"].rsplit("/", 1)[-1], {}) if "$ref" in kind else kind
    return schema


def _call(address: str, method: str, bodies: tuple[str, ...]) -> str:
    """A call for the shell; what stands in braces is to be filled in."""
    words = ["curl", "--header", "Authorization: Bearer $TOKEN"]
    if bodies:
        words += ["--request", method, "--header", f"Content-Type: {bodies[0]}"]
        words += ["--data-binary", "@plan.yaml" if "yaml" in bodies[0] else "{}"]
    return " ".join(_quoted(word) for word in [*words, address])


def _quoted(word: str) -> str:
    return f'"{word}"' if "$" in word else shlex.quote(word)
