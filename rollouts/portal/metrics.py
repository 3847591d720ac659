"""``/metrics``: how the sync stands, for Prometheus. Out of the database at each scrape: any process may answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from ..models import HookDelivery, Rollout
from ..services import tokens
from ..sync import mailing, status


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For who is signed in, or holds a token of the API."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    is_known = scheme.lower() == "bearer" and tokens.person_of(token.strip()) is not None
    if not is_known and not request.user.is_authenticated:
        words = "Send Authorization: Bearer with a token of manage.py api_token.\n"
        response = HttpResponse(words, status=401, content_type="text/plain; charset=utf-8")
        response["WWW-Authenticate"] = "Bearer"
        return response
    registry = CollectorRegistry()
    registry.register(Portal())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class Portal:
    """All metrics, made anew at each scrape.

    A GitLab instance is the label ``gitlab``: ``instance`` is Prometheus' own, the address that it scraped.
    """

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        instances = [stands for stands in status.of_all() if stands.instance.url]
        yield from self._scopes(instances)
        for name, words, value in PER_INSTANCE:
            gauge = GaugeMetricFamily(f"portal_{name}", words, labels=["gitlab"])
            for each in instances:
                if (measured := value(each)) is not None:
                    gauge.add_metric([each.instance.name], float(measured))
            yield gauge
        yield _counted("portal_hook_deliveries", "Webhook deliveries that are kept.", "state", _deliveries())
        yield _counted("portal_mails", "Mails that wait, and that were given up.", "state", mailing.standing())
        yield _counted("portal_rollouts", "Rollouts by state.", "state", _rollouts("state"))
        drifting = _rollouts("drift", ~Q(drift="none"))
        yield _counted("portal_rollouts_drifting", "Open rollouts whose flag is not as planned.", "kind", drifting)

    def _scopes(self, instances: list[status.InstanceStatus]) -> Iterable[Metric]:
        labels = ["gitlab", "project"]
        gauges = {
            "read_at": GaugeMetricFamily("portal_sync_read_timestamp_seconds", "When it was last read.", labels=labels),
            "seconds": GaugeMetricFamily("portal_sync_read_seconds", "How long that took.", labels=labels),
            "calls": GaugeMetricFamily("portal_sync_read_calls", "HTTP requests that it took.", labels=labels),
            "changed": GaugeMetricFamily("portal_sync_read_changes", "Rows that it changed.", labels=labels),
        }
        failing = GaugeMetricFamily(
            "portal_sync_failing", "1 where the last reading failed.", labels=[*labels, "what", "outcome"]
        )
        for each in instances:
            for project in (None, *each.projects):
                place = [each.instance.name, project.path if project else ""]
                scope = each.scopes.get(project.pk if project else None)
                if scope is not None and scope.read_at is not None:
                    gauges["read_at"].add_metric(place, scope.read_at.timestamp())
                    for name in ("seconds", "calls", "changed"):
                        gauges[name].add_metric(place, float(getattr(scope, name)))
                thing: Any = project or each.instance
                for what in ("issues", "flags") if project else ("flags",):
                    outcome = getattr(thing, f"{what}_outcome")
                    if outcome not in ("ok", "unread"):
                        failing.add_metric([*place, what, outcome], 1.0)
        yield from gauges.values()
        yield failing


#: Name, help and value of what there is once for each instance; None where it is not known.
PER_INSTANCE: tuple[tuple[str, str, Any], ...] = (
    ("gitlab_rate_limit", "Calls that GitLab allows in a minute.", lambda s: s.standing.limit),
    ("gitlab_rate_remaining", "Calls that GitLab has left for us.", lambda s: s.standing.remaining),
    ("gitlab_rate_allowance", "Calls that we allow ourselves in a minute.", lambda s: s.allowance),
    ("gitlab_calls", "Our calls in the minute that runs.", lambda s: s.calls_in_window),
    ("gitlab_held", "1 while nothing may be asked of it.", lambda s: s.wait is not None),
    ("gitlab_failures", "Failed calls in a row.", lambda s: s.standing.failures),
    (
        "gitlab_token_days",
        "Days until our token ends.",
        lambda s: (s.token_ends - s.now.date()).days if s.token_ends else None,
    ),
    ("sync_planned", "Instances and projects in the pass under way.", lambda s: s.under_way and s.under_way.planned),
    ("sync_done", "Those of them that are read.", lambda s: s.under_way and s.under_way.done),
    ("hook_waiting", "Webhook deliveries that wait.", lambda s: s.hooks.waiting),
    (
        "hook_waiting_seconds",
        "How long the oldest of them has waited.",
        lambda s: (s.now - s.hooks.oldest).total_seconds() if s.hooks.oldest else 0,
    ),
    (
        "hook_lag_seconds",
        "From receipt to done, the slowest of the last 500.",
        lambda s: s.hooks.slowest.total_seconds() if s.hooks.slowest else None,
    ),
    ("outbox_waiting", "Writes to GitLab that are owed.", lambda s: s.owed.waiting),
    (
        "outbox_waiting_seconds",
        "How long the oldest of them has been owed.",
        lambda s: (s.now - s.owed.oldest).total_seconds() if s.owed.oldest else 0,
    ),
    ("outbox_given_up", "Writes to GitLab that were given up.", lambda s: s.owed.given_up),
)


def _counted(name: str, words: str, label: str, counts: dict[str, int]) -> Metric:
    gauge = GaugeMetricFamily(name, words, labels=[label])
    for value, count in sorted(counts.items()):
        gauge.add_metric([value], float(count))
    return gauge


def _deliveries() -> dict[str, int]:
    return dict(HookDelivery.objects.order_by().values_list("state").annotate(Count("pk")))


def _rollouts(field: str, of: Q | None = None) -> dict[str, int]:
    rollouts = Rollout.objects.order_by() if field == "state" else Rollout.objects.open().order_by()
    return dict(rollouts.filter(of or Q()).values_list(field).annotate(Count("pk")))
