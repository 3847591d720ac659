"""Mails that are owed, how people want to be told, and what they follow."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rollouts", "0043_same_human"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FollowedRollout",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("how", models.CharField(default="follow", help_text="follow or mute.", max_length=10)),
            ],
            options={
                "ordering": ("rollout", "person"),
            },
        ),
        migrations.CreateModel(
            name="NoticeSettings",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("by_mail", models.JSONField(blank=True, default=dict, help_text="By kind: now, digest or off.")),
                ("by_bell", models.JSONField(blank=True, default=dict, help_text="By kind: now or off.")),
                ("zone", models.CharField(default="UTC", max_length=60)),
                ("language", models.CharField(default="en", max_length=10)),
                ("digest_hour", models.PositiveSmallIntegerField(default=8)),
                (
                    "quiet_from",
                    models.PositiveSmallIntegerField(blank=True, help_text="An hour of the person's zone.", null=True),
                ),
                ("quiet_until", models.PositiveSmallIntegerField(blank=True, null=True)),
            ],
            options={
                "verbose_name_plural": "notice settings",
                "ordering": ("person",),
            },
        ),
        migrations.CreateModel(
            name="OwedMail",
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
                ("in_digest", models.BooleanField(default=False)),
            ],
            options={
                "ordering": ("next_attempt_at", "pk"),
            },
        ),
        migrations.CreateModel(
            name="Sender",
            fields=[
                ("way", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("held_by", models.CharField(blank=True, max_length=32)),
                ("held_until", models.DateTimeField(null=True)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("failing_since", models.DateTimeField(null=True)),
                ("next_attempt_at", models.DateTimeField(null=True)),
                ("words", models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.RemoveIndex(
            model_name="notice",
            name="notice_by_object",
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(
                condition=models.Q(("dropped", False)), fields=["about", "kind"], name="notice_by_object"
            ),
        ),
        migrations.AddField(
            model_name="followedrollout",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="followed", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="followedrollout",
            name="rollout",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="followers", to="rollouts.rollout"
            ),
        ),
        migrations.AddField(
            model_name="noticesettings",
            name="person",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="notice_settings", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="owedmail",
            name="notice",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="mail", to="rollouts.notice"
            ),
        ),
        migrations.AddConstraint(
            model_name="followedrollout",
            constraint=models.UniqueConstraint(fields=("person", "rollout"), name="followed_once"),
        ),
        migrations.AddConstraint(
            model_name="followedrollout",
            constraint=models.CheckConstraint(
                condition=models.Q(("how__in", ("follow", "mute"))), name="followed_or_muted"
            ),
        ),
        migrations.AddConstraint(
            model_name="noticesettings",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("digest_hour__lt", 24),
                    models.Q(
                        models.Q(("quiet_from", None), ("quiet_until", None)),
                        models.Q(
                            ("quiet_from__lt", 24),
                            ("quiet_until__lt", 24),
                            models.Q(("quiet_from", models.F("quiet_until")), _negated=True),
                        ),
                        _connector="OR",
                    ),
                ),
                name="hours_of_a_day",
            ),
        ),
        migrations.AddIndex(
            model_name="owedmail",
            index=models.Index(
                condition=models.Q(("state", "waiting")), fields=["next_attempt_at", "id"], name="mail_due"
            ),
        ),
    ]
