"""Percentages of actors are exact thousandths, as GitLab takes them; what is stored stays the same number."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0020_history_by_time")]

    operations = [
        migrations.RemoveConstraint(model_name="rampstep", name="percentage_1_to_100"),
        migrations.AlterField(
            model_name="rampstep",
            name="percentage",
            field=models.DecimalField(decimal_places=3, max_digits=6, help_text="Percentage of actors, 0.001 to 100."),
        ),
        migrations.AlterField(
            model_name="approvalrequest",
            name="percentage",
            field=models.DecimalField(
                blank=True, decimal_places=3, max_digits=6, null=True, help_text="To which percentage of actors."
            ),
        ),
        migrations.AddConstraint(
            model_name="rampstep",
            constraint=models.CheckConstraint(
                condition=models.Q(("percentage__gt", 0), ("percentage__lte", 100)), name="percentage_to_100"
            ),
        ),
    ]
