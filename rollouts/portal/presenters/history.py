"""Events in words: «mia started Team»."""

from __future__ import annotations

from collections.abc import Iterable

from ...models import AuditEvent
from ...rules.checklist import ANSWER_WORDS
from ...rules.drift_cases import CLASS_WORDS, DriftClass
from ...rules.machine import PHASE_VERBS, ROLLOUT_VERBS
from ...rules.phrases import joined, later, say
from ...services import issues

#: Templates of what else happens, by verb.
DONE = {
    "plan.apply": later("applied the plan of {what}"),
    "template.load": later("loaded the template {what}"),
    "instance.configure": later("configured the GitLab instance {what}"),
    "instance.retire": later("retired the GitLab instance {what}"),
    "instance.take_up": later("took up the GitLab instance {what} again"),
    "flag.import": later("imported the flag {what}"),
    "flag.define": later("read the definition of {what}"),
    "model.import": later("imported the AI model {what}"),
    "model.quota": later("set the quota of {what}"),
    "actor.resolve": later("learned who {what} is"),
    "item.confirm": later("confirmed {what}"),
    "item.unconfirm": later("took back the confirmation of {what}"),
    "reading.enter": later("entered a reading of {what}"),
    "approval.void": later("asks approvers again: what was asked for has changed: {what}"),
    "approval.lapse": later("asks approvers again: an approval no longer counts: {what}"),
    "approval.regain": later("counts approvals again: it is as it was approved: {what}"),
    "approval.carry": later("carried what stands over to this release: {what}"),
    "approval.reminded": later("reminded the approvers: {what}"),
    "approval.escalated": later("told all who may decide that nobody has: {what}"),
    "approval.expire": later("let the request expire: {what}"),
    "override.review": later("reviewed the override: {what}"),
    "feeds.renew": later("made new addresses for the {what}"),
    "feeds.end": later("switched off the {what}"),
    "absence.add": later("said when {what} is away, and who is asked instead"),
    "absence.end": later("said that {what} is not away any more"),
    "admin.add": later("added {what}"),
    "admin.change": later("changed {what}"),
    "admin.delete": later("deleted {what}"),
    "model.retire": later("set the retirement of {what}"),
    "template.save": later("saved the template {what}"),
    "person.forget": later("took the name of somebody who left out of everything: {what}"),
    "person.give_role": later("gave a role to {what}"),
    "person.take_role": later("took a role from {what}"),
    "token.issue": later("issued the API token {what}"),
    "token.revoke": later("revoked the API token {what}"),
    "account.add": later("made the account {what}"),
    "account.change": later("changed the account {what}"),
    "account.delete": later("deleted the account {what}"),
    "account.password": later("set a password of their own"),
    "account.come_in": later("came in by the identity provider"),
    "account.sign_in": later("signed in"),
    "factor.failed": later("refused a second factor after the right password: {what}"),
    "factor.lock_out": later("takes no second factor for a while, after too many wrong codes: {what}"),
    "factor.add": later("added a second factor: {what}"),
    "factor.show": later("showed a second factor"),
    "factor.add_passkey": later("added a passkey: {what}"),
    "factor.remove_passkey": later("removed a passkey of {what}"),
    "factor.remove": later("removed the second factor of {what}"),
    "factor.recovery_used": later("used up a recovery code: {what}"),
    "factor.renew_codes": later("made new recovery codes: {what}"),
    "account.working_hours": later("set the working hours of {what}"),
    "account.end_sessions": later("ended sessions of their own in other browsers"),
    "identity.link": later("connected their account: {what}"),
    "identity.unlink": later("disconnected the account of {what} from the identity provider"),
    "account.sign_out": later("signed out"),
    "account.lock_out": later("locked out for too many wrong passwords: {what}"),
    "account.sign_in_failed": later("refused a wrong password: {what}"),
    "account.sign_in_new": later("found a sign-in by a browser that was new: {what}"),
    "calendar.add": later("added the calendar {what}"),
    "calendar.import": later("took the calendar {what} from a file"),
    "calendar.read": later("read the calendar {what}"),
    "calendar.remove": later("removed the calendar {what}"),
    "incidents.read": later("read the incidents of {what}"),
    "issue.follow": later("followed {what} to where it was moved"),
    "keeping.delete": later("deleted what was past its age"),
    "history.import": later("took up the history of another portal"),
    "keeping.tombstones": later("let go of events that were past their age; a tombstone of each stays"),
    "cleanup.due": later("found that the rollout of {what} is through: its flag is to be removed"),
    "cleanup.overdue": later("found that the clean-up of {what} is overdue"),
    "loose_ends.found": later("found loose ends: {what}"),
    "lock.began": later("found that a change lock began: {what}"),
    "lock.over": later("found that a change lock ended: {what}"),
    "override.open": later("asks for the review of an override: {what}"),
    "override.overdue": later("found that the review of an override is overdue: {what}"),
    "reading.fresh": later("reads {what} again"),
    "reading.stale": later("could not read {what} for a while"),
    "waiver.ends": later("found that a waiver ends within a day: {what}"),
    "token.ends": later("found that an API token ends soon: {what}"),
    "lock.add": later("entered the change lock {what}"),
    "lock.end": later("ended the change lock {what}"),
    "notices.choose": later("chose what to be told: {what}"),
    "notices.follow": later("follows {what}"),
    "notices.mention": later("mentions in GitLab who is asked: {what}"),
    "notices.mute": later("wants to hear nothing of {what}"),
    "notices.unsubscribe": later("took mails of one kind back, by the link in a mail: {what}"),
    "notices.usual": later("neither follows nor mutes any more: {what}"),
    "outbox.cancel": later("cancelled {what}"),
    "outbox.again": later("asked to try again: {what}"),
    "outbox.begin": later("began to write to GitLab: {what}"),
    "outbox.done": later("wrote to GitLab: {what}"),
    "outbox.given_up": later("gave up writing to GitLab: {what}"),
    "project.fold": later("found two names of one project: {what}"),
    "project.learn": later("learned which project {what} is"),
    "project.move": later("followed the project to its new path {what}"),
    "ramp.freed": later("let {what} go on by itself again"),
    "ramp.held": later("held {what}"),
    "phase.unread": later("stopped the clock of the soak of {what} for as long as GitLab was not read"),
    "rollout.reconcile": later("compared {what} with GitLab"),
    "view.keep": later("kept the view {what}"),
    "view.rename": later("renamed the view {what}"),
    "view.remove": later("removed the view {what}"),
    "waiver.ask": later("asked for a waiver: {what}"),
    "waiver.grant": later("granted the waiver: {what}"),
    "waiver.refuse": later("refused the waiver: {what}"),
    "waiver.withdraw": later("withdrew the waiver: {what}"),
    "waiver.end": later("ended the waiver early: {what}"),
    "waiver.over": later("found that a waiver has nothing to let stand any more: {what}"),
    "drift.explain": later("found in GitLab's log who changed the flag: {what}"),
    "drift.restore": later("wants the flag set back: {what}"),
    "waiver.expire": later("let the waiver run out: {what}"),
}

