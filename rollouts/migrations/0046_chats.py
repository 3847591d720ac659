"""Chats that are told, and what began and ended by the clock."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("rollouts", "0045_absences"),
    ]

    operations = [
        migrations.CreateModel(
            name="ChatRoom",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="A name in NOTIFY_URLS.", max_length=50)),
                (
                    "group",
                    models.ForeignKey(
                        blank=True,
                        help_text="Only what concerns somebody of this group; once, however many it concerns.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="chats",
                        to="auth.group",
                    ),
                ),
                (
                    "rollout",
                    models.ForeignKey(
                        blank=True,
                        help_text="Only what happens to this rollout.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="chats",
                        to="rollouts.rollout",
                    ),
                ),
            ],
            options={
                "verbose_name": "chat",
                "verbose_name_plural": "chats",
                "ordering": ("name", "pk"),
            },
        ),
        migrations.CreateModel(
            name="Condition",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=300, unique=True)),
                ("title", models.CharField(max_length=200)),
                ("began_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("ended_at", None)), fields=["id"], name="condition_holds")
                ],
            },
        ),
        migrations.CreateModel(
            name="OwedChat",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waits"),
                            ("sent", "sent"),
                            ("dropped", "not needed any more"),
                            ("given_up", "given up"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("since", models.DateTimeField()),
                ("next_attempt_at", models.DateTimeField()),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("words", models.CharField(blank=True, help_text="How the last attempt ended.", max_length=500)),
                ("ended_at", models.DateTimeField(null=True)),
                ("name", models.CharField(max_length=50)),
                ("kind", models.CharField(max_length=20)),
                ("about", models.CharField(max_length=120)),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="chats",
                        to="rollouts.auditevent",
                    ),
                ),
            ],
            options={
                "ordering": ("next_attempt_at", "pk"),
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["name", "next_attempt_at", "id"],
                        name="chat_due",
                    )
                ],
                "constraints": [models.UniqueConstraint(fields=("event", "name"), name="chatted_once")],
            },
        ),
    ]
