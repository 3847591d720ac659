"""From pydantic's errors to faults that a person can act on: the line, what is wrong, the nearest right key."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from .document import Document, Fault, Path
from .phrases import invalid, joined, kind_of, say, shorten


class Written(BaseModel):
    """A mapping as a person wrote it: no key too many, no type bent."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty(cls, tree: Any) -> Any:
        """`baseline:` without a value, or with empty text, says as much as no baseline at all."""
        if not isinstance(tree, dict):
            return tree
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: value for key, value in tree.items() if key not in known or not (value is None or value == "")}


class Foreign(Written):
    """A mapping of a file that others own and extend: keys that are not known here are left alone."""

    model_config = ConfigDict(extra="ignore")


Shape = TypeVar("Shape", bound=Written)


def checked(check: Callable[[Any], Any]) -> AfterValidator:
    """A pydantic check from a function that raises ``ValueError`` with the words for the person."""

    def run(value: Any) -> Any:
        try:
            return check(value)
        except ValueError as wrong:
            raise words(wrong.args[0]) from None

    return AfterValidator(run)


def words(message: str) -> PydanticCustomError:
    """An error whose message is shown as it is."""
    return PydanticCustomError("words", "{message}", {"message": message})


def _without_empty(value: Any) -> Any:
    return {key: one for key, one in value.items() if one is not None} if isinstance(value, dict) else value


#: For a mapping with keys of its own (roles, phases): keys without a value are left out.
filled = BeforeValidator(_without_empty)


def text(most: int) -> AfterValidator:
    """For text of 1 to ``most`` characters; blanks around it are taken off."""

    def within(value: str) -> str:
        value = value.strip()
        if not value:
            raise invalid("it is empty. Write something, or leave the key out.")
        if len(value) > most:
            raise invalid("it may have {most} characters, it has {n}. Shorten it.", most=most, n=len(value))
        return value

    return checked(within)


def fit(document: Document, shape: type[Shape]) -> tuple[Shape | None, list[Fault]]:
    """The document in this shape, or None; and the faults that stood in the way."""
    try:
        return shape.model_validate(document.tree), []
    except ValidationError as wrong:
        return None, [_fault(document, shape, error) for error in wrong.errors(include_url=False)]


def nearest(word: str, known: Iterable[str]) -> str:
    """«Did you mean …?», or the list of what there is."""
    choices = sorted(known)
    close = get_close_matches(word, choices, n=1, cutoff=0.6)
    if close:
        return say("Did you mean `{value}`?", value=close[0])
    return say("There are: {names}.", names=", ".join(choices)) if choices else say("There are none.")


def _fault(document: Document, shape: type[Written], error: ErrorDetails) -> Fault:
    path, last = _path_in(document.tree, error["loc"])
    around = path[:-1] if last else path
    key = _key_name(path)
    match error["type"]:
        case "extra_forbidden":
            fields = _shape_at(shape, error["loc"][:-1]).model_fields
            known = [field.alias or name for name, field in fields.items()]
            return document.fault(
                path,
                say(
                    "`{written}` is not a key {inside}. {nearest}",
                    written=shorten(key),
                    inside=_inside(around),
                    nearest=nearest(key, known),
                ),
            )
        case "missing":
            return document.fault(
                around, say("`{key}` is missing{within}. Add `{key}: …`.", key=key, within=_within(around))
            )
        case "words":
            message = error["ctx"]["message"]
            return document.fault(path, message if message.startswith(key) else joined((f"{key}:", message)))
    return document.fault(path, joined((key, _type_words(error))))


def _type_words(error: ErrorDetails) -> str:
    given, limits = kind_of(error["input"]), error.get("ctx", {})
    match error["type"]:
        case "string_type":
            quote = (
                say(" Put it in quotes: '{value}'.", value=str(error["input"]))
                if isinstance(error["input"], int | float)
                else ""
            )
            return say("must be text, not {given}.{value}", given=given, value=quote or say(" Write one text."))
        case "int_type" | "int_parsing" | "int_from_float":
            return say("must be a whole number, not {given}. Write digits only, without quotes and units.", given=given)
        case "bool_type":
            return say("must be true or false, not {given}.", given=given)
        case "list_type":
            return say("must be a list, not {given}. Write [one, two], or one `- entry` a line.", given=given)
        case "dict_type" | "model_type" | "model_attributes_type":
            return say("must be a mapping of keys to values, not {given}. Write `key: value` below it.", given=given)
        case "greater_than_equal":
            return say("must be at least {limit}, not {value}.", limit=limits.get("ge"), value=str(error["input"]))
        case "less_than_equal":
            return say("must be at most {limit}, not {value}.", limit=limits.get("le"), value=error["input"])
        case "too_long":
            return say(
                "may have {limit} entries, it has {actual}. Shorten it.",
                limit=limits.get("max_length"),
                actual=limits.get("actual_length"),
            )
        case "too_short":
            return say("needs at least one entry.")
        case "literal_error" | "enum":
            return say(
                "is {given}. Write {choices}.",
                given=given,
                choices=str(limits.get("expected", "")).replace(chr(39), ""),
            )
    return say("is {given}, which does not fit here: {why}.", given=given, why=error["msg"].lower())


def _path_in(tree: Any, loc: Iterable[int | str]) -> tuple[Path, bool]:
    """The part of pydantic's location that exists in the document; the last step always counts.

    Pydantic names union branches in its locations: a step that the tree does not have is such a name. The second
    value says whether the last step is a key of a mapping.
    """
    steps, path, here = list(loc), [], tree
    for number, step in enumerate(steps):
        is_last = number == len(steps) - 1
        if isinstance(here, dict) and (step in here or is_last):
            path.append(step)
            here = here.get(step)
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            path.append(step)
            here = here[step]
    return tuple(path), bool(path) and isinstance(path[-1], str)


def _key_name(path: Path) -> str:
    return next((step for step in reversed(path) if isinstance(step, str)), say("the document"))


def _inside(path: Path) -> str:
    names = [step for step in path if isinstance(step, str)]
    return say("of {names}", names=".".join(names)) if names else say("of the document")


def _within(path: Path) -> str:
    names = [step for step in path if isinstance(step, str)]
    return say(" in {names}", names=".".join(names)) if names else ""


def _shape_at(shape: type[Written], loc: Iterable[int | str]) -> type[Written]:
    """The shape of the mapping at a location."""
    for step in loc:
        field = shape.model_fields.get(str(step))
        shape = (_shape_in(field.annotation) if field else None) or shape
    return shape


def _shape_in(annotation: Any) -> type[Written] | None:
    if (
        isinstance(annotation, type)
        and not isinstance(annotation, types.GenericAlias)
        and issubclass(annotation, Written)
    ):
        return annotation
    return next((found for part in get_args(annotation) if (found := _shape_in(part))), None)
