"""Guard metrics as series, and how each rollout's stand. What was told before is in the history, and on the rollout."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0048_waivers")]

    operations = [
        migrations.CreateModel(
            name="MetricWatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("judged", models.JSONField(default=dict)),
                ("next_at", models.DateTimeField(help_text="When Prometheus is asked next.", null=True)),
                (
                    "counts_from",
                    models.DateTimeField(
                        help_text="Somebody let it go on then: what was beyond before does not act again.", null=True
                    ),
                ),
                (
                    "rollout",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="metric_watch",
                        to="rollouts.rollout",
                    ),
                ),
            ],
            options={"verbose_name_plural": "metric watches"},
        ),
        migrations.CreateModel(
            name="MetricSample",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="As the plan names it.", max_length=100)),
                ("at", models.DateTimeField()),
                (
                    "minute",
                    models.IntegerField(help_text="The same in minutes since 1970, which any database can divide."),
                ),
                ("value", models.FloatField(null=True)),
                ("baseline", models.FloatField(null=True)),
                (
                    "rollout",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="samples", to="rollouts.rollout"
                    ),
                ),
            ],
            options={
                "ordering": ("rollout", "name", "at"),
                "indexes": [models.Index(fields=["at"], name="sample_by_age")],
                "constraints": [
                    models.UniqueConstraint(fields=("rollout", "name", "at"), name="each_moment_once"),
                ],
            },
        ),
    ]
