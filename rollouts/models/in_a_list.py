"""What several rows say, as one list in one column: what would be a query of its own comes with the row."""

from __future__ import annotations

from typing import Any

from django.db.models import Aggregate, JSONField


class InAList(Aggregate):
    """All values of a text, in no order; for a subquery, which has None where it finds no row."""

    function = "JSON_GROUP_ARRAY"
    name = "InAList"
    output_field = JSONField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return super().as_sql(compiler, connection, function="JSONB_AGG", **extra)
