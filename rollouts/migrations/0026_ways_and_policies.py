"""By what way events, requests and approvals came; the policy that held when something was asked for."""

from django.db import migrations, models


def keep_the_policy_as_asked(apps, schema_editor):
    """Of requests asked for before: what their content says of it, which is the policy of that start or step."""
    Request = apps.get_model("rollouts", "ApprovalRequest")
    for request in Request.objects.all():
        asked = request.content.get("approvals") if isinstance(request.content, dict) else None
        if not isinstance(asked, dict) or "needed" not in asked:
            continue
        steps = [] if request.is_start else [{"at_least": 1, "needed": asked["needed"]}]
        policy = {"start": asked, "steps": steps, "jump": {"points": 100, "needed": 1}}
        Request.objects.filter(pk=request.pk).update(policy=policy)


class Migration(migrations.Migration):
    dependencies = [
        ("rollouts", "0025_periods_are_rows"),
    ]

    operations = [
        migrations.AddField(
            model_name="approval",
            name="source",
            field=models.CharField(blank=True, editable=False, help_text="From where it was given.", max_length=20),
        ),
        migrations.AddField(
            model_name="approval",
            name="way",
            field=models.JSONField(
                default=dict, editable=False, help_text="By what session, token or user of the system."
            ),
        ),
        migrations.AddField(
            model_name="approvalrequest",
            name="authors",
            field=models.JSONField(
                default=list,
                editable=False,
                help_text="Who has edited its template or AI model since it was asked for: they can't approve it.",
            ),
        ),
        migrations.AddField(
            model_name="approvalrequest",
            name="carried",
            field=models.JSONField(
                default=dict,
                editable=False,
                help_text="Digests of an earlier release, each with the one that is made of the same content now.",
            ),
        ),
        migrations.AddField(
            model_name="approvalrequest",
            name="policy",
            field=models.JSONField(
                default=dict,
                editable=False,
                help_text="Who had to agree when it was asked for: the stricter of this and of what holds now counts.",
            ),
        ),
        migrations.AddField(
            model_name="approvalrequest",
            name="source",
            field=models.CharField(blank=True, editable=False, help_text="From where it was asked for.", max_length=20),
        ),
        migrations.AddField(
            model_name="approvalrequest",
            name="way",
            field=models.JSONField(
                default=dict, editable=False, help_text="By what session, token or user of the system."
            ),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="way",
            field=models.JSONField(
                editable=False,
                help_text="By what way it came: the operating system's user, the API token, or the session.",
                null=True,
            ),
        ),
        migrations.RunPython(keep_the_policy_as_asked, migrations.RunPython.noop),
    ]
