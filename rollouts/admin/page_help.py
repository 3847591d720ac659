"""What each list is, in a sentence or two over it; how it is called; and what an empty one means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

#: Numbers are looked up where they are said, not where this is read.
setting = lazy(lambda name: str(getattr(settings, name)), str)


@dataclass(frozen=True, slots=True)
class PageHelp:
    """``title`` where the model's own name is not the portal's word for it."""

    about: Any
    when_empty: Any = ""
    title: Any = ""


#: By the model's class name.
OF = {
    "Rollout": PageHelp(
        _("One AI model going live behind one flag, according to a plan. Open one for its phases, ramp and checklist."),
        _("A rollout is made from a plan: New rollout on the portfolio."),
    ),
    "Phase": PageHelp(
        _("One audience of a rollout. Who will see the model is edited while a phase is planned, not after."),
        _("Phases come with a rollout."),
    ),
    "ChecklistItem": PageHelp(
        _("One prerequisite each. Automatic ones check themselves; the others are confirmed with evidence."),
        _("Items come with a rollout, from its template."),
    ),
    "ApprovalRequest": PageHelp(
        _("Who asked for which start or step, and who said yes. Open one that waits to answer it."),
        _("Nobody has asked for anything yet."),
    ),
    "Override": PageHelp(
        format_lazy(
            _("Blockers that an admin passed, with the reason. A second person reviews each within {days} days."),
            days=setting("OVERRIDE_REVIEW_DAYS"),
        ),
        _("No blocker was ever passed."),
    ),
    "Waiver": PageHelp(
        _("What rollouts go on without: who asked, who granted it, until when. Asked for on a rollout’s page."),
        _("Nobody has asked for a waiver yet."),
    ),
    "DriftCase": PageHelp(
        _("In which way GitLab stood elsewhere than the plan, since when, whose it is, how it ended."),
        _("GitLab has always been as planned."),
    ),
    "ChangeLock": PageHelp(
        _("Periods in which no flag may reach more people. They are entered on the page Locks."),
        _("No change lock was entered."),
    ),
    "LockCalendar": PageHelp(
        _("iCalendar files whose events lock changes. They are added on the page Locks."),
        _("No calendar locks changes."),
    ),
    "IncidentSource": PageHelp(
        _("GitLab projects whose open issues with these labels lock changes: incidents, changes in progress."),
        _("No incidents are watched. Add the project in which yours are filed."),
    ),
    "ChatRoom": PageHelp(
        _("Chats that are told of rollouts. Their addresses are secrets of the environment: NOTIFY_URLS names them."),
        _("No chat is told. Name one in NOTIFY_URLS, then choose here what it is told."),
    ),
    "AIModel": PageHelp(
        _("What is rolled out, and what it replaces: provider, host, what it can carry, when it ends."),
        _("Import the AI Gateway's catalogue, or apply a plan: it brings its models along."),
    ),
    "PlanTemplate": PageHelp(
        _("Phases, ramp, checklist and approvals that a new rollout begins with. The built-in one carries the guide."),
    ),
    "GitLabInstance": PageHelp(
        _("Where flags and issues are read. Addresses and secrets are the environment's; no secret is stored."),
    ),
    "GitLabProject": PageHelp(
        _("Projects whose issues or flags are followed, and how reading them last ended."),
        _("Projects come with the issues and flags of plans."),
    ),
    "FeatureFlag": PageHelp(
        _("Flags as GitLab has them and as its code defines them. What was read is never edited."),
        _("Flags come with plans, with manage.py flags import, and with reading GitLab."),
    ),
    "FlagReading": PageHelp(
        _("What GitLab said of a flag, kept when it differs from the reading before."), _("Nothing was read yet.")
    ),
    "TrackedIssue": PageHelp(
        _("Issues that the portal follows. What a confidential one says is seen only with a role for it."),
        _("Issues come with plans, or are added here by project and number."),
    ),
    "GitLabActor": PageHelp(
        _("People, groups and projects that plans name, and what GitLab calls them in a flag's gates."),
        _("Actors come with plans."),
    ),
    "MetricSample": PageHelp(
        format_lazy(
            _("Values of guard metrics as they were told, or read from Prometheus. Kept for {days} days."),
            days=setting("KEEP_SAMPLES_DAYS"),
        ),
        _("No value was told or read yet."),
        _("Values of guard metrics"),
    ),
    "SyncRun": PageHelp(
        format_lazy(
            _("Passes of reading GitLab: what was asked, what was found, what failed. Kept for {days} days."),
            days=setting("KEEP_SYNC_RUNS_DAYS"),
        )
    ),
    "GitLabWrite": PageHelp(
        _("What the portal owes to GitLab: notes, issues, gates. Each is done exactly once, in order."),
        _("Nothing was ever owed: GITLAB_WRITES is off, or nothing happened yet."),
        _("Writes to GitLab"),
    ),
    "User": PageHelp(
        _("People keep their user name, for history goes by it, and are switched off instead of deleted."),
        "",
        _("People"),
    ),
    "Group": PageHelp(
        _("The roles. Give them on the list of people; what each may do stands in the guide."), "", _("Roles")
    ),
    "ApiToken": PageHelp(
        _("Tokens of scripts, by person. A token's text is nowhere; people make their own, on their account's page."),
        _("Nobody has a token. Everybody makes their own on the page of their account."),
    ),
    "FeedKey": PageHelp(
        _("Who reads calendars and feeds of the portal by an address of their own; an ended one answers no more."),
        _("Nobody has a feed. Everybody makes their own on the timeline."),
    ),
    "AccessAttempt": PageHelp(
        _("Wrong passwords, while they count. Deleting its rows opens a name or an address that is locked at once."),
        _("No wrong password lately."),
        _("Failed sign-ins"),
    ),
    "AuditEvent": PageHelp(
        _("Who did what, when, from where and why. Nobody changes a row: the database itself refuses."),
        "",
        _("History"),
    ),
}
NONE = PageHelp("")


def of(model: Any) -> PageHelp:
    return OF.get(model._meta.object_name, NONE)
