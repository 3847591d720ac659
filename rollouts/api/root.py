"""The API as a whole: its rooms, its doors, and how each refusal is answered."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import URLPattern
from ninja import NinjaAPI
from ninja.errors import AuthenticationError

from . import (
    answers,
    approvals,
    drift,
    flags,
    history,
    loose_ends,
    notices,
    people,
    problems,
    reference,
    refusing,
    reports,
    rollouts,
    sync,
    waivers,
)
from .auth import AUTH, actor
from .contract import LIST

JSON = "application/json"


class RolloutAPI(NinjaAPI):
    """Ninja, with problem documents where it would write its own."""

    def get_openapi_schema(self, **where: Any) -> Any:
        """The document, with refusals in words and under their own media type."""
        document: Any = super().get_openapi_schema(**where)
        for operations in document["paths"].values():
            for operation in operations.values():
                for status, answer in operation["responses"].items():
                    if int(status) >= 400 and JSON in answer.get("content", {}):
                        answer["content"] = {problems.MEDIA_TYPE: answer["content"][JSON]}
                        answer["description"] = problems.WORDS.get(int(status), answer["description"])
                operation["responses"][414]["content"] = {"text/html": {"schema": {"type": "string"}}}  # the server's
        return document

    def own_urls(self) -> list[URLPattern]:
        """Its addresses, each behind its own doors instead of the portal's sign-in page."""
        patterns: list[Any] = self._get_urls()
        for pattern in patterns:
            pattern.callback = entrance(pattern.callback)
        return patterns


def entrance(view: Any) -> Any:
    """What holds at each address: no redirect to sign-in, HEAD where GET is, and JSON unless it is a page."""

    def enter(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
        is_page = request.path == problems.DOCS
        if not is_page and not any(request.accepts(kind) for kind in (JSON, problems.MEDIA_TYPE)):
            return problems.answer(406)
        method = request.method
        if method == "HEAD":
            request.method = "GET"
        answer: HttpResponse = view(request, *args, **named)
        request.method = method  # so that the body is left out
        return answer

    enter.csrf_exempt = True  # type: ignore[attr-defined] # auth.Session asks for the CSRF token itself
    return login_not_required(enter)


api = RolloutAPI(
    title="Model Rollout Portal",
    version="1",
    description="Rollouts of AI models behind GitLab feature flags: see where they stand, plan them, take transitions."
    "\n\nA NUL character is in no text: in an address it is 400, in a body 422. Refusals are problem documents "
    "(RFC 9457), but 414 is said by the server before the portal is asked.",
    urls_namespace="api-1",
    openapi_url=None,
    docs_url=None,
    auth=AUTH,
)
for refusal, handler in refusing.HANDLERS.items():
    api.add_exception_handler(refusal, handler)
for router in (
    rollouts.router,
    approvals.router,
    waivers.router,
    drift.router,
    notices.router,
    flags.router,
    history.router,
    loose_ends.router,
    people.router,
    reports.router,
    sync.router,
):
    api.add_router("", router)


@api.get("/", response={200: answers.Welcome, **LIST}, summary="Who you are", tags=["about"])
def welcome(request: HttpRequest) -> dict[str, Any]:
    """To try a token, and to find the rest."""
    by = actor(request)
    return {"name": by.name, "roles": sorted(by.roles), "docs": problems.DOCS, "openapi": "/api/v1/openapi.json"}


@api.get("/openapi.json", include_in_schema=False)
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document."""
    return JsonResponse(api.get_openapi_schema())


@api.get("/docs", include_in_schema=False, auth=None)
def docs(request: HttpRequest) -> HttpResponse:
    """The same for people. A browser that is not signed in is sent to sign in."""
    if not any(door(request) for door in AUTH):
        if "text/html" in request.headers.get("Accept", ""):
            return redirect_to_login(request.path)
        raise AuthenticationError
    base = request.build_absolute_uri("/").rstrip("/")
    return render(request, "portal/api.html", {"rooms": reference.rooms(api.get_openapi_schema(), base)})


urls = (api.own_urls(), "ninja", api.urls_namespace)
