"""The one Django app of the portal."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_migrate
from django.utils.formats import number_format
from django.utils.translation import get_language, gettext, gettext_lazy, ngettext

from .rules import phrases


def _ensure_what_comes_with_the_portal(**kwargs: Any) -> None:
    """Roles, built-in templates and the history's triggers are there after each ``migrate`` and ``flush``."""
    from django.contrib.auth.models import Group
    from django.db import connections

    from .audit import triggers, word_index
    from .models import roles
    from .services import carrying, portfolio_rows, templates

    triggers.create(connections[kwargs["using"]])
    word_index.create(connections[kwargs["using"]])
    roles.ensure(Group)
    if "plan" in kwargs and _is_on_the_way(connections[kwargs["using"]]):
        return  # columns are still to come that the services write
    carrying.carry_over()  # before a template of this release changes what they were asked under
    templates.ensure_builtin()
    portfolio_rows.renew_others()


def _is_on_the_way(connection: Any) -> bool:
    """Whether ``migrate`` was asked for an earlier state than the newest."""
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes("rollouts")))


class RolloutsConfig(AppConfig):
    name = "rollouts"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = gettext_lazy("Model rollouts")

    def ready(self) -> None:
        from .audit import source
        from .models import verbose_names
        from .portal import signing_in
        from .services import account_doors

        phrases.speak_through(
            gettext, ngettext, partial(number_format, force_grouping=True), lambda: get_language() in (None, "en")
        )
        verbose_names.make_translatable(self.get_models())
        account_doors.listen()
        signing_in.listen()
        user_logged_in.connect(source.remember_sign_in)
        post_migrate.connect(_ensure_what_comes_with_the_portal, sender=self)
