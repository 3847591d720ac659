"""Which refusals each kind of address has, and the bodies that ninja can't tell by itself: for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from .answers import ProblemTold
from .questions import (
    AwayAsked,
    DriftAnswerWritten,
    FollowAsked,
    ItemAsked,
    MeasuredAsked,
    PlanWritten,
    TransitionAsked,
    WaiverDecided,
    WaiverWritten,
    WishesAsked,
)

LIST: dict[Any, Any] = dict.fromkeys((400, 401, 405, 406, 414, 422, 500, 503), ProblemTold)
LOOK: dict[Any, Any] = {**LIST, 404: ProblemTold}
TRANSITION: dict[Any, Any] = {**LOOK, 403: ProblemTold, 409: ProblemTold, 413: ProblemTold, 415: ProblemTold}
WRITE: dict[Any, Any] = {status: model for status, model in TRANSITION.items() if status != 404}

PLAN_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string"}},
            "application/json": {"schema": PlanWritten.model_json_schema()},
        },
    }
}
TRANSITION_BODY = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": TransitionAsked.model_json_schema()}},
    }
}
MEASURED_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": MeasuredAsked.model_json_schema()}},
    }
}
ITEM_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": ItemAsked.model_json_schema()}},
    }
}
WISHES_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": WishesAsked.model_json_schema()}},
    }
}
FOLLOW_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": FollowAsked.model_json_schema()}},
    }
}
AWAY_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": AwayAsked.model_json_schema()}},
    }
}
WAIVER_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": WaiverWritten.model_json_schema()}},
    }
}
DRIFT_ANSWER_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": DriftAnswerWritten.model_json_schema()}},
    }
}
WAIVER_DECIDED_BODY = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": WaiverDecided.model_json_schema()}},
    }
}
