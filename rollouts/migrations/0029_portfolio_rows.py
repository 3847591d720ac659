"""What the portfolio keeps of a rollout is called a row."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0028_unread")]

    operations = [
        migrations.RemoveConstraint("linewait", "a_line_waits_once_for_each"),
        migrations.RenameModel("PortfolioLine", "PortfolioRow"),
        migrations.RenameModel("LineWait", "RowWait"),
        migrations.RenameField("rowwait", "line", "row"),
        migrations.AlterField(
            "portfoliorow",
            "rollout",
            models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="portfolio_row", to="rollouts.rollout"
            ),
        ),
        migrations.AddConstraint(
            "rowwait", models.UniqueConstraint(fields=("who", "row"), name="a_row_waits_once_for_each")
        ),
    ]
