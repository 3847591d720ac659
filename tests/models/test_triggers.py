"""What the database and the models refuse, whichever door is tried."""

import time
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from rollouts import models
from rollouts.audit.actor import Actor
from rollouts.audit.recording import recorded
from rollouts.models import AIModel, AuditEvent, ChatRoom, ChecklistItem, Passkey, Phase, RampStep, Rollout
from rollouts.models.approvals import ApprovalIsProtected
from rollouts.models.change_log import AuditedModel, Unaudited
from rollouts.models.guarded import StateIsProtected
from rollouts.models.history import HistoryIsAppendOnly
from rollouts.models.second_factors import opened
from rollouts.rules.identities import Claims
from rollouts.services import absences, feed_keys, identities, plans, second_factors, tokens, views, wishes
from tests.models.approvals import with_approvals
from tests.walk import FLAG

pytestmark = pytest.mark.django_db
BY = Actor.system_user()


def refuses(kind, change):
    with pytest.raises(kind), transaction.atomic():
        change()


def raw(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.mark.parametrize(
    "attack",
    [
        lambda phase: setattr(phase, "state", "active"),
        lambda phase: Phase(pk=phase.pk, state="active").save(),
        lambda phase: Phase.objects.filter(pk=phase.pk).update(state="active"),
        lambda phase: Phase.objects.bulk_update([_with_state(phase)], ["state"]),
        lambda phase: Phase.objects.bulk_create(
            [
                Phase(
                    rollout=phase.rollout,
                    name="x",
                    title="x",
                    position=9,
                    audience="groups",
                    final_soak=phase.final_soak,
                    state="active",
                )
            ]
        ),
        lambda phase: _with_state(phase).save(),
        lambda phase: Phase.objects.filter(pk=phase.pk).delete(),
        lambda phase: phase.save(update_fields=["state"]) if _with_state(phase) else None,
        lambda phase: Rollout.objects.update(state="completed"),
        lambda phase: phase.rollout.delete(),
    ],
)
def test_no_door_writes_a_state(world, attack):
    world.apply()
    phase = world.phase("team")
    from django.db.models import ProtectedError

    with pytest.raises((AttributeError, StateIsProtected, Unaudited, ProtectedError)), recorded("attack", by=BY):
        attack(phase)
    assert world.phase("team").state == "planned"
    assert not AuditEvent.objects.filter(verb="attack").exists()


def _with_state(phase):
    phase.__dict__["state"] = "active"
    return phase


def test_refreshing_keeps_the_state_protected(world):
    world.apply()
    phase = world.phase("team")
    world.do("request", "team", "mia")
    phase.refresh_from_db()
    assert phase.state == "requested"
    with pytest.raises(AttributeError):
        phase.state = "active"


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("rollouts_phase", "state = 'completed'"),
        ("rollouts_phase", "state = 'active'"),
        ("rollouts_phase", "state = 'flying'"),
        ("rollouts_approval", "approver = 'mia'"),
        ("rollouts_changelock", "ends_at = starts_at"),
        ("rollouts_changelock", "kind = 'weekly'"),
        ("rollouts_gitlabwrite", "state = 'done'"),
        ("rollouts_override", "reviewed_by = 'root', reviewed_at = CURRENT_TIMESTAMP, verdict = 'fine'"),
        ("rollouts_approvalrequest", "state = 'rejected', closed_at = CURRENT_TIMESTAMP"),
        ("rollouts_phase", "attempt = 0"),
        ("rollouts_rollout", "state = 'closed'"),
        ("rollouts_rollout", "drift = 'ahead'"),
        ("rollouts_rollout", "slug = 'new'"),
        ("rollouts_rampstep", "percentage = 101"),
        ("rollouts_rampstep", "percentage = 0"),
        ("rollouts_rampstep", "percentage = 100"),
        ("rollouts_checklistitem", "confirmed_by = 'mia', evidence = 'x', confirmed_at = CURRENT_TIMESTAMP"),
        ("rollouts_checklistitem", "confirmed_by = 'mia'"),
        ("rollouts_trackedissue", "task_done = 5"),
        ("rollouts_aimodel", "quota_requests_per_minute = 0"),
    ],
)
def test_the_database_itself_refuses(world, table, change):
    with_approvals(world)
    refuses(IntegrityError, lambda: raw(f"UPDATE {table} SET {change}"))


def test_only_one_attempt_of_a_phase_is_open(world):
    world.apply()
    phase = world.phase("team")

    def again():
        with recorded("x", by=BY):
            Phase.objects.create(
                rollout=phase.rollout,
                name="team",
                title="Team",
                position=1,
                attempt=2,
                audience="actors",
                final_soak=phase.final_soak,
            )

    refuses(IntegrityError, again)


