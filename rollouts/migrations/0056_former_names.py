"""What people were called here before; of those who were renamed under an earlier release the history knows it."""

from django.db import migrations, models


def take_from_history(apps, schema_editor):
    user, account = apps.get_model("auth", "User"), apps.get_model("rollouts", "Account")
    events = apps.get_model("rollouts", "AuditEvent").objects.filter(object_type="User", before__has_key="username")
    formers = {}
    for key, before in events.order_by("pk").values_list("object_id", "before"):
        formers.setdefault(key, set()).add(before["username"])
    if not formers:
        return
    taken = set(user.objects.values_list("username", flat=True))
    for person in user.objects.filter(pk__in=[int(key) for key in formers if key.isdecimal()]):
        if names := sorted(formers[str(person.pk)] - taken):
            account.objects.update_or_create(person=person, defaults={"former_names": names})


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0055_issue_feedback")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="former_names",
            field=models.JSONField(
                blank=True, default=list, help_text="What the person was called here before: nobody else may be."
            ),
        ),
        migrations.RunPython(take_from_history, migrations.RunPython.noop, elidable=True),
    ]
