"""Whatever people press in whatever order, the machine stays legal and nobody sees more than was approved."""

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from gitlab_simulator import Simulator
from rollouts.models import ApprovalRequest, AuditEvent, Phase
from rollouts.models.phases import LASTING
from rollouts.rules.document import DocumentRefused
from rollouts.rules.exposure import widens
from rollouts.rules.machine import PHASE_VERBS
from rollouts.services import facts
from rollouts.services.refusals import Refused
from tests.walk import FLAG, World

PHASES = ("team", "company", "everyone")
#: Weighted towards what leads on, so that sequences get far; everything else may come in between.
LEADS_ON = ("request", "approve", "start", "complete", "advance")
presses = st.tuples(
    st.sampled_from([*LEADS_ON * 3, *PHASE_VERBS]),
    st.sampled_from(PHASES),
    st.sampled_from(["mia", "alice", "root", "vic", "sam"]),
)
edits = st.tuples(st.just("plan"), st.sampled_from([[1, 100], [5, 25, 100], [1, 25, 100]]), st.just("mia"))
moves = st.tuples(st.just("gitlab"), st.sampled_from(["obey", "10", "100", "false"]), st.just(""))
recorded_in_bulk = st.lists(st.one_of(presses, presses, presses, moves, edits), min_size=5, max_size=40)


class AnySequence(TestCase):
    @settings(max_examples=settings.default.max_examples // 10, suppress_health_check=list(HealthCheck))
    @given(recorded_in_bulk)
    def test_no_sequence_reaches_an_illegal_state(self, sequence):
        from django.test import override_settings

        with Simulator() as gitlab, override_settings(GITLAB_URL=gitlab.url, GITLAB_TOKEN=gitlab.token):
            world = World.build(gitlab)
            world.up_to("team", "planned")
            for phase in PHASES:
                world.confirm(phase)
            for what, on, by in sequence:
                self.step(world, what, on, by)

    def step(self, world, what, on, by):
        if what == "complete":  # what is decided at a phase's end can be decided once it was read, else nothing ends
            with contextlib.suppress(Refused):
                world.confirm(on)
        before = {phase: world.phase(phase) for phase in PHASES}
        expected = facts.for_rollout(world.rollout(), world.now()).expected
        events = AuditEvent.objects.count()
        try:
            if what == "gitlab":
                self.move_gitlab(world, on)
            elif what == "plan":
                world.apply(steps=on)
            else:
                world.do(what, on, by, reason="because")
        except (Refused, DocumentRefused):
            assert AuditEvent.objects.count() == events
            assert {phase: world.phase(phase).state for phase in PHASES} == {n: p.state for n, p in before.items()}
            return
        self.nothing_is_left_of_what_is_over(world)
        now = facts.for_rollout(world.rollout(), world.now()).expected
        if what in PHASE_VERBS:
            assert AuditEvent.objects.count() == events + 1
            assert before[on].state in PHASE_VERBS[what].sources
        if widens(expected, now):
            assert what in ("start", "advance")
            done = world.phase(on)
            assert done.approved_by
            assert done.approved_by != done.requested_by
            assert done.state == "active"
        standing = Phase.objects.exclude(state="rolled_back").values_list("name", flat=True)
        assert len(set(standing)) == len(standing)

    def nothing_is_left_of_what_is_over(self, world):
        """Times end with their states, and nobody waits for an answer about what can't come next."""
        for phase in Phase.objects.all():
            for name, states in LASTING.items():
                assert getattr(phase, name) is None or phase.state in states, (phase.state, name)
            standing = ApprovalRequest.objects.filter(phase=phase, state__in=("open", "granted")).count()
            may_stand = phase.state in ("requested", "approved", "active", "paused")
            assert standing == 1 if phase.state in ("requested", "approved") else standing <= may_stand

    def move_gitlab(self, world, to):
        if to == "obey":
            world.obey()
            return
        if to == "false":
            world.gitlab.state.set_feature(FLAG, "false")
        elif to == "100":
            world.gitlab.state.set_feature(FLAG, "true")
        else:
            world.gitlab.state.set_feature(FLAG, "false")
            world.gitlab.state.set_feature(FLAG, to, key="percentage_of_actors")
        world.sync()
