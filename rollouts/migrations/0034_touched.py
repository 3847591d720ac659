import re

import django.db.models.deletion
from django.db import migrations, models

#: Of what several rollouts rest on, as it was when this was written (``models.touched.SHARED``).
SHARED = frozenset(
    """AIModel ChangeLock FeatureFlag GitLabActor GitLabInstance GitLabProject IncidentSource LockCalendar PlanTemplate
    TrackedIssue User""".split()
)
#: What changed such things by the way: all else was about them, or about one rollout alone.
VERBS = models.Q(verb__in=("plan.apply", "issue.follow", "project.fold", "project.move", "project.learn")) | models.Q(
    verb__startswith="admin."
)
KEY = re.compile(r"(\w+) (\S+): ")
BATCH = 1_000


def tell_of_what_was_touched(apps, schema_editor):
    """Events of before, each with what it says itself that it changed by the way."""
    events, touched = (apps.get_model("rollouts", name) for name in ("AuditEvent", "AlsoTouched"))
    rows = []
    for pk, before, after in events.objects.filter(VERBS).values_list("pk", "before", "after").iterator(BATCH):
        for found in map(KEY.match, {**before, **after}):
            if found and found[1] in SHARED:
                rows.append(touched(event_id=pk, object_type=found[1], object_id=found[2]))
        if len(rows) >= BATCH:
            touched.objects.bulk_create(rows)
            rows = []
    touched.objects.bulk_create(rows)


class Migration(migrations.Migration):
    dependencies = [
        ("rollouts", "0033_rollouts_told"),
    ]

    operations = [
        migrations.CreateModel(
            name="AlsoTouched",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("object_type", models.CharField(max_length=50)),
                ("object_id", models.CharField(help_text="As in the event.", max_length=50)),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="rollouts.auditevent",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["object_type", "object_id", "event"], name="touched_by_object")],
            },
        ),
        migrations.RunPython(tell_of_what_was_touched, migrations.RunPython.noop),
    ]
