"""Where somebody is sent after a change."""

from __future__ import annotations

from django.http import HttpResponseRedirect


class SeeOther(HttpResponseRedirect):
    """After a change look at it by GET, so that a reload repeats nothing."""

    status_code = 303
