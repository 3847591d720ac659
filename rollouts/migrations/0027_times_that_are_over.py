"""What lasts as long as a state is gone with it, and no exit item is confirmed before its phase began."""

from typing import Any

from django.db import migrations, models
from django.db.models import F, Q

OF_PHASES = {
    "confirmed_at": ["active", "paused", "completed"],
    "paused_at": ["paused"],
    "held_since": ["active"],
}
OF_ROLLOUTS = {"completed_at": ["completed", "closed"], "abandoned_at": ["abandoned"], "closed_at": ["closed"]}


def forget(apps: Any, schema_editor: Any) -> None:
    for model, table in (("Phase", OF_PHASES), ("Rollout", OF_ROLLOUTS)):
        rows = apps.get_model("rollouts", model).objects
        for name, states in table.items():
            rows.exclude(state__in=states).update(**{name: None})
    apps.get_model("rollouts", "Phase").objects.filter(held_since=None).update(held_by="")
    early = Q(phase__started_at__isnull=True) | Q(confirmed_at__lt=F("phase__started_at"))
    items = apps.get_model("rollouts", "ChecklistItem").objects
    given = items.filter(early, gate="complete", confirmed_at__isnull=False).exclude(
        phase__state__in=["completed", "skipped", "rolled_back"]
    )
    items.filter(pk__in=list(given.values_list("pk", flat=True))).update(
        confirmed_by="", confirmed_at=None, evidence="", channel=""
    )


def settle_references(apps: Any, schema_editor: Any) -> None:
    """PostgreSQL alters no table while references of rows written just now wait to be checked."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def only_while(name: str, states: list[str], called: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(**{f"{name}__isnull": True}) | Q(state__in=states), name=called)


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0026_ways_and_policies")]

    operations = [
        migrations.RunPython(forget, migrations.RunPython.noop),
        migrations.RunPython(settle_references, migrations.RunPython.noop),
        *(
            migrations.AddConstraint("phase", only_while(name, states, f"{name}_only_while_it_lasts"))
            for name, states in OF_PHASES.items()
        ),
        *(
            migrations.AddConstraint("rollout", only_while(name, states, f"rollout_{name}_only_while_it_is"))
            for name, states in OF_ROLLOUTS.items()
        ),
    ]
