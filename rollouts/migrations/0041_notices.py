"""Notices of what happens from now on: what was before concerns nobody anew."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def from_now_on(apps, schema_editor):
    newest = apps.get_model("rollouts", "Seal").objects.order_by("-position").values_list("position", flat=True).first()
    apps.get_model("rollouts", "NoticePlace").objects.create(pk=1, position=-1 if newest is None else newest)


def nothing(apps, schema_editor):
    pass


class Migration(migrations.Migration):
    dependencies = [
        ("rollouts", "0040_gone_events"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="NoticePlace",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.BigIntegerField(default=-1)),
            ],
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=20)),
                ("about", models.CharField(help_text="The object of the event: Phase 12.", max_length=120)),
                ("at", models.DateTimeField()),
                ("read_at", models.DateTimeField(null=True)),
                ("dropped", models.BooleanField(default=False)),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="notices",
                        to="rollouts.auditevent",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="notices", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ("-event",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("dropped", False)), fields=["person", "-event"], name="notice_by_person"
                    ),
                    models.Index(
                        condition=models.Q(("dropped", False), ("read_at", None)),
                        fields=["person"],
                        name="notice_unread",
                    ),
                    models.Index(
                        condition=models.Q(("dropped", False), ("read_at", None)),
                        fields=["about", "kind"],
                        name="notice_by_object",
                    ),
                ],
                "constraints": [models.UniqueConstraint(fields=("event", "person"), name="told_once")],
            },
        ),
        migrations.RunPython(from_now_on, nothing),
    ]
