"""Reading YAML from strangers: plain data with the line of each part, judged before anything is built.

YAML can build objects (tags), explode (anchors) and surprise (``no`` is a boolean, ``12:30`` a number). A document
here is mappings, lists, text, numbers, ``true``, ``false`` and nothing else; what goes beyond is refused by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from .phrases import kind_of, say, shorten

LIMIT = 262_144
MOST_NODES = 10_000
DEEPEST = 20
MOST_FAULTS = 50

Path = tuple[str | int, ...]

_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)\Z")
_HEX = re.compile(r"[-+]?0x[0-9a-fA-F_]*[0-9a-fA-F]\Z")
_DECIMAL = re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]{1,3})?\Z")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_LONGEST_NUMBER = 30


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a place, and the cure. Line 0 is the document as a whole."""

    source: str
    line: int
    message: str

    def __str__(self) -> str:
        return (
            say("{source}, line {line}: {message}", source=self.source, line=str(self.line), message=self.message)
            if self.line
            else f"{self.source}: {self.message}"
        )


class DocumentRefused(ValueError):
    """A document was not taken; ``faults`` says why, sorted by line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(dict.fromkeys(sorted(faults, key=lambda fault: fault.line)))[:MOST_FAULTS]
        super().__init__("\n".join(map(str, self.faults)))


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping as it was written, and the line of each of its parts."""

    source: str
    tree: dict[str, Any]
    lines: Mapping[Path, int]

    def place(self, path: Iterable[str | int]) -> int:
        """The line of the part at this path (keys and list positions), or of the nearest part around it."""
        steps = tuple(path)
        while steps and steps not in self.lines:
            steps = steps[:-1]
        return self.lines.get(steps, 1)

    def fault(self, path: Iterable[str | int], message: str) -> Fault:
        return Fault(self.source, self.place(path), message)


def read(text: str | bytes, *, source: str = "plan.yaml", limit: int = LIMIT, nodes: int = MOST_NODES) -> Document:
    """Read one YAML mapping. Raises ``DocumentRefused`` with every fault that it found."""
    return _Reader(clean(text, source, limit), source, nodes).document()


def clean(text: str | bytes, source: str, limit: int) -> str:
    """Printable text of an allowed size, or ``DocumentRefused``."""

    def refused(line: int, message: str) -> DocumentRefused:
        return DocumentRefused([Fault(source, line, message)])

    too_large = say(
        "too large: a document may have {limit} bytes. Split it, or leave out what does not belong.", limit=limit
    )
    if len(text) > limit:
        raise refused(0, too_large)
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as wrong:
            line = wrong.object[: wrong.start].count(b"\n") + 1
            raise refused(line, say("this is not UTF-8 text. Save the file with the encoding UTF-8.")) from None
    elif len(text.encode("utf-8", "replace")) > limit:
        raise refused(0, too_large)
    text = text.removeprefix("\ufeff")
    if match := _NOT_TEXT.search(text):
        line = text[: match.start()].count("\n") + 1
        raise refused(line, say("a control character (U+{code}) is not text. Delete it.", code=f"{ord(match[0]):04X}"))
    return text


class _TooMuch(Exception):
    """Reading further is of no use."""


