"""What the portal knows of accounts; why tokens and feeds ended, and who made a token."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def remember_who_made_tokens(apps, schema_editor):
    """Until now admins and the terminal made tokens for others: the history knows which."""
    tokens, events = apps.get_model("rollouts", "ApiToken"), apps.get_model("rollouts", "AuditEvent")
    for event in events.objects.filter(verb="token.issue", object_type="ApiToken").iterator():
        if event.actor != event.after.get("person", event.actor) and event.object_id.isdecimal():
            tokens.objects.filter(pk=event.object_id).update(made_by=event.actor)


class Migration(migrations.Migration):
    dependencies = [
        ("rollouts", "0021_decimal_percentages"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="made_by",
            field=models.CharField(
                blank=True,
                help_text="Who made it; empty where it was its person. Others' approve nothing.",
                max_length=150,
            ),
        ),
        migrations.AddField(
            model_name="apitoken",
            name="revoked_because",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "by hand"),
                    ("password_set", "somebody else set the person's password"),
                    ("switched_off", "the person was switched off"),
                    ("role_lost", "the person lost a role"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="feedkey",
            name="ended_because",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "by hand"),
                    ("password_set", "somebody else set the person's password"),
                    ("switched_off", "the person was switched off"),
                    ("role_lost", "the person lost a role"),
                ],
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "password_by",
                    models.CharField(
                        blank=True,
                        help_text="Who else set the password; empty where it is the person's own.",
                        max_length=150,
                    ),
                ),
                (
                    "must_change_password",
                    models.BooleanField(
                        default=False, help_text="Nothing works before the person has set a password of their own."
                    ),
                ),
                (
                    "is_demo",
                    models.BooleanField(
                        default=False, editable=False, help_text="Made by the demo: opens nothing beside a real GitLab."
                    ),
                ),
                (
                    "touched",
                    models.JSONField(blank=True, default=dict, help_text="Who had a hand in the account, and when."),
                ),
                (
                    "person",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="account", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ("person",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("must_change_password", False),
                            models.Q(("password_by", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="who_must_change_a_password_did_not_set_it",
                    )
                ],
            },
        ),
        migrations.RunPython(remember_who_made_tokens, migrations.RunPython.noop),
    ]
