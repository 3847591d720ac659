"""The order that plans put rollouts in: which ones a plan names, whether that can be, and the rows of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from ..models import Rollout, RolloutOrder
from ..rules import document, ordering
from ..rules.document import DocumentRefused, Path
from ..rules.ordering import Order
from ..rules.phrases import joined, say, shorten
from ..rules.plan_document import PlanDocument
from ..rules.schema import nearest

#: Among so many of the newest rollouts the name is looked for that somebody may have meant.
MOST_LOOKED_AT = 2_000


def named(plan: PlanDocument, text: str | bytes, source: str) -> dict[tuple[Order, str], int]:
    """The rollouts that a plan names, by key.

    Raises ``DocumentRefused`` for one that there is not, and for a circle.
    """
    wanted = [(Order.AFTER, slug) for slug in plan.after] + [(Order.NOT_WITH, slug) for slug in plan.not_with]
    if not wanted:
        return {}
    known = dict(Rollout.objects.filter(slug__in={slug for _, slug in wanted}).values_list("slug", "pk"))
    if unknown := [(order, slug) for order, slug in wanted if slug not in known]:
        newest = list(Rollout.objects.order_by("-pk").values_list("slug", flat=True)[:MOST_LOOKED_AT])
        raise DocumentRefused(_fault(text, source, order, slug, _unknown(slug, newest)) for order, slug in unknown)
    refuse_circle(plan, text, source)
    return {(order, slug): known[slug] for order, slug in wanted}


def refuse_circle(plan: PlanDocument, text: str | bytes, source: str) -> None:
    """Raises ``DocumentRefused`` that names the circle, where ``after`` leads back to the plan's rollout."""
    if not plan.after:
        return
    after: dict[str, list[str]] = defaultdict(list)
    pairs = RolloutOrder.objects.filter(kind=Order.AFTER).exclude(rollout__slug=plan.rollout)
    for slug, before in pairs.values_list("rollout__slug", "other__slug"):
        after[slug].append(before)
    after[plan.rollout] = list(plan.after)
    if way := ordering.circle(after, plan.rollout):
        message = say(
            "this goes in a circle, each after the next: {way}. Take one of them out of the plan that it stands in.",
            way=joined(way, " → "),
        )
        raise DocumentRefused([_fault(text, source, Order.AFTER, way[1], message)])


def resting_on(named_here: Iterable[int]) -> set[int]:
    """All rollouts, by key, that come before these: locked together, no two plans close a circle at once."""
    found: set[int] = set()
    here = set(named_here)
    while here - found:
        found |= here
        rows = RolloutOrder.objects.filter(kind=Order.AFTER, rollout__in=here)
        here = set(rows.order_by().values_list("other_id", flat=True))
    return found


def keep(rollout: Rollout, wanted: Mapping[tuple[Order, str], int]) -> list[Rollout]:
    """Make the rows what the plan says; returns the other rollouts for which that is news."""
    rows = {(Order(row.kind), row.other.slug): row for row in rollout.orders.select_related("other")}
    news: dict[int, Rollout] = {}
    for key, row in rows.items():
        if key not in wanted:
            news[row.other_id] = row.other
            row.delete()
    for (order, slug), pk in wanted.items():
        if (order, slug) not in rows:
            other = Rollout.objects.get(pk=pk)
            news[pk] = other
            RolloutOrder.objects.create(rollout=rollout, kind=order, other=other)
    return list(news.values())


def _unknown(slug: str, known: list[str]) -> str:
    """With the nearest name; of all that there are, none is told."""
    close = nearest(slug, known) if known else ""
    if not close.startswith("Did"):
        return say("there is no rollout «{written}». Write the short name of one, as its address has it.",
                   written=shorten(slug))  # fmt: skip
    return joined((say("there is no rollout «{written}».", written=shorten(slug)), close))


def _fault(text: str | bytes, source: str, order: Order, slug: str, message: str) -> document.Fault:
    read = document.read(text, source=source)
    written = read.tree.get(order)
    path: Path = (order, written.index(slug)) if isinstance(written, list) and slug in written else (order,)
    return read.fault(path, message)
