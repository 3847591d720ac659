"""Answers that are no page: where somebody is sent after a change, and what they keep as a file."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.utils.http import content_disposition_header


class SeeOther(HttpResponseRedirect):
    """After a change look at it by GET, so that a reload repeats nothing."""

    status_code = 303


def as_file(answer: HttpResponseBase, name: str, *, shown: bool = False) -> HttpResponseBase:
    """The answer under a name; ``shown`` where a program reads it and nobody keeps it."""
    answer["Content-Disposition"] = content_disposition_header(not shown, name) or "attachment"
    return answer


def download(name: str, content: str | bytes | Iterator[str], kind: str) -> HttpResponseBase:
    """``kind`` is its media type; texts are UTF-8."""
    charset = "" if isinstance(content, bytes) else "; charset=utf-8"
    make = StreamingHttpResponse if isinstance(content, Iterator) else HttpResponse
    return as_file(make(content, content_type=f"{kind}{charset}"), name)
