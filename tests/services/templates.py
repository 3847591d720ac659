"""A template with a policy of its own."""

from rollouts.audit.recording import recorded
from rollouts.models import PlanTemplate
from rollouts.services import plans


def own_template(world, approvals):
    """A template of the house's own, with another policy for the first phase."""
    builtin = PlanTemplate.objects.get(slug="code_suggestions")
    text = builtin.document.replace("template: code_suggestions", "template: ours").replace(
        "approvals: {needed: 1, roles: [approver], lives: 14d}", f"approvals: {approvals}", 1
    )
    with recorded("test", by=world.actor("root")):
        PlanTemplate.objects.create(slug="ours", title="Ours", document=text)
    text = world.document().replace("flag: {name", "template: ours\nflag: {name")

    plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    world.sync()
    world.confirm()
    world.confirm("team")
