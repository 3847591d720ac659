"""What callers send: the right kind, a bounded size, and every fault named."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import pydantic
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest

from ..rules.document import LIMIT
from .problems import Problem, error
from .questions import PlanWritten, Written

JSON = "application/json"
YAML = ("application/yaml", "text/yaml", "application/x-yaml")
#: A plan at its limit, written as JSON with every character escaped, is still shorter.
MOST_BYTES = 8 * LIMIT
Shape = TypeVar("Shape", bound=Written)


def as_json(request: HttpRequest, shape: type[Shape]) -> Shape:
    """The JSON body, an absent one as an empty object. Raises ``Problem`` (400, 413, 415, 422)."""
    if not _length(request):
        return _checked({}, shape)
    if request.content_type != JSON:
        raise Problem(415, f"The body is {_kind(request)}; this address takes {JSON}.")
    try:
        tree = json.loads(_bytes(request))
    except (ValueError, RecursionError):
        raise Problem(400, "The body is no JSON. Send an object, as in {}.") from None
    return _checked(tree, shape)


def plan(request: HttpRequest) -> bytes | str:
    """The plan document from a YAML body, or from ``document`` of a JSON one."""
    if request.content_type in YAML:
        text: bytes | str = _bytes(request)
    elif request.content_type == JSON:
        text = as_json(request, PlanWritten).document
    else:
        raise Problem(415, f"The body is {_kind(request)}; this address takes {YAML[0]} or {JSON}.")
    if len(text) > LIMIT:
        raise Problem(413, f"A plan may have {LIMIT:,} bytes; this one has {len(text):,}. Is it a plan?")
    return text


def _bytes(request: HttpRequest) -> bytes:
    if _length(request) > MOST_BYTES:
        raise Problem(413, f"A body may have {MOST_BYTES:,} bytes.")
    try:
        return request.body
    except RequestDataTooBig:
        raise Problem(413) from None


def _length(request: HttpRequest) -> int:
    """As Django takes it: what is no number counts as nothing."""
    length = request.META.get("CONTENT_LENGTH") or ""
    return int(length) if length.isdecimal() and len(length) < 19 else 0


def _kind(request: HttpRequest) -> str:
    return (request.content_type or "of no named kind")[:100]


def _checked(tree: Any, shape: type[Shape]) -> Shape:
    if not isinstance(tree, dict):
        raise Problem(422, "The body is JSON, but no object.", errors=[error("body", "", "Send an object, as in {}.")])
    try:
        return shape.model_validate(tree)
    except pydantic.ValidationError as wrong:
        errors = [_error(wrong_part) for wrong_part in wrong.errors(include_url=False, include_input=False)]
    raise Problem(422, " ".join(wrong_part["message"] for wrong_part in errors), errors=errors, kind="invalid")


def _error(wrong_part: Any) -> dict[str, Any]:
    name = ".".join(map(str, wrong_part["loc"]))[:100]
    name = name.encode(errors="replace").decode()  # a key, too, may hold half of a surrogate pair
    return error("body", name, f"{name}: {wrong_part['msg'].removeprefix('Value error, ')}.")
