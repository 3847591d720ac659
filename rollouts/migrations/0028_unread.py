import datetime

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0027_times_that_are_over")]

    operations = [
        migrations.AddField(
            model_name="phase",
            name="unread",
            field=models.DurationField(
                default=datetime.timedelta,
                editable=False,
                help_text="How long since then GitLab was not read: that does not count.",
            ),
        ),
    ]
