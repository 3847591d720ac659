"""The API's list is told by portfolio rows, which are found by health and by phase in the order of their rollouts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0032_checkpoint_copies")]

    operations = [
        migrations.AddField(
            "portfoliorow",
            "told",
            models.TextField(blank=True, default="", help_text="The rollout as the API's list tells it, in JSON."),
            preserve_default=False,
        ),
        migrations.AddIndex("portfoliorow", models.Index(fields=["health", "rollout"], name="row_by_health")),
        migrations.AddIndex("portfoliorow", models.Index(fields=["phase", "rollout"], name="row_by_phase")),
    ]
