"""Rollouts at the edges: names of 200 characters, signs of all kinds, right-to-left, 60 items, 20 steps, 500 at once."""

from __future__ import annotations

from django.db.models import QuerySet

from rollouts.audit.actor import Actor
from rollouts.audit.recording import recorded
from rollouts.models import AIModel, FeatureFlag, Phase, PlanTemplate, PortfolioRow, RampStep, Rollout
from rollouts.services import portfolio_rows
from rollouts.services.templates import FOLDER
from tests.walk import World

WORDY = ("Claude Haiku for code completion in every editor that anybody ever wrote a plug-in for, " * 3)[:200]
UNBROKEN = ("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3)[:200]
SIGNS = "🚀 Haiku 👩🏽‍💻 → 🇨🇦 <b>&amp; “quoted” 50 % — 日本語のモデル"
RIGHT_TO_LEFT = "نموذج كلود هايكو لإكمال الشيفرة (הדור החדש)"
ITEMS, STEPS = 60, 20


def build(world: World) -> list[str]:
    """Makes them beside what the world has; gives their slugs."""
    _template_with_many_items()
    steps = list(range(5, 101, 5))
    assert len(steps) == STEPS
    world.apply(slug="wordy", title=WORDY, flag="use_" + "haiku_" * 32)
    world.apply(slug="unbroken", title=UNBROKEN, flag="u" * 200)
    world.apply(slug="signs", title=SIGNS, flag="use_signs")
    world.apply(slug="right-to-left", title=RIGHT_TO_LEFT, flag="use_rtl")
    document = world.document(slug="many", title="Many of all", flag="use_many", steps=steps)
    world.apply_text(f"{document}template: many\n")
    return ["wordy", "unbroken", "signs", "right-to-left", "many"]


def _template_with_many_items() -> None:
    text = (FOLDER / "code_suggestions.yaml").read_text().replace("template: code_suggestions", "template: many", 1)
    items = "".join(
        f"  - {{key: check_{number}, title: 'Check {number}: {WORDY[: 20 + number * 2]}', kind: manual, phase: company}}\n"
        for number in range(ITEMS)
    )
    text = text.replace("\n# What a missing issue is made from", f"{items}\n# What a missing issue is made from")
    with recorded("template.load", by=Actor.job("tests")) as recording:
        recording.about = PlanTemplate(slug="many", title="Many", document=text)
        recording.about.save()


def multiply(world: World, total: int) -> None:
    """So many rollouts, copied as rows from one that a plan made: it would take too long to plan each."""
    pattern = world.rollout("many")
    phases = list(pattern.phases.all())
    flags = [FeatureFlag(instance=pattern.flag.instance, name=f"flag_{n}") for n in range(total)]
    QuerySet(FeatureFlag).bulk_create(flags)
    made = [
        Rollout(
            slug=f"copy-{n}",
            title=f"Copy {n}",
            ai_model=pattern.ai_model,
            flag=flags[n],
            template=pattern.template,
            owners=["mia"],
            created_at=pattern.created_at,
            created_by="mia",
        )
        for n in range(total)
    ]
    QuerySet(Rollout).bulk_create(made)
    copies = [
        Phase(
            rollout=rollout,
            **{name: getattr(phase, name) for name in ("name", "title", "position", "audience", "final_soak")},
        )
        for rollout in made
        for phase in phases
    ]
    QuerySet(Phase).bulk_create(copies)
    steps = {phase.name: list(phase.steps.all()) for phase in phases}
    QuerySet(RampStep).bulk_create(
        RampStep(phase=copy, percentage=step.percentage, soak=step.soak) for copy in copies for step in steps[copy.name]
    )
    QuerySet(PortfolioRow).bulk_create(
        PortfolioRow(rollout=rollout, title=rollout.title, since=rollout.created_at, due_at=rollout.created_at)
        for rollout in made
    )
    while portfolio_rows.bring_up_to_date():
        pass


def long_model() -> AIModel:
    with recorded("model.import", by=Actor.job("tests")) as recording:
        recording.about = AIModel(
            slug="long-model", name=UNBROKEN, provider="P" * 100, host="H" * 100, description=WORDY * 5
        )
        recording.about.save()
    return recording.about
