"""Loose ends: what stays behind while nobody looks."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from ..models import clock
from ..services import loose_ends as found
from . import answers
from .contract import LIST

router = Router(tags=["loose ends"])


@router.get("/loose-ends", response={200: answers.LooseEnds, **LIST}, summary="What stays behind")
def loose_ends(request: HttpRequest) -> dict[str, Any]:
    """By kind, each with what ends it: flags without an issue, issues that are open again, owners who left …"""
    kinds = found.find(clock.now())
    return {"kinds": [kind.as_json() for kind in kinds], "count": sum(kind.count for kind in kinds)}