#: What the sentences above say with more than a name; here for lists of what can be looked for.
KINDS = {
    "phase.confirmed": say("found GitLab as planned"),
    "phase.unconfirmed": say("found GitLab not as planned"),
    "phase.unread": say("stopped the clock of a soak"),
    "drift.began": say("found drift"),
    "drift.ended": say("found that the drift has ended"),
    "flag.read": say("read a flag"),
    "metric.measure": say("measured a guard metric"),
    "issue.read": say("read an issue"),
    "item.answer": say("answered a criterion"),
}

#: Rooms of verbs and where changes come from, as lists name them.
SUBJECTS = {
    "absence": say("absences"),
    "actor": say("GitLab users and groups"),
    "admin": say("other changes in the admin"),
    "approval": say("approvals"),
    "calendar": say("calendars"),
    "cleanup": say("clean-up"),
    "drift": say("drift"),
    "factor": say("second factors"),
    "feeds": say("feeds"),
    "flag": say("flags"),
    "incidents": say("incidents"),
    "instance": say("GitLab instances"),
    "issue": say("issues"),
    "item": say("checklist items"),
    "keeping": say("what is past its age"),
    "lock": say("change locks"),
    "loose_ends": say("loose ends"),
    "metric": say("guard metrics"),
    "model": say("AI models"),
    "notices": say("notifications"),
    "outbox": say("writes to GitLab"),
    "override": say("overrides"),
    "person": say("people"),
    "phase": say("phases"),
    "plan": say("plans"),
    "project": say("projects"),
    "ramp": say("ramps"),
    "reading": say("readings by hand"),
    "rollout": say("rollouts"),
    "template": say("templates"),
    "token": say("API tokens"),
    "view": say("kept views"),
    "waiver": say("waivers"),
}
SOURCES = {
    "admin": say("the admin"),
    "api": say("the API"),
    "command": say("a command"),
    "demo": say("the demo"),
    "outbox": say("the outbox"),
    "page": say("a page"),
    "ramp": say("a ramp by itself"),
    "shell": say("a shell"),
    "sync": say("the sync"),
    "webhook": say("a webhook"),
}