def test_only_an_optional_phase_can_be_stored_as_skipped(world):
    world.apply()
    refuses(
        IntegrityError,
        lambda: raw(
            "UPDATE rollouts_phase SET state='skipped', reason='x', ended_at=CURRENT_TIMESTAMP WHERE name='company'"
        ),
    )


def test_a_percentage_stands_once_in_a_ramp(world):
    world.apply()

    def twice():
        with recorded("x", by=BY):
            RampStep.objects.create(
                phase=world.phase("everyone"), percentage=25, soak=world.phase("everyone").final_soak
            )

    refuses(IntegrityError, twice)


def test_history_refuses_the_orm_too(world):
    world.apply()
    event = AuditEvent.objects.first()
    for attack in (
        event.save,
        event.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(actor="x"),
    ):
        refuses(HistoryIsAppendOnly, attack)


AUDITED = [model for model in vars(models).values() if isinstance(model, type) and issubclass(model, AuditedModel)]
#: Bookkeeping of reading, what follows from all else, and history itself: not things that somebody changes.
LOGS = {
    "SyncRun", "SyncScope", "ReadingGap", "InstanceHealth", "HookDelivery", "AuditEvent", "AlsoTouched", "PortfolioRow",
    "RowWait", "LockPeriod", "Seal", "Checkpoint", "CheckpointCopy", "PersonSalt", "Verification", "KeepingRun",
    "EventWords", "Notice", "NoticePlace", "OwedMail", "OwedChat", "Sender", "Condition", "Tombstone", "BrowserSession",
    "MetricSample", "MetricWatch", "IssueFeedback",
}  # fmt: skip


def test_every_model_is_audited_or_a_log():
    from django.apps import apps

    assert {model.__name__ for model in apps.get_app_config("rollouts").get_models()} == {
        *(model.__name__ for model in AUDITED),
        *LOGS,
    }


@pytest.mark.parametrize("model", AUDITED, ids=lambda model: model.__name__)
def test_nothing_changes_outside_a_deed(world, model):
    with_approvals(world)
    later = f"{world.document(slug='opus', flag='use_opus')}after: [haiku]\n"
    plans.apply(later, by=world.actor("mia"), source="plan.yaml")
    tokens.issue(world.people["mia"], "report", BY)
    feed_keys.renew(world.people["mia"], by=BY)
    views.keep("mine", "health=drifting", by=world.actor("mia"))
    identities.come_in(Claims("7", "ann", "", frozenset()))
    wishes.choose(world.people["mia"], world.actor("mia"), digest_hour=7)
    wishes.follow(world.rollout(), "mute", by=world.actor("mia"))
    absences.add(world.people["alice"], since="2036-01-01", until="2036-01-02", instead="sam", by=world.actor("alice"))
    identities.link(world.people["alice"], Claims("8", "alice", "", frozenset()), by=world.actor("alice"))
    identities.unlink(world.people["alice"], by=world.actor("alice"))
    with recorded("admin.add", by=BY) as recording:
        recording.about = ChatRoom.objects.create(name="ops")
    secret = second_factors.new_secret()
    key = TOTP(opened(secret), 6, SHA1(), 30)  # as RFC 6238 and every authenticator have it
    second_factors.add(world.people["vic"], secret, key.generate(int(time.time())).decode(), by=world.actor("vic"))
    with recorded("factor.add_passkey", by=world.actor("vic")) as recording:
        factor = world.people["vic"].second_factor
        recording.about = Passkey.objects.create(
            factor=factor, name="ring", credential_id="a", added_at=factor.added_at
        )
    world.gitlab.state.set_feature(FLAG, "true")
    world.sync()
    thing = model.objects.first()
    assert thing is not None
    field = next(
        f
        for f in thing._meta.concrete_fields
        if f.name not in model.unaudited_fields
        and f.get_internal_type()
        in (
            "CharField",
            "TextField",
            "PositiveSmallIntegerField",
            "PositiveIntegerField",
            "DecimalField",
            "DateTimeField",
        )
        and not f.choices
        and isinstance(getattr(thing, f.name), str | int | Decimal | datetime)
        and f.name not in ("state", "version")
    )
    value = getattr(thing, field.name)
    another = {int: lambda: value + 1, Decimal: lambda: value + 1, datetime: lambda: value + timedelta(1)}
    setattr(thing, field.name, another.get(type(value), lambda: f"{value}x")())
    for attack in (
        thing.save,
        thing.delete,
        lambda: model.objects.bulk_update([thing], [field.name]),
        lambda: model.objects.filter(pk=thing.pk).update(**{field.name: value}),
        lambda: model.objects.all().delete(),
    ):
        refuses((Unaudited, StateIsProtected, ApprovalIsProtected), attack)
    assert getattr(model.objects.get(pk=thing.pk), field.name) == value
    as_it_was = model.objects.get(pk=thing.pk).as_it_is()
    for column in thing._meta.concrete_fields:
        if column.name not in model.unaudited_fields and not column.primary_key:
            thing = model.objects.get(pk=thing.pk)
            thing.__dict__[column.attname] = "something else"
            with suppress(Unaudited, StateIsProtected, ApprovalIsProtected), transaction.atomic():
                thing.save()  # some columns follow from others, and are put right
            assert model.objects.get(pk=thing.pk).as_it_is() == as_it_was, column


