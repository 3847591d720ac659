"""Who is in behind a flag: what a person or a script wrote, as GitLab names it, and judged by GitLab's own rule.

GitLab spreads a flag by its own names (``User:42``). A plan's name (``user:alice``) is looked up first: judged as it
stands it would be somebody else, and the answer wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..models import FeatureFlag, GitLabActor
from ..rules import inclusion
from ..rules.inclusion import Inclusion
from ..rules.phrases import say

LONGEST = 300


@dataclass(frozen=True, slots=True)
class Judged:
    """``asked`` as written, and ``found`` with its verdict and the gate that decides in a sentence; or None and
    ``wrong``: what can't be answered, and the cure. Every door tells these words."""

    asked: str
    found: Inclusion | None
    wrong: str = ""
    verdict: str = ""
    why: str = ""

    @property
    def actor(self) -> str:
        """As GitLab names it."""
        return self.found.actor if self.found else ""

    @property
    def inside(self) -> bool | None:
        return self.found.inside if self.found else None

    @property
    def enters(self) -> str:
        return self.found.enters if self.found else ""

    @property
    def now(self) -> str:
        return self.found.now if self.found else ""


def judge(flag: FeatureFlag, asked: Sequence[str]) -> list[Judged]:
    """One query, whatever their number. ``flag`` was loaded with ``for_list``."""
    wanted = [_wanted(flag, text) for text in asked]
    names = {actor for actor, wrong in wanted if not wrong and _is_of_a_plan(flag, actor)}
    known: dict[str, str] = {}
    if names:
        found = GitLabActor.objects.filter(instance=flag.instance_id, name__in=names).exclude(gitlab_id="")
        known = dict(found.values_list("name", "gitlab_id"))
    return [_judged(flag, text, actor, wrong, known) for text, (actor, wrong) in zip(asked, wanted, strict=True)]


def _is_of_a_plan(flag: FeatureFlag, actor: str) -> bool:
    return flag.project_id is None and inclusion.AS_PLANS_NAME.fullmatch(actor) is not None


def _wanted(flag: FeatureFlag, text: str) -> tuple[str, str]:
    """The actor, and what is wrong with it."""
    try:
        if len(text) > LONGEST:
            raise ValueError
        return inclusion.wanted_actor(text, in_project=flag.project_id is not None), ""
    except ValueError:
        shown = text if len(text) <= 60 else f"{text[:59]}…"
        if flag.project_id is not None:
            return "", say(
                "«{text}» is no user id. Write it as the application passes it: at most {most} characters, no comma.",
                text=shown,
                most=inclusion.LONGEST_PROJECT_ID,
            )
        return "", say(
            "«{text}» is no actor. Write a user's number (42), a type and a number (User:42), or user:alice.",
            text=shown,
        )


def _judged(flag: FeatureFlag, asked: str, actor: str, wrong: str, known: Mapping[str, str]) -> Judged:
    if wrong:
        return Judged(asked, None, wrong, say("not understood"))
    if _is_of_a_plan(flag, actor):
        if actor not in known:
            kind = actor.partition(":")[0].capitalize()
            message = say(
                "The portal does not know the number of {name}. Write it as GitLab does: {example}.",
                name=actor,
                example=f"{kind}:42",
            )
            return Judged(asked, None, message, say("not understood"))
        actor = known[actor]
    return _answered(flag, asked, actor)


def _answered(flag: FeatureFlag, asked: str, actor: str) -> Judged:
    read = flag.as_listed
    if flag.project_id is None:
        found = inclusion.in_instance(actor, flag=flag.name, exposure=read.exposure)
    else:
        strategies = flag.reading.strategies if flag.reading else []
        found = inclusion.in_project(actor, exposure=read.exposure, strategies=strategies, environment=flag.environment)
    return Judged(asked, found, verdict=inclusion.verdict(found, read), why=inclusion.why(found, read))
