"""The four roles as groups, and the triggers that keep history append-only."""

from typing import Any

from django.db import migrations

from rollouts.audit import triggers
from rollouts.models import roles


def make_roles(apps: Any, schema_editor: Any) -> None:
    roles.ensure(apps.get_model("auth", "Group"))


def build_walls(apps: Any, schema_editor: Any) -> None:
    triggers.create(schema_editor.connection, triggers.HISTORY)  # the others' tables come later


def take_walls_down(apps: Any, schema_editor: Any) -> None:
    triggers.drop(schema_editor.connection, triggers.HISTORY)


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0001_first"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [
        migrations.RunPython(make_roles, migrations.RunPython.noop),
        migrations.RunPython(build_walls, take_walls_down),
    ]
