"""A release voids nothing that was granted: digests over words of before stand for digests over values."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.db import connection, models

from rollouts.audit import triggers
from rollouts.models import Approval, ApprovalRequest, AuditEvent
from rollouts.rules.phrases import Phrase
from rollouts.services import plans
from tests.services.refusing import refused

pytestmark = pytest.mark.django_db
MORE = """criteria: {roll_back: ["p95 above 900 ms"]}
guard_metrics: {latency_p95: {at_most: 1900, unit: ms}}
mitigation: Set the flag to false.
"""
#: What the release before made of exactly these two requests.
START = "2d11f694d55f3af5728a0ef106728d38d7d258bbdadd31bf2f3f528063e04ee7"
STEP = "24dd0644522212207afaffcd71455d8248fc14567923c8c16683c6b2158edceb"


def before_the_release(request, digest):
    """As the rows stood there: content in words, nothing that later columns keep. Without the triggers meanwhile."""
    triggers.drop(connection)
    content = {"what": "Start Whole company", "AI model": "claude-haiku"}
    rows = models.QuerySet(ApprovalRequest).filter(pk=request.pk)
    rows.update(content=content, digest=digest, policy={}, authors=[], source="", way={})
    models.QuerySet(Approval).filter(request=request).update(digest=digest, source="", way={})
    triggers.create(connection)


def company(world):
    plans.apply(world.document() + MORE, by=world.actor("mia"), source="plan.yaml")
    world.sync()
    world.confirm()
    world.up_to("company", "approved")
    return ApprovalRequest.objects.get(phase=world.phase("company"))


def test_what_was_granted_stays_granted(world):
    request = company(world)
    before_the_release(request, START)
    call_command("migrate", verbosity=0)
    world.sync()
    assert world.phase("company").state == "approved"
    asked = world.facts().phase("company").request
    assert (len(asked.counting()), asked.digest) == (2, asked.stands)
    assert set(Approval.objects.filter(request=request).values_list("digest", flat=True)) == {START}
    assert AuditEvent.objects.filter(verb="approval.carry").count() == 1
    call_command("migrate", verbosity=0)
    assert AuditEvent.objects.filter(verb="approval.carry").count() == 1
    assert world.do("start", "company", "mia").state == "active"


def test_what_stands_half_approved_is_gone_on_with(world):
    request = company(world)
    world.do("start", "company", "mia")
    world.obey()
    world.confirm("company")
    world.do("complete", "company", "mia")
    world.up_to("everyone", "active")
    world.do("advance", "everyone", "mia")
    world.obey()
    world.do("request", "everyone", "mia")
    world.do("approve", "everyone", "alice")
    request = ApprovalRequest.objects.get(phase=world.phase("everyone"), state="open")
    before_the_release(request, STEP)
    call_command("migrate", verbosity=0)
    assert refused(world.do, "approve", "everyone", "alice").codes == {"decided"}
    world.do("approve", "everyone", "sam")
    world.do("advance", "everyone", "mia")
    assert world.phase("everyone").percentage == 100


def test_what_had_changed_is_asked_for_anew(world):
    before_the_release(company(world), "0" * 64)
    call_command("migrate", verbosity=0)
    assert refused(world.do, "start", "company", "mia").codes == {"approval_void"}
    world.sync()
    assert world.phase("company").state == "requested"
    for who in ("alice", "sam"):
        world.do("approve", "company", who)
    assert world.do("start", "company", "mia").state == "active"


def test_what_an_approval_is_for_is_values_and_no_words(world):
    """Another wording or another language is the same content: nothing of it is a sentence of the portal's own."""
    company(world)
    content = world.facts().phase("company").request.content

    def leaves(value):
        if isinstance(value, dict):
            return [leaf for one in (*value.keys(), *value.values()) for leaf in leaves(one)]
        return [leaf for one in value for leaf in leaves(one)] if isinstance(value, list) else [value]

    assert len(leaves(content)) > 200
    assert not [leaf for leaf in leaves(content) if isinstance(leaf, Phrase)]
    assert {type(leaf) for leaf in leaves(content)} <= {str, int, bool, type(None)}
    assert json.loads(json.dumps(content)) == content
