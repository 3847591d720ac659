"""What a page's HTML says, whatever way its template breaks lines."""

from __future__ import annotations

import re

from django.http import HttpResponse


def flat(response: HttpResponse) -> str:
    """The page on one line, without white space beside or at the end of tags; between words one blank is kept."""
    line = " ".join(response.content.decode().split())
    return re.sub(r" ?(<(?!pre)[^<>]*?) ?(/?>) ?", r"\1\2", line)
