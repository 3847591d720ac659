"""What an address asks a page for. What there is not is told in words with the choices, by 422, and fits nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.core.paginator import EmptyPage, Page, PageNotAnInteger, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ..models.keyset import WrongCursor
from ..rules.phrases import say, spoken
from ..rules.quoting import shorten
from ..services import choices
from . import live

LONGEST = 200


class PageQuery:
    """Reads what one request asks for; ``wrong`` collects what there is not, ``fits_nothing`` if that is a filter."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.query = request.POST if request.method == "POST" else request.GET
        self.wrong: list[str] = []
        self.fits_nothing = False

    def text(self, name: str, longest: int = LONGEST) -> str:
        return self.query.get(name, "").strip()[:longest]

    def filter(self, name: str, offered: Iterable[str]) -> str:
        """One of the choices, or nothing. One that there is not leaves no row."""
        written = self.query.get(name, "")
        if not written or written in (known := list(offered)):
            return written
        self.fits_nothing = True
        self._refuse(name, written, known)
        return ""

    def choice(self, name: str, offered: Iterable[str], usual: str) -> str:
        """How the page shows what fits; the usual way where there is no such one."""
        written, known = self.query.get(name, ""), list(offered)
        if not written or written in known:
            return written or usual
        self._refuse(name, written, known)
        return usual

    def read(self, name: str, reader: Callable[[str], Any], *, narrows: bool = True) -> Any:
        """What ``reader`` makes of it, None where nothing is asked. It raises ``ValueError`` with words.

        ``narrows`` says that it is a filter: what is none leaves no row.
        """
        written = self.text(name)
        try:
            return reader(written) if written else None
        except ValueError as wrong:
            self.fits_nothing = self.fits_nothing or narrows
            self.wrong.append(spoken(str(wrong)))
            return None

    def rows(self, rows: Any) -> Any:
        """The same, or none where a filter was not understood."""
        return rows.none() if self.fits_nothing else rows

    def cursor(self, page: Callable[[str], Any], name: str = "after") -> Any:
        """The page of rows that begins there; the first where there is no such place."""
        try:
            return page(self.query.get(name, ""))
        except WrongCursor as wrong:
            self.wrong.append(spoken(str(wrong)))
            return page("")

    def page(self, rows: Any, size: int) -> Page:
        """The numbered page; the first, and words, where there is none of that number."""
        pages, written = Paginator(rows, size), self.query.get("page", "")
        try:
            return pages.page(written or 1)
        except (EmptyPage, PageNotAnInteger):
            message = say("There is no page {written}: there are {n}.", written=shorten(written), n=pages.num_pages)
            self.wrong.append(spoken(message))
            return pages.page(1)

    def answer(self, template: str, context: Mapping[str, Any], status: int = 200) -> HttpResponse:
        """The page, with what was not understood above it. An open page that asks again is shown as it is."""
        if self.wrong and status == 200 and not live.is_asked(self.request):
            status = 422
        return render(self.request, template, {**context, "not_understood": self.wrong}, status=status)

    def _refuse(self, name: str, written: str, known: list[str]) -> None:
        self.wrong.append(spoken(choices.refusal(name, written, known)))
