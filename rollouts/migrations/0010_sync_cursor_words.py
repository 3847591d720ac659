from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("rollouts", "0009_reading_gap"),
    ]

    operations = [
        migrations.AlterField(
            model_name="syncscope",
            name="cursor",
            field=models.DateTimeField(
                blank=True,
                help_text="When it was last asked for, by GitLab's clock: only what changed since is asked for again.",
                null=True,
            ),
        ),
    ]
