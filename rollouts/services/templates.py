"""Plan templates: the built-in ones come as files and are kept in the database like all others."""

from __future__ import annotations

from pathlib import Path

from ..audit.actor import Actor
from ..audit.deeds import deed
from ..models import PlanTemplate
from ..rules.template import Template, parse_template

FOLDER = Path(__file__).parent.parent / "plan_templates"


def ensure_builtin() -> None:
    """Load each file of ``plan_templates/`` that is new or changed. Templates made in the admin are left alone."""
    for path in sorted(FOLDER.glob("*.yaml")):
        document = path.read_text(encoding="utf-8")
        parsed = parse_template(document, source=path.name)
        with deed("template.load", by=Actor.job("migrate")) as doing:
            template = PlanTemplate.objects.filter(slug=parsed.slug).first() or PlanTemplate(
                slug=parsed.slug, builtin=True
            )
            if template.builtin and template.document != document:
                template.title, template.document = parsed.title, document
                template.save()
                doing.about = template


def all_templates() -> dict[str, Template]:
    """Every template by slug, parsed."""
    return {template.slug: template.template for template in PlanTemplate.objects.all()}
