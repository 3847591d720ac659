"""What no page wants: a NUL character, which PostgreSQL can't store and SQLite cuts texts at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

NUL = "\x00"
WORDS = "The request holds a NUL character, which no text has. Take it out and send it again."


class RefuseNul:
    """Answers 400 before a view sees such a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if NUL in request.path or any(NUL in text for _, texts in request.GET.lists() for text in texts):
            return render(request, "400.html", {"words": WORDS}, status=400)
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if request.method == "POST" and any(NUL in str(text) for _, texts in request.POST.lists() for text in texts):
            return render(request, "400.html", {"words": WORDS}, status=400)
        return None
