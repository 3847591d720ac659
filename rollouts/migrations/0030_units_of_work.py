"""Rollouts are marked by what is written, an event says which rollouts it concerns."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0029_portfolio_rows")]

    operations = [
        migrations.RemoveField("syncscope", "settled_at"),
        migrations.AddField(
            "auditevent",
            "concerns",
            models.ManyToManyField(
                help_text="Rollouts besides that one in whose history it stands too.",
                related_name="+",
                to="rollouts.rollout",
            ),
        ),
        migrations.AddField(
            "portfoliorow",
            "marks",
            models.PositiveIntegerField(
                default=0, help_text="Counts what was written that may change how its rollout stands …"
            ),
        ),
        migrations.AddField(
            "portfoliorow",
            "settled",
            models.PositiveIntegerField(default=0, help_text="… and up to which of it that was looked at."),
        ),
        migrations.AlterField(
            "auditevent",
            "snapshot",
            models.JSONField(default=dict, help_text="An object that was made, as it was then."),
        ),
        migrations.AddIndex(
            "portfoliorow",
            models.Index(condition=~models.Q(marks=models.F("settled")), fields=["id"], name="row_marked"),
        ),
    ]
