"""Requests, approvals and overrides that were fields of a phase become rows of their own."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import migrations

LIVES = timedelta(days=14)


def carry(apps, schema_editor):
    Phase = apps.get_model("rollouts", "Phase")
    Request = apps.get_model("rollouts", "ApprovalRequest")
    Approval = apps.get_model("rollouts", "Approval")
    Override = apps.get_model("rollouts", "Override")
    people = {user.username: user for user in apps.get_model(*settings.AUTH_USER_MODEL.split(".")).objects.all()}
    for phase in Phase.objects.exclude(requested_by="").select_related("rollout", "current_step"):
        started = phase.started_at is not None
        state = "used" if started else {"requested": "open", "approved": "granted"}.get(phase.state, "withdrawn")
        asked_at = phase.requested_at or phase.approved_at or phase.rollout.created_at
        is_over = state not in ("open", "granted")
        first = phase.steps.order_by("percentage").first()
        request = Request(
            phase=phase,
            is_start=True,
            percentage=first.percentage if first else 100 if phase.audience == "all_at_once" else None,
            state=state,
            requested_by=phase.requested_by,
            requested_at=asked_at,
            expires_at=max(asked_at + LIVES, phase.started_at or asked_at),
            digest=phase.asked_digest or "0" * 64,
            closed_at=(phase.started_at or phase.ended_at or asked_at) if is_over else None,
            closed_by=phase.requested_by if is_over else "",
        )
        Request.objects.bulk_create([request])
        if phase.approved_by:
            Approval.objects.bulk_create(
                [
                    Approval(
                        request=request,
                        approver=phase.approved_by,
                        person=people.get(phase.approved_by),
                        asked_by=phase.requested_by,
                        at=phase.approved_at or asked_at,
                        digest=request.digest,
                    )
                ]
            )
        if started:
            Phase.objects.filter(pk=phase.pk).update(grant=request)
    for phase in Phase.objects.exclude(old_overrides=[]):
        Override.objects.bulk_create(
            Override(
                phase=phase,
                verb=passed["verb"],
                by=passed["by"],
                at=datetime.fromisoformat(passed["at"]),
                reason=passed["reason"],
                blockers=passed["blockers"],
                due_at=datetime.fromisoformat(passed["at"]) + timedelta(days=settings.OVERRIDE_REVIEW_DAYS),
            )
            for passed in phase.old_overrides
        )
    for rollout in apps.get_model("rollouts", "Rollout").objects.all():
        apps.get_model("rollouts", "Rollout").objects.filter(pk=rollout.pk).update(authors=[rollout.created_by])


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0003_approvals")]

    operations = [migrations.RunPython(carry, migrations.RunPython.noop)]
