"""Events in words: «mia started Team»."""

from __future__ import annotations

from ...models import AuditEvent
from ...rules.machine import PHASE_VERBS, ROLLOUT_VERBS

DONE = {
    "plan.apply": "applied the plan of",
    "template.load": "loaded the template",
    "instance.configure": "configured the GitLab instance",
    "flag.import": "imported the flag",
    "flag.define": "read the definition of",
    "model.import": "imported the AI model",
    "model.quota": "set the quota of",
    "actor.resolve": "learned who is",
    "item.confirm": "confirmed",
    "item.unconfirm": "took back the confirmation of",
    "reading.enter": "entered a reading of",
    "approval.void": "asks approvers again: what was asked for has changed:",
    "approval.lapse": "asks approvers again: an approval no longer counts:",
    "approval.expire": "let the request expire:",
    "override.review": "reviewed the override:",
    "model.retire": "set the retirement of",
    "template.save": "saved the template",
    "person.give_role": "gave a role to",
    "person.take_role": "took a role from",
    "token.issue": "issued the API token",
    "token.revoke": "revoked the API token",
    "lock.end": "ended the change lock",
    "outbox.cancel": "cancelled",
    "outbox.again": "asked to try again:",
    "admin.add": "added",
    "admin.change": "changed",
    "admin.delete": "deleted",
}


def sentence(event: AuditEvent) -> str:
    """What happened, without who: «started All users», «read at 25 % of actors»."""
    room, _, verb = event.verb.partition(".")
    if event.verb == "phase.advance":
        return f"advanced {event.object_name} to {event.after.get('percentage')} %"
    if room == "phase" and verb in ("request", "approve", "reject", "withdraw") and event.after.get("percentage"):
        return f"{PHASE_VERBS[verb].past} {event.object_name} at {event.after['percentage']} %"
    if room == "phase" and verb in PHASE_VERBS:
        return f"{PHASE_VERBS[verb].past} {event.object_name}"
    if room == "rollout" and verb in ROLLOUT_VERBS:
        return f"{ROLLOUT_VERBS[verb].past} {event.object_name}"
    match event.verb:
        case "phase.confirmed":
            return f"confirmed {event.object_name}: GitLab is at {event.after.get('gitlab', 'what is expected')}"
        case "phase.unconfirmed":
            return f"found GitLab at {event.after.get('gitlab')}, the plan at {event.after.get('plan')}"
        case "drift.began":
            return f"found drift: GitLab at {event.after.get('gitlab')}, the plan at {event.after.get('plan')}"
        case "drift.ended":
            return "found that the drift has ended"
        case "flag.read":
            return f"read {event.object_name}: {event.after.get('read', '')}"
        case "issue.read":
            if event.after.get("found") is False:
                return f"no longer found {event.object_name}"
            state = event.after.get("state")
            return f"read {event.object_name}" + (f": {state}" if state else "")
    return f"{DONE.get(event.verb, event.verb)} {event.object_name}"


def who(event: AuditEvent) -> str:
    """The actor as a page names it: the sync is GitLab's voice."""
    return "The portal" if event.actor_kind == AuditEvent.ActorKind.JOB else event.actor


def told(event: AuditEvent) -> str:
    """The whole of it, for who does not see where it happened: «Claude Haiku: mia started All users»."""
    about = f"{event.rollout.title}: " if event.rollout else ""
    return f"{about}{who(event)} {sentence(event)}"
