import re

from django.db import migrations, models

import rollouts.models.checks

ADDRESSES = {
    "GitLabInstance": ("url",),
    "FeatureFlag": ("introduced_by_url", "rollout_issue_url", "feature_issue_url"),
}


def take_passwords_out(apps, schema_editor):
    """Addresses are shown to everybody: what stood between // and @ of one goes. It is known by now: change it."""
    for kind, names in ADDRESSES.items():
        model = apps.get_model("rollouts", kind)
        for name in names:
            for row in model._base_manager.filter(**{f"{name}__contains": "@"}):
                shown = re.sub(r"(?<=//)[^/?#]*@", "", getattr(row, name))
                model._base_manager.filter(pk=row.pk).update(**{name: shown})


class Migration(migrations.Migration):
    """Which variables hold an instance's secrets follows from its name, and its address from the environment.

    An instance whose name GITLAB_INSTANCES does not bind keeps its row, and is not asked; the Sync page says the cure.
    """

    dependencies = [("rollouts", "0017_what_events_say")]

    operations = [
        migrations.RunPython(take_passwords_out, migrations.RunPython.noop),
        migrations.RemoveField(model_name="gitlabinstance", name="hook_secret_variable"),
        migrations.RemoveField(model_name="gitlabinstance", name="hook_signing_variable"),
        migrations.RemoveField(model_name="gitlabinstance", name="token_variable"),
        migrations.AddField(
            model_name="gitlabinstance",
            name="retired_at",
            field=models.DateTimeField(
                blank=True, editable=False, help_text="Since when nothing is asked of it any more.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="gitlabinstance",
            name="name",
            field=models.SlugField(help_text="One of the names that the environment binds to an address.", unique=True),
        ),
        migrations.AlterField(
            model_name="gitlabinstance",
            name="url",
            field=models.URLField(
                blank=True,
                editable=False,
                help_text="As GITLAB_URL or GITLAB_INSTANCES binds it to the name. Empty: not connected.",
            ),
        ),
        *(
            migrations.AlterField(
                model_name="featureflag",
                name=name,
                field=models.URLField(
                    blank=True, max_length=500, validators=[rollouts.models.checks.validate_web_address]
                ),
            )
            for name in ADDRESSES["FeatureFlag"]
        ),
    ]