class _Reader:
    """Builds the tree from the parser's events, one mapping or list at a time, and collects faults."""

    def __init__(self, text: str, source: str, nodes: int) -> None:
        self.text, self.source, self.nodes = text, source, nodes
        self.faults: list[Fault] = []
        self.lines: dict[Path, int] = {}
        self.seen = 0
        self.root: Any = None
        self.open: list[_Open] = []

    def document(self) -> Document:
        try:
            self._read_events()
        except _TooMuch:
            pass
        except yaml.MarkedYAMLError as wrong:
            mark = wrong.problem_mark or wrong.context_mark
            self._fault(mark.line + 1 if mark else 0, _syntax_words(wrong))
        except (yaml.YAMLError, ValueError, OverflowError):
            self._fault(0, say("this is not YAML. Compare it with the example in the guide."))
        if not self.faults and not isinstance(self.root, dict):
            message = (
                say("the document is empty")
                if self.root is None
                else say("the document is {kind}", kind=kind_of(self.root))
            )
            self._fault(1, say("{said}. Write it as keys and values, one `key: value` a line.", said=message))
        if self.faults:
            raise DocumentRefused(self.faults)
        return Document(self.source, self.root, self.lines)

    def _fault(self, line: int, message: str) -> None:
        self.faults.append(Fault(self.source, line, message))
        if len(self.faults) >= MOST_FAULTS:
            raise _TooMuch

    def _read_events(self) -> None:
        documents = 0
        loader = yaml.SafeLoader(self.text)
        try:
            while loader.check_event():
                event: Event = loader.get_event()
                if isinstance(event, DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._fault(
                            _line(event), say("a second document begins here. Put each into a file of its own.")
                        )
                        raise _TooMuch
                else:
                    self._take(event)
        finally:
            loader.dispose()

    def _take(self, event: Event) -> None:
        match event:
            case MappingStartEvent() | SequenceStartEvent():
                self._judge(event)
                place = self._place(event)
                if len(self.open) >= DEEPEST:
                    self._fault(
                        _line(event), say("nested deeper than {levels} levels. Write it flatter.", levels=DEEPEST)
                    )
                    raise _TooMuch
                whole: Any = {} if isinstance(event, MappingStartEvent) else []
                self.open.append(_Open(whole, place))
            case MappingEndEvent() | SequenceEndEvent():
                self._put(self.open.pop().whole, _line(event))
            case ScalarEvent():
                self._judge(event)
                place = self._place(event)
                if _NOT_TEXT.search(event.value):
                    self._fault(_line(event), say("an escape in quotes makes a control character. Leave it out."))
                self._put(_scalar(event), _line(event))
            case AliasEvent():
                self._judge(event)
                self._place(event)
                self._put(None, _line(event))

    def _judge(self, event: Any) -> None:
        self.seen += 1
        if self.seen > self.nodes:
            self._fault(_line(event), say("more than {nodes} values. Split the document.", nodes=self.nodes))
            raise _TooMuch
        if event.anchor is not None:
            mark = "*" if isinstance(event, AliasEvent) else "&"
            self._fault(
                _line(event),
                say(
                    "anchors and aliases ({mark}{anchor}) are not read. Write the value out in each place.",
                    mark=mark,
                    anchor=event.anchor,
                ),
            )
        if getattr(event, "tag", None) is not None:
            self._fault(
                _line(event),
                say(
                    "tags ({tag}) are not read. Write the plain value.",
                    tag=shorten(event.tag.replace("tag:yaml.org,2002:", "!!")),
                ),
            )

    def _place(self, event: Event) -> Path:
        """The path of the value that begins here; its line is kept unless its key's line already is."""
        if not self.open:
            place: Path = ()
        else:
            around = self.open[-1]
            if isinstance(around.whole, list):
                place = (*around.path, len(around.whole))
            elif around.awaits_value:
                place = (*around.path, around.key)
            else:
                return (*around.path, "")
        self.lines.setdefault(place, _line(event))
        return place

    def _put(self, value: Any, line: int) -> None:
        if not self.open:
            self.root = value
            return
        around = self.open[-1]
        if isinstance(around.whole, list):
            around.whole.append(value)
        elif around.awaits_value:
            around.whole.setdefault(around.key, value)
            around.awaits_value = False
        else:
            around.key, around.awaits_value = self._key(value, line, around), True

    def _key(self, value: Any, line: int, around: _Open) -> str:
        if not isinstance(value, str):
            cure = say("Use a plain word.") if isinstance(value, dict | list) else say("Put it in quotes.")
            self._fault(line, say("a key must be text, not {kind}. {cure}", kind=kind_of(value), cure=cure))
            return f"\0{line}"
        path = (*around.path, value)
        if value in around.whole:
            first = self.lines[path]
            self._fault(
                line,
                say(
                    "`{written}` is here twice: first on line {first}. Keep one of the two.",
                    written=shorten(value),
                    first=str(first),
                ),
            )
        self.lines.setdefault(path, line)
        return value


class _Open:
    """A mapping or list that is being read; of a mapping also the key whose value comes next."""

    __slots__ = ("awaits_value", "key", "path", "whole")

    def __init__(self, whole: Any, path: Path) -> None:
        self.whole, self.path = whole, path
        self.key, self.awaits_value = "", False


def _line(event: Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _scalar(event: ScalarEvent) -> Any:
    """The value of a scalar: as YAML says, without yes, no, on, off, dates, base 60 and leading zeros."""
    text: str = event.value
    if not event.implicit[0] or event.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _WHOLE.match(text):
        return int(text.replace("_", ""))
    if _HEX.match(text):
        return int(text.replace("_", ""), 16)
    if _DECIMAL.match(text):
        return float(text.replace("_", ""))
    return text


def _syntax_words(wrong: yaml.MarkedYAMLError) -> str:
    """What the parser says of a syntax error, with the cure for the commonest ones."""
    problem = (wrong.problem or "").split("\n")[0]
    cures = (
        ("character '\\t'", say("Use spaces, not tabs.")),
        ("mapping values are not allowed", say("Put text that holds a colon in quotes, or check the indentation.")),
        ("unexpected end of stream", say("Close the quotes or the bracket.")),
        ("block end", say("Check the indentation and close every bracket.")),
        ("expected ','", say("Put a comma between entries, and close every bracket.")),
        ("could not find expected ':'", say("Write `key: value`, with a colon and a space.")),
        ("undefined alias", say("Write the value out.")),
        ("cannot start any token", say("Put this text in quotes.")),
    )
    cure = next((cure for sign, cure in cures if sign in problem), say("Check indentation, quotes and brackets."))
    return say("this is not YAML ({written}). {cure}", written=shorten(problem, 80), cure=cure)
