from datetime import timedelta

import django.db.models.deletion
from django.db import migrations, models


def carry(apps, schema_editor):
    """What is known of each calendar becomes periods; what blocks no time goes on to lock, as it has till now.

    The file behind an address is no longer kept.
    """
    calendars, periods = apps.get_model("rollouts", "LockCalendar"), apps.get_model("rollouts", "LockPeriod")
    for calendar in calendars.objects.all():
        rows = [
            periods(calendar=calendar, starts_at=start, ends_at=end, title=title[:200])
            for start, end, title in calendar.windows
        ]
        periods.objects.bulk_create(rows, batch_size=500)
        if calendar.url:
            calendar.content = ""
        if calendar.read_at:
            calendar.known_until = calendar.read_at + timedelta(days=400)
        calendar.transparent_locks = True
        calendar.save()


class Migration(migrations.Migration):
    dependencies = [
        ("rollouts", "0023_project_successor"),
    ]

    operations = [
        migrations.CreateModel(
            name="LockPeriod",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("title", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "ordering": ("starts_at", "ends_at"),
            },
        ),
        migrations.AddField(
            model_name="lockcalendar",
            name="digest",
            field=models.CharField(
                blank=True, editable=False, help_text="SHA-256 of what was read last.", max_length=64
            ),
        ),
        migrations.AddField(
            model_name="lockcalendar",
            name="known_until",
            field=models.DateTimeField(blank=True, editable=False, help_text="How far it is worked out.", null=True),
        ),
        migrations.AddField(
            model_name="lockcalendar",
            name="notes",
            field=models.JSONField(
                default=list, editable=False, help_text="What repeats without end, what does not lock."
            ),
        ),
        migrations.AddField(
            model_name="lockcalendar",
            name="transparent_locks",
            field=models.BooleanField(
                default=False,
                help_text="What calendars show as free (TRANSP:TRANSPARENT): public holidays, reminders.",
                verbose_name="events that block no time lock",
            ),
        ),
        migrations.AlterField(
            model_name="lockcalendar",
            name="content",
            field=models.TextField(
                blank=True, editable=False, help_text="An uploaded file, to be worked out anew as time goes on."
            ),
        ),
        migrations.AlterField(
            model_name="lockcalendar",
            name="url",
            field=models.URLField(blank=True, help_text="Empty: an uploaded file.", max_length=1000),
        ),
        migrations.AlterField(
            model_name="lockcalendar",
            name="zone",
            field=models.CharField(
                default="UTC",
                help_text="For times without one, where the file names none.",
                max_length=60,
                verbose_name="time zone",
            ),
        ),
        migrations.AddIndex(
            model_name="changelock",
            index=models.Index(
                condition=models.Q(("ended_at", None)), fields=["kind", "ends_at"], name="lock_not_ended"
            ),
        ),
        migrations.AddField(
            model_name="lockperiod",
            name="calendar",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="periods", to="rollouts.lockcalendar"
            ),
        ),
        migrations.AddIndex(
            model_name="lockperiod",
            index=models.Index(fields=["ends_at", "starts_at"], name="period_by_end"),
        ),
        migrations.AddIndex(
            model_name="lockperiod",
            index=models.Index(fields=["calendar", "ends_at"], name="period_by_calendar"),
        ),
        migrations.AddConstraint(
            model_name="lockperiod",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="a_period_ends_after_it_starts"
            ),
        ),
        migrations.RunPython(carry, migrations.RunPython.noop),
    ]
