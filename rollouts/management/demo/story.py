"""What happened so far, told through the same services and the same sync that everybody uses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model

from gitlab_simulator import Simulator
from rollouts.audit.actor import Actor
from rollouts.audit.recording import recorded
from rollouts.models import AIModel, ChecklistItem, Phase, ReadingGap, Rollout, clock
from rollouts.rules import criteria
from rollouts.rules.catalogue import parse_models, parse_unit_primitives
from rollouts.services import (
    checklist,
    due,
    facts,
    guarding,
    imports,
    locks,
    metrics,
    plans,
    transitions,
    waivers,
    weekly,
)
from rollouts.services.instances import default_instance
from rollouts.sync import passes

from . import seeds

QUOTAS = {
    "claude-haiku-4-5-20251001-vertex": 60_000,
    "codestral-2508-vertex": 120_000,
    "claude-sonnet-4-6-vertex": 40_000,
    "gemini-2-5-flash-vertex": 30_000,
    "gpt-5": 25_000,
}


class Story:
    """Tells what happened, day by day; ``gitlab`` is the simulated GitLab that people turn their flags in."""

    def __init__(self, gitlab: Simulator, now: datetime) -> None:
        self.gitlab, self.now = gitlab, now
        self.admin = Actor.system_user()

    def ago(self, what: Callable[[], object], **span: float) -> None:
        with clock.told_at(self.now - timedelta(**span)):
            what()

    def tell(self) -> None:
        self.ago(self.before, days=21)
        self.ago(lambda: self.finished("gpt-5-agentic-chat"), days=20)
        self.ago(lambda: self.whole_phase("haiku-code-completion", "team"), days=15)
        self.ago(lambda: self.whole_phase("codestral-2508-v4", "team"), days=14)
        self.ago(lambda: self.whole_phase("haiku-code-completion", "company"), days=9)
        self.ago(lambda: self.whole_phase("codestral-2508-v4", "company"), days=8)
        self.ago(lambda: self.whole_phase("sonnet-default-models", "team"), days=6)
        self.climb("haiku-code-completion", {1: 5.0, 10: 3.5})
        self.paused_by_itself("haiku-code-completion")
        self.climb("haiku-code-completion", {25: 1.6})
        self.measure("haiku-code-completion")
        self.climb("codestral-2508-v4", {1: 4.0, 10: 2.6, 25: 1.2})
        self.ago(lambda: self.ask_for_the_step("haiku-code-completion"), days=1)
        self.ago(lambda: self.begin("sonnet-default-models", "company"), days=2)
        self.ago(lambda: self.decide("sonnet-default-models", 2), days=1)
        self.ago(lambda: self.skip("sonnet-code-review", "team", "The team uses it every day."), days=1)
        self.ago(lambda: self.ask("gemini-fail-over", "team"), hours=3)
        self.ago(lambda: self.elsewhere("code_completion_v4_endpoint", 50), hours=2)
        self.ago(lambda: self.begin("sonnet-code-review", "company", obeyed=False), minutes=2)
        why = "The editor trims answers already; we look again before all users."
        item = "decide_post_processing"
        self.ago(
            lambda: self.waive("sonnet-code-review", "company", item, reason=why, days=14, granted=False), minutes=1
        )
        self.comments()
        self.read()
        self.read_all_along()
        self.lock()
        weekly.work()

    def read_all_along(self) -> None:
        """GitLab was read every minute, but for one night."""
        since = self.now - timedelta(days=4.4)
        ReadingGap.objects.create(instance=default_instance(), since=since, until=since + timedelta(hours=9))

    def lock(self) -> None:
        """A freeze that is over, and a release day to come."""
        self.ago(self.freeze, days=3)
        day = (self.now + timedelta(days=9)).replace(hour=9, minute=0, second=0, microsecond=0, tzinfo=None)
        locks.add(
            {"title": "Release day", "kind": "once", "starts": day, "ends": day + timedelta(days=1)},
            by=self.person("mia"),
        )

    def freeze(self) -> None:
        starts = clock.now().replace(tzinfo=None)
        locks.add(
            {
                "title": "Load test of the AI Gateway",
                "kind": "once",
                "starts": starts,
                "ends": starts + timedelta(days=1),
            },
            by=self.person("mia"),
        )

    def before(self) -> None:
        imports.import_flags(seeds.definitions(), by=self.admin)
        models = parse_models((seeds.HERE / "models.yml").read_bytes(), source="models.yml")
        features = parse_unit_primitives((seeds.HERE / "features.yml").read_bytes(), source="features.yml")
        imports.import_models(models, features, by=self.admin)
        for model in AIModel.objects.filter(slug__in=QUOTAS):
            with recorded("model.quota", by=self.admin) as recording:
                model.quota_requests_per_minute = QUOTAS[model.slug]
                model.quota_lead_time = timedelta(days=14)
                model.save()
                recording.about = model
        for slug, text in seeds.plans().items():
            plans.apply(text.replace("GITLAB", default_instance().url), by=self.person("mia"), source=f"{slug}.yaml")
        self.read()
        for slug in seeds.plans():
            self.confirm(slug, None)

    def finished(self, slug: str) -> None:
        """All phases, one day each."""
        for phase in ("team", "company"):
            self.whole_phase(slug, phase)
        self.begin(slug, "everyone")
        begun = clock.now()
        for day, percentage in enumerate((50, 100), start=1):
            with clock.told_at(begun + timedelta(days=1.1 * day)):
                self.step(slug, percentage)
        with clock.told_at(begun + timedelta(days=4)):
            self.read()
            self.do(slug, "everyone", "complete", "mia")

    def whole_phase(self, slug: str, phase: str) -> None:
        """Begin it, and a day later complete it."""
        self.begin(slug, phase)
        self.decide(slug, 4)
        with clock.told_at(clock.now() + timedelta(days=1)):
            self.read()
            self.do(slug, phase, "complete", "mia")

    def begin(self, slug: str, phase: str, *, obeyed: bool = True) -> None:
        self.read()
        self.ask(slug, phase)
        self.agree(slug, phase)
        self.do(slug, phase, "start", "mia")
        if obeyed:
            self.obey(slug)

    def ask(self, slug: str, phase: str) -> None:
        self.read()
        self.confirm(slug, phase)
        self.do(slug, phase, "request", "mia")

    def measure(self, slug: str) -> None:
        """What a monitor told of the rollout to all users, twice a day, beside the baseline."""
        for number in range(9):
            latency, rate = 985 + 7 * (number * 5 % 9), 19.4 + 0.2 * (number * 4 % 7)
            for name, value, baseline in (
                ("latency_p95", latency, 1010), ("acceptance_rate", round(rate, 1), 19.6), ("errors", 0.3, None),
            ):  # fmt: skip
                self.ago(
                    lambda name=name, value=value, baseline=baseline: metrics.measure(  # type: ignore[misc]
                        self.rollout(slug), name, value, by=self.person("mia"), baseline=baseline
                    ),
                    days=4.8 - number * 0.5,
                )

    def paused_by_itself(self, slug: str) -> None:
        """Errors rose for more than half an hour: the portal paused it, and mia let it go on when they had fallen."""

        def tell(errors: float) -> None:
            metrics.measure(self.rollout(slug), "errors", errors, by=self.person("mia"))

        for minutes, errors in ((0, 3.4), (20, 3.6), (40, 3.1)):
            self.ago(lambda errors=errors: tell(errors), days=3, minutes=-minutes)  # type: ignore[misc]
        self.ago(lambda: self.look_at_figures(slug), days=3, minutes=-41)
        assert self.phase(slug, "everyone").state == "paused"
        self.ago(lambda: tell(0.3), days=2.9)
        why = "The host had a fault, which it has mended: errors are as before."
        self.ago(lambda: self.do(slug, "everyone", "resume", "mia", reason=why), days=2.9)

    def look_at_figures(self, slug: str) -> None:
        """As workers do."""
        self.read()
        guarding.look(Rollout.objects.for_rules().get(slug=slug), clock.now(), due.Done())

    def comments(self) -> None:
        """What people write in the feedback issue, and what others make of it."""
        state = self.gitlab.state
        for author, body, emoji in (
            ("kim", "Completions come as quickly as before, and long ones are better.", ("thumbsup", "tada")),
            ("vic", "In Ruby it sometimes repeats the line above.", ("eyes",)),
        ):
            note = state.add_note(seeds.PROJECT, 14, body, author=author)
            for name in emoji:
                state.react(seeds.PROJECT, 14, name, by="mia", note=note["id"])

    def climb(self, slug: str, days_ago: dict[int, float]) -> None:
        for percentage, days in days_ago.items():
            if percentage == 1:
                self.ago(lambda: self.begin(slug, "everyone"), days=days)
            else:
                self.ago(lambda to=percentage: self.step(slug, to), days=days)  # type: ignore[misc]

    def skip(self, slug: str, phase: str, reason: str) -> None:
        """On a waiver: mia asks for it, alice grants it."""
        self.waive(slug, phase, reason=reason, days=60)
        self.do(slug, phase, "skip", "mia", reason=reason)

    def waive(self, slug: str, phase: str, item: str = "", *, reason: str, days: int, granted: bool = True) -> None:
        what = waivers.named(self.rollout(slug), phase, item)
        ends_at = clock.now() + timedelta(days=days)
        waiver = waivers.ask(what, by=self.person("mia"), reason=reason, ends_at=ends_at)
        if granted:
            waivers.decide("grant", waiver, by=self.person("alice"), note="Come back to it before all users.")

    def agree(self, slug: str, phase: str) -> None:
        """alice approves, and root where it takes two."""
        for approver in ("alice", "root"):
            request = facts.for_rollout(self.rollout(slug), clock.now()).phase(phase).request
            if request is not None and not request.is_granted(clock.now()):
                self.do(slug, phase, "approve", approver)

    def ask_for_the_step(self, slug: str) -> None:
        """Where the next step takes a request of its own: it is asked for and approved."""
        told = facts.for_rollout(self.rollout(slug), clock.now())
        if told.policy(told.phase("everyone")) is not None:
            self.do(slug, "everyone", "request", "mia")
            self.agree(slug, "everyone")

    def step(self, slug: str, percentage: int) -> None:
        self.read()
        self.answer(slug)
        self.ask_for_the_step(slug)
        self.do(slug, "everyone", "advance", "mia")
        assert self.phase(slug, "everyone").percentage == percentage
        self.obey(slug)

    def elsewhere(self, flag: str, percentage: int) -> None:
        """Somebody turns the flag past the plan, by ChatOps, which logs it."""
        self.gitlab.state.chatops_feature_set(
            seeds.FLAG_LOG, flag, str(percentage), by="jrivera", host="127.0.0.1", actors=True, at=clock.now()
        )
        self.read()
        with clock.told_at(clock.now() + timedelta(minutes=1)):
            self.read()  # and finds who it was

    def decide(self, slug: str, count: int) -> None:
        """Confirm the open items that gate the completion of the phases, up to so many."""
        evidence: tuple[str, ...] = (
            "No: the quota carries twice the peak.",
            "No: answers are trimmed enough.",
            "None found.",
            "Nothing else.",
        )
        items = [i for i in self.items(slug) if i.gate == "complete" and i.phase and i.phase.state == "active"]
        beside = checklist.NOTHING_BESIDES
        link = f"{default_instance().url}/{seeds.PROJECT}/-/issues/11"
        if items and items[0].kind == "comparison":
            evidence = ("Nobody noticed that it is another model; answers are accepted a little more often.",)
            numbers = "p50 ms = 655 / 637\nacceptance % = 20.1 / 19.4"
            beside = checklist.Recorded(
                link=link, latency="alike", correctness="better", verdict="better", numbers=numbers
            )
        elif items and items[0].kind == "decision":
            beside = checklist.Recorded(link=link, owner="alice")
        for item, words in list(zip(items, evidence, strict=False))[:count]:
            checklist.confirm(item, by=self.person("mia"), evidence=words, recorded=beside)

    def answer(self, slug: str) -> None:
        """Answer what the present step asks of the plan's criteria."""
        told = facts.for_rollout(self.rollout(slug), clock.now())
        stands_at = told.phase("everyone").opening.step
        for item in self.items(slug):
            if item.criterion and item.step == stands_at:
                answer = criteria.wanted(item.criterion)
                evidence = "0.2 % of requests, as before." if answer == "yes" else "p95 is 1 % better."
                checklist.confirm(item, by=self.person("mia"), evidence=evidence, answer=answer)

    def confirm(self, slug: str, phase: str | None) -> None:
        """Confirm the items by hand that gate a start."""
        for item in self.items(slug):
            named = item.phase.name if item.phase else None
            if named == phase and item.gate == "start" and not item.is_automatic and item.required:
                checklist.confirm(
                    item,
                    by=self.person("mia"),
                    channel="#announcements",
                    evidence=f"{default_instance().url}/{seeds.PROJECT}/-/issues/11",
                )

    def items(self, slug: str) -> list[ChecklistItem]:
        unconfirmed = ChecklistItem.objects.filter(rollout__slug=slug, confirmed_at=None).select_related("phase")
        return [item for item in unconfirmed if not item.is_automatic]

    def obey(self, slug: str) -> None:
        """Turn the flag in GitLab to what the portal expects, as the person at the chat would, and read it."""
        rollout = self.rollout(slug)
        expected, flag = facts.for_rollout(rollout, clock.now()).expected, rollout.flag.name
        names = facts.actor_names(rollout)
        state = self.gitlab.state
        with state.change():
            if expected.is_everyone:
                state.set_feature(flag, True)
            else:
                for actor in sorted(expected.actors):
                    kind, _, name = names[actor].partition(":")
                    state.set_feature(flag, True, None, **{kind: name})  # type: ignore[arg-type]
                for group in sorted(expected.groups):
                    state.set_feature(flag, True, feature_group=group)
                if expected.percentage_of_actors:
                    state.set_feature(flag, str(expected.percentage_of_actors), key="percentage_of_actors")
        self.read()

    def read(self) -> None:
        """Read GitLab, as it was each minute since what was told before."""
        instance, before = default_instance(), clock.now() - timedelta(minutes=1)
        if instance.flags_read_at and instance.flags_read_at < before:
            instance.flags_read_at = before
            instance.save(update_fields=["flags_read_at"])
        passes.sync_instance(default_instance(), trigger="demo")

    def do(self, slug: str, phase: str, verb: str, by: str, *, reason: str = "") -> None:
        looked_at = transitions.digest_of(self.rollout(slug), phase) if verb == "approve" else ""
        transitions.perform(verb, self.phase(slug, phase), by=self.person(by), reason=reason, looked_at=looked_at)

    def person(self, name: str) -> Actor:
        return Actor.of(get_user_model()._default_manager.get(username=name))

    def phase(self, slug: str, name: str) -> Phase:
        return next(phase for phase in facts.newest_attempts(self.rollout(slug)) if phase.name == name)

    def rollout(self, slug: str) -> Rollout:
        return Rollout.objects.whole().get(slug=slug)