#: Columns that change without an event: what reading and writing GitLab leaves, in full, and why none is missed.
BOOKKEEPING = {
    "Account": {"id", "person", "touched"},  # the event in which somebody had a hand in it says so
    "ApiToken": {"digest", "last_used_at"},  # the key itself; a use is told by what was done with it
    "FollowedRollout": {"id", "person", "rollout"},  # the event's author and object
    "GitLabActor": {"asked_at"},
    "GitLabInstance": {"flags_read_at", "flags_outcome", "flags_words"},
    "GitLabProject": {
        "flags_outcome", "flags_read_at", "flags_words", "issues_outcome", "issues_read_at", "issues_words",
    },
    "GitLabWrite": {"attempts", "next_attempt_at", "claimed_until", "claimed_by", "words", "touched"},
    "IncidentSource": {"read_at", "outcome", "words"},
    # its periods are told when they begin and end
    "LockCalendar": {"content", "digest", "known_until", "notes", "outcome", "read_at", "tried_at", "words"},
    "NoticeSettings": {"id", "person"},
    "Passkey": {"sign_count", "used_at"},
    "SecondFactor": {"last_step", "failures", "failed_at"},  # codes that were tried
    "Rollout": {"begins_at", "ends_at", "until", "takes"},  # worked out from the plan and the clock
}  # fmt: skip


def test_only_bookkeeping_changes_without_an_event():
    unaudited = {model.__name__: set(model.unaudited_fields) for model in AUDITED if model.unaudited_fields}
    assert unaudited == BOOKKEEPING


def test_a_deed_is_one_event_with_before_and_after(db):
    with recorded("model.add", by=BY) as recording:
        recording.about = model = AIModel.objects.create(slug="m", name="M")
    with recorded("model.change", by=BY, about=model, reason="renamed"):
        model.name = "N"
        model.save()
    first, second = AuditEvent.objects.filter(object_type="AIModel").order_by("pk")
    assert (first.before, first.after["name"]) == ({}, "M")
    assert (second.before, second.after, second.reason) == ({"name": "M"}, {"name": "N"}, "renamed")
    assert (first.snapshot["slug"], second.snapshot) == ("m", {})  # of what is known already the changes tell enough


def test_a_deed_that_fails_leaves_neither_change_nor_event(db):
    count = AuditEvent.objects.count()

    def fails():
        with recorded("model.add", by=BY):
            AIModel.objects.create(slug="m", name="M")
            raise RuntimeError("the power goes out")

    refuses(RuntimeError, fails)
    assert not AIModel.objects.filter(slug="m").exists()
    assert AuditEvent.objects.count() == count


def test_a_deed_that_changes_nothing_writes_nothing(db):
    count = AuditEvent.objects.count()
    with recorded("nothing", by=BY):
        pass
    assert AuditEvent.objects.count() == count


def test_confirming_by_hand_takes_evidence_and_a_role(world):
    from rollouts.services import checklist
    from rollouts.services.refusals import Refused

    world.apply()
    items = {item.key: item for item in ChecklistItem.objects.filter(rollout=world.rollout())}
    manual = next(item for item in items.values() if item.kind == "manual")
    automatic = next(item for item in items.values() if item.kind == "issue")
    announcement = next(item for item in items.values() if item.kind == "announcement")
    for item, by, evidence, code in (
        (automatic, "mia", "I saw it", "automatic"),
        (manual, "mia", "  ", "evidence_missing"),
        (manual, "vic", "link", "role"),
        (announcement, "mia", "link", "channel_missing"),
    ):
        with pytest.raises(Refused) as refused:
            checklist.confirm(item, by=world.actor(by), evidence=evidence)
        assert code in refused.value.codes
    done = checklist.confirm(manual, by=world.actor("mia"), evidence="https://example.com/notes")
    assert (done.confirmed_by, done.evidence) == ("mia", "https://example.com/notes")
    assert done.confirmed_at <= timezone.now()
    with pytest.raises(Refused) as refused:
        checklist.confirm(manual, by=world.actor("mia"), evidence="again")
    assert refused.value.codes == {"confirmed"}
    undone = checklist.unconfirm(done, by=world.actor("mia"), reason="wrong link")
    assert undone.confirmed_at is None