def sentence(event: AuditEvent) -> str:
    """What happened, without who: «started All users», «read at 25 % of actors»."""
    return say("{did}", did=_did(event))


def _did(event: AuditEvent) -> str:
    room, _, verb = event.verb.partition(".")
    what, after = event.in_words("object_name"), event.in_words("after")
    if event.verb == "phase.advance":
        return say("advanced {what} to {percentage} %", what=what, percentage=after.get("percentage"))
    if room == "phase" and verb in ("request", "approve", "reject", "withdraw") and after.get("percentage"):
        return PHASE_VERBS[verb].did(say("{what} at {percentage} %", what=what, percentage=after["percentage"]))
    if room == "phase" and verb in PHASE_VERBS:
        return PHASE_VERBS[verb].did(what)
    if room == "rollout" and verb in ROLLOUT_VERBS:
        return ROLLOUT_VERBS[verb].did(what)
    read, plan = after.get("gitlab"), after.get("plan")
    match event.verb:
        case "phase.confirmed":
            at = read or say("what is expected")
            return say("confirmed {what}: GitLab is at {read}", what=what, read=at)
        case "phase.unconfirmed":
            return say("found GitLab at {read}, the plan at {plan}", read=read, plan=plan)
        case "drift.began" if after.get("kind") == DriftClass.REOPENED:
            return say("found an issue open again that had to be closed: {what}", what=joined(after["what"], ", "))
        case "drift.began" if after.get("kind") not in (None, DriftClass.AHEAD, DriftClass.BEHIND):
            words = CLASS_WORDS[DriftClass(after["kind"])]
            return say("found drift, {kind}: GitLab at {read}, the plan at {plan}", kind=words, read=read, plan=plan)
        case "drift.began":
            return say("found drift: GitLab at {read}, the plan at {plan}", read=read, plan=plan)
        case "drift.ended":
            return say("found that the drift has ended")
        case "flag.read":
            return say("read {what}: {read}", what=what, read=after.get("read", ""))
        case "metric.measure":
            if after.get("baseline"):
                return say("measured {what}: {read}, the baseline {baseline}", what=after.get("metric"),
                           read=after.get("read", ""), baseline=after["baseline"])  # fmt: skip
            return say("measured {what}: {read}", what=after.get("metric"), read=after.get("read", ""))
        case "item.answer":
            answer = ANSWER_WORDS.get(after.get("answer"), "")
            return say("answered {answer}: {what}", answer=answer, what=what)
        case "issue.read":
            if after.get("found") is False:
                return say("no longer found {what}", what=what)
            state = after.get("state")
            return (
                say("read {what}: {read}", what=what, read=issues.STATES.get(state, state))
                if state
                else say("read {what}", what=what)
            )
    if event.verb in DONE:
        return say(DONE[event.verb], what=what)
    return joined([event.verb, what])


def kind(verb: str) -> str:
    """What a verb means, for a list to choose from: «started …»."""
    room, _, name = verb.partition(".")
    if verb in KINDS:
        return KINDS[verb]
    if room == "phase" and name in PHASE_VERBS:
        return PHASE_VERBS[name].did("…")
    if room == "rollout" and name in ROLLOUT_VERBS:
        return ROLLOUT_VERBS[name].did("…")
    return say(DONE[verb], what="…") if verb in DONE else verb


def kinds(verbs: Iterable[str]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Verbs to choose from by what they are about: (room, its words, [(verb, its words)])."""
    rooms: dict[str, list[tuple[str, str]]] = {}
    for verb in sorted(verbs):
        rooms.setdefault(verb.partition(".")[0], []).append((verb, kind(verb)))
    return [(room, SUBJECTS.get(room, room), found) for room, found in rooms.items()]


def who(event: AuditEvent) -> str:
    """The actor as a page names it: the sync is GitLab's voice."""
    return say("The portal") if event.actor_kind == AuditEvent.ActorKind.JOB else event.actor


def event_line(event: AuditEvent) -> str:
    """The whole of it, for who does not see where it happened: «Claude Haiku: mia started All users»."""
    event_words = say("{who} {did}", who=who(event), did=sentence(event))
    return say("{rollout}: {deed}", rollout=event.rollout.title, deed=event_words) if event.rollout else event_words
