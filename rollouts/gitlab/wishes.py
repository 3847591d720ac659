"""What a change is sent as, checked before it is sent, and how a text is known again by its marker.

GitLab reads a wrong word as another wish: an empty target means everyone, an unknown value means 0, and 0 wipes every
gate (FACTS section 1; lib/api/features.rb). Such a change is Rejected here, without a call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rollouts.gitlab.errors import Rejected
from rollouts.gitlab.phrases import worded

TARGETS = ("feature_group", "user", "group", "project", "namespace")
SWITCHES = ("true", "false", "opt_out", "remove_opt_out")
PERCENTAGE = re.compile(r"(100(\.0{1,3})?|[0-9]{1,2}(\.[0-9]{1,3})?)", re.ASCII)


def feature_change(value: str, parameter: str, target: str) -> dict[str, str]:
    """The body of ``POST /features/:name``. Raises Rejected for what is not one clear wish."""
    is_percentage = bool(PERCENTAGE.fullmatch(value))
    if not is_percentage and value not in SWITCHES:
        raise Rejected(
            worded(
                "A flag cannot be set to {value}. Write true, false or a percentage from 0 to 100.",
                value=repr(value[:50]),
            )
        )
    if parameter == "key":
        if target != "percentage_of_actors":
            raise Rejected(
                worded(
                    "The portal sets percentage_of_actors only, not {target}. Name that as the target.",
                    target=repr(target[:50]),
                )
            )
        if not is_percentage:
            raise Rejected(
                worded("A percentage of actors cannot be {value}. Write a number from 0 to 100.", value=value)
            )
    elif parameter == "":
        if target:
            raise Rejected(
                worded(
                    "It is not said what {target} is. Say user, group, project or feature_group.",
                    target=repr(target[:50]),
                )
            )
        if value not in ("true", "false"):
            raise Rejected(
                worded(
                    "Nobody is named for whom {value} is meant. Name whom, or set true or false for everyone.",
                    value=value,
                )
            )
    elif parameter not in TARGETS:
        raise Rejected(
            worded(
                "A flag cannot be set for a {parameter}. It takes one of {targets}.",
                parameter=repr(parameter[:50]),
                targets=", ".join(TARGETS),
            )
        )
    elif not all(name.strip() for name in target.split(",")):
        raise Rejected(
            worded(
                "The name of the {parameter} is missing: GitLab would set the flag for everyone. Name it.",
                parameter=parameter,
            )
        )
    elif is_percentage:
        raise Rejected(worded("A {parameter} cannot have a percentage. Set true or false for it.", parameter=parameter))
    return {"value": value} | ({parameter: target} if parameter else {})


def as_json(strategies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Strategies as plain lists and dictionaries. Raises Rejected for what JSON cannot say."""
    try:
        plain: list[dict[str, Any]] = json.loads(
            json.dumps([dict(one) for one in strategies], default=dict, allow_nan=False)
        )
    except (TypeError, ValueError, RecursionError):
        plain = [{}]
    if not all(plain):
        raise Rejected(worded("The strategies of the flag cannot be sent: each must be an object of plain JSON."))
    return plain


def holds(marker: str) -> Callable[[Any], bool]:
    """A test whether a text holds this marker, and not just a longer one that begins or ends with it.

    Raises Rejected for an empty marker: every text holds that.
    """
    if not marker.strip():
        raise Rejected(worded("Nothing can be found by an empty marker. Give the text that marks it."))
    before = r"(?<![\w-])" if re.match(r"\w", marker) else ""
    after = r"(?![\w-])" if re.search(r"\w\Z", marker) else ""
    pattern = re.compile(before + re.escape(marker) + after)
    return lambda text: isinstance(text, str) and bool(pattern.search(text))
