"""What the history is looked up by: indexes, and the words of each event.

Nothing is locked for long, and what is broken off goes on where it was.
"""

import django.db.models.deletion
from django.db import migrations, models

from rollouts.audit import word_index
from rollouts.models.event_words import EventWordsQuerySet


class AddIndexAside(migrations.AddIndex):
    """Beside whoever writes, on PostgreSQL; again where an attempt broke off."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.model_name)
        if schema_editor.connection.vendor != "postgresql":
            there = schema_editor.connection.introspection
            with schema_editor.connection.cursor() as cursor:
                if self.index.name not in there.get_constraints(cursor, model._meta.db_table):
                    schema_editor.add_index(model, self.index)
            return
        schema_editor.execute(f"DROP INDEX IF EXISTS {self.index.name}")
        schema_editor.add_index(model, self.index, concurrently=True)


class CreateModelAtOnce(migrations.CreateModel):
    """With its indexes and constraints, which would come at the migration's end; there already where it broke off."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        connection = schema_editor.connection
        table = to_state.apps.get_model(app_label, self.name)._meta.db_table
        if table not in connection.introspection.table_names():
            with connection.schema_editor(atomic=True) as editor:
                super().database_forwards(app_label, editor, from_state, to_state)


def prepare(apps, schema_editor):
    word_index.prepare(schema_editor.connection)


def create(apps, schema_editor):
    word_index.create(schema_editor.connection)


def drop(apps, schema_editor):
    word_index.drop(schema_editor.connection)


def fill(apps, schema_editor):
    words = EventWordsQuerySet(apps.get_model("rollouts", "EventWords"))
    word_index.fill(apps.get_model("rollouts", "AuditEvent").objects, words.keep)


def nothing(apps, schema_editor):
    pass


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("rollouts", "0035_keeping_runs")]

    operations = [
        migrations.RunPython(prepare, nothing),
        AddIndexAside(
            model_name="auditevent",
            index=models.Index(fields=["request_id", "-at", "-id"], name="event_request_time"),
        ),
        AddIndexAside(
            model_name="auditevent",
            index=models.Index(fields=["rollout", "verb", "-at", "-id"], name="event_rollout_verb"),
        ),
        AddIndexAside(
            model_name="auditevent",
            index=models.Index(fields=["actor", "verb", "-at", "-id"], name="event_actor_verb"),
        ),
        CreateModelAtOnce(
            name="EventWords",
            fields=[
                (
                    "key",
                    models.BigAutoField(help_text="The order of time.", primary_key=True, serialize=False),
                ),
                ("for_all", models.BooleanField()),
                ("for_roles", models.BooleanField()),
                ("text", models.TextField()),
                ("way", models.CharField(blank=True, max_length=200)),
                (
                    "event",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="words", to="rollouts.auditevent"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "event words",
                "indexes": [
                    models.Index(
                        condition=models.Q(("way", ""), _negated=True), fields=["way", "-key"], name="event_way"
                    )
                ],
            },
        ),
        migrations.RunPython(create, drop),
        migrations.RunPython(fill, nothing),
    ]
