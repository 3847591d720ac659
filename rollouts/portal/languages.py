"""Pages in the reader's language: chosen in the footer, else as the browser asks; machines get English."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.views.i18n import set_language

#: What programs read (API, webhooks, checks, metrics) is the same in all languages.
FOR_MACHINES = ("/api/", "/hooks/", "/healthz", "/readyz", "/metrics")

choose = login_not_required(set_language)


class ReadersLanguage(LocaleMiddleware):
    """Django's own, but for addresses that programs read."""

    def process_request(self, request: HttpRequest) -> None:
        if not request.path.startswith(FOR_MACHINES):
            super().process_request(request)
            return
        translation.activate(settings.LANGUAGE_CODE)
        request.LANGUAGE_CODE = settings.LANGUAGE_CODE

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.path.startswith(FOR_MACHINES):
            return response
        return super().process_response(request, response)
