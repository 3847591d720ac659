"""A rollout as it was: replaying its history to now gives what the tables hold, whatever people pressed before."""

from __future__ import annotations

import contextlib

from django.apps import apps
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from gitlab_simulator import Simulator
from rollouts.models import (
    AIModel,
    Approval,
    ApprovalRequest,
    ChecklistItem,
    DriftCase,
    FeatureFlag,
    FlagReading,
    GitLabActor,
    GitLabInstance,
    GitLabProject,
    Override,
    Phase,
    PlanTemplate,
    RampStep,
    Rollout,
    RolloutIssue,
    RolloutOrder,
    TrackedIssue,
    Waiver,
)
from rollouts.models.change_log import AuditedModel
from rollouts.rules.document import DocumentRefused
from rollouts.services import as_of, facts, plans
from rollouts.services.refusals import Refused
from tests.services.test_state_machine_properties import PHASES, edits, moves, presses
from tests.walk import World

#: What a rollout is made of, and what it rests on.
MADE_OF = (
    Phase, RampStep, ChecklistItem, ApprovalRequest, Approval, Override, RolloutIssue, RolloutOrder, Waiver, DriftCase,
)  # fmt: skip
RESTS_ON = (AIModel, PlanTemplate, FeatureFlag, FlagReading, GitLabInstance, GitLabProject, GitLabActor, TrackedIssue)
ELSEWHERE = {
    "Absence",
    "Account",
    "FormerIdentity",
    "Identity",
    "Passkey",
    "SecondFactor",
    "ApiToken",
    "ChangeLock",
    "ChatRoom",
    "FeedKey",
    "FollowedRollout",
    "GitLabWrite",
    "IncidentSource",
    "LockCalendar",
    "NoticeSettings",
    "SavedView",
}


def test_every_audited_model_is_compared_or_stands_apart_from_a_rollout():
    models = {m for m in apps.get_app_config("rollouts").get_models() if issubclass(m, AuditedModel)}
    assert {model.__name__ for model in models - {Rollout, *MADE_OF, *RESTS_ON}} == ELSEWHERE


def equals_the_tables(slug="haiku"):
    """Each row, each audited field; and what the rules make of them."""
    looker = as_of.Looker(slug, World.now())
    past = looker.at(World.now())
    rows = {(kind, row.pk): row for kind in (*MADE_OF, *RESTS_ON) for row in looker.replay.all(kind, World.now())}
    stored = {(kind, row.pk): row for kind in MADE_OF for row in kind.objects.all()}
    assert {key for key in rows if key[0] in MADE_OF} == stored.keys()
    stored |= {key: key[0].objects.get(pk=key[1]) for key in rows if key[0] in RESTS_ON}
    whole = Rollout.objects.whole().get(slug=slug)
    for key, row in [*rows.items(), ((Rollout, whole.pk), past.rollout)]:
        kept = stored.get(key, whole)
        assert row.as_it_is() == kept.as_it_is(), key
    assert past.facts == facts.for_rollout(whole, past.moment)
    assert plans.export(past.rollout) == plans.export(whole)
    return past


class Replaying(TestCase):
    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.one_of(presses, presses, presses, moves, edits), min_size=5, max_size=30))
    def test_history_replayed_to_now_equals_the_tables(self, sequence):
        with Simulator() as gitlab, override_settings(GITLAB_URL=gitlab.url, GITLAB_TOKEN=gitlab.token):
            world = World.build(gitlab)
            world.up_to("team", "planned")
            kept = {}
            for phase in PHASES:
                world.confirm(phase)
            for what, on, by in sequence:
                with contextlib.suppress(Refused, DocumentRefused):
                    if what == "gitlab":
                        gitlab.state.set_feature("use_haiku", {"obey": "true", "false": "false"}.get(on, "true"))
                        world.sync()
                    elif what == "plan":
                        world.apply(steps=on)
                    else:
                        world.do(what, on, by, reason="because")
                moment = World.now()
                kept[moment] = facts.for_rollout(world.rollout(), moment)
            equals_the_tables()
            self.each_moment_is_told_as_it_was(kept)

    def each_moment_is_told_as_it_was(self, kept):
        """Not only the end: after every press, what the rules made of the rows then."""
        looker = as_of.Looker("haiku", World.now())
        for moment, then in kept.items():
            found = looker.at(moment).facts
            assert found.phases == then.phases
            assert (found.state, found.version, found.items) == (then.state, then.version, then.items)
            assert (found.expected, found.reading.exposure, found.drift) == (
                then.expected,
                then.reading.exposure,
                then.drift,
            )
