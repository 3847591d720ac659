"""Plan templates: the built-in ones come as files and are kept in the database like all others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import PlanTemplate
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..rules.phrases import say
from ..rules.template import Template
from ..rules.template_document import parse_template
from .refusals import refuse_if, role_missing

FOLDER = Path(__file__).parent.parent / "plan_templates"


def ensure_builtin() -> None:
    """Load each file of ``plan_templates/`` that is new or changed. Templates made in the admin are left alone."""
    for path in sorted(FOLDER.glob("*.yaml")):
        document = path.read_text(encoding="utf-8")
        parsed = parse_template(document, source=path.name)
        with recorded("template.load", by=Actor.job("migrate")) as recording:
            template = PlanTemplate.objects.filter(slug=parsed.slug).first() or PlanTemplate(
                slug=parsed.slug, builtin=True
            )
            if template.builtin and template.document != document:
                template.title, template.document = parsed.title, document
                template.save()
                recording.about = template


@dataclass(frozen=True, slots=True)
class Saved:
    """What saving a document did: ``before`` is what stood there, empty for a new template."""

    template: PlanTemplate
    before: str

    @property
    def is_same(self) -> bool:
        return self.before == self.template.document


def save(document: str | bytes, *, by: Actor, source: str) -> Saved:
    """Make a template of a document, or change the one of its name; the same again changes nothing.

    Raises ``DocumentRefused`` (with lines) or ``Refused``; then nothing changed.
    """
    parsed = parse_template(document, source=source)
    written = document.decode("utf-8") if isinstance(document, bytes) else document
    written = written.removeprefix("\ufeff").replace("\r\n", "\n")
    with recorded("template.save", by=by) as recording:
        blockers = role_missing(by, Role.ADMIN, say("Saving a template"))
        known = PlanTemplate.objects.locked().filter(slug=parsed.slug).first()
        if known is not None and known.builtin and known.document != written:
            message = say(
                "{source}: {slug} comes with the portal and follows its releases. Give yours another name.",
                source=source,
                slug=parsed.slug,
            )
            blockers.append(Blocker("builtin", message))
        refuse_if(blockers)
        template = known or PlanTemplate(slug=parsed.slug)
        before = known.document if known else ""
        if before != written:
            template.title, template.document = parsed.title, written
            template.save()
        recording.about = template
    return Saved(template, before)


def all_templates() -> dict[str, Template]:
    """Every template by slug, parsed."""
    return {template.slug: template.template for template in PlanTemplate.objects.all()}
