from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0004_approvals_carried")]

    operations = [
        migrations.RemoveField(
            model_name="phase",
            name="asked_digest",
        ),
        migrations.RemoveField(
            model_name="phase",
            name="old_overrides",
        ),
        migrations.AddConstraint(
            model_name="phase",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["active", "paused", "completed", "rolled_back"]), _negated=True),
                    models.Q(
                        ("grant__isnull", False),
                        ("started_at__isnull", False),
                        models.Q(("approved_by", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="started_phases_have_a_start_and_an_approval",
            ),
        ),
    ]
