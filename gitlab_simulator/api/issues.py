"""``/projects/:id/issues`` and their notes (GitLab lib/api/issues.rb, lib/api/notes.rb)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from gitlab_simulator import quick_actions
from gitlab_simulator.api.exchange import Answer, Asked
from gitlab_simulator.api.people import person
from gitlab_simulator.issues import awards_of, note_of, notes_count, tasks_of
from gitlab_simulator.store import Refused

ORDERS = ("created_at", "updated_at", "due_date", "title", "id", "relative_position", "priority", "weight")
LONGEST = 1_000_000  # characters of a description or a note


def listed(asked: Asked, project: str) -> Answer:
    found = asked.visit(project)
    asked.choice("scope", ("created_by_me", "assigned_to_me", "all", "created-by-me", "assigned-to-me"), "all")
    rows = [issue for issue in _candidates(asked, found["id"]) if _visible(asked, issue)]
    for keep in _filters(asked):
        rows = [issue for issue in rows if keep(issue)]
    order = asked.choice("order_by", ORDERS, "created_at")
    order = order if order in ("created_at", "updated_at", "due_date", "title", "id") else "created_at"
    backwards = asked.choice("sort", ("asc", "desc"), "desc") == "desc"
    rows.sort(key=lambda issue: (str(issue[order] or ""), issue["id"]), reverse=backwards)
    return asked.page_of(rows, lambda issue: shown(asked, found, issue))


def by_id(asked: Asked, issue_id: str) -> Answer:
    asked.sign_in()
    if not asked.caller.is_admin:
        raise Refused.message(403, "403 Forbidden")
    issue = asked.state.issue_by_id(int(issue_id) if issue_id.isdigit() else 0)
    return Answer(shown(asked, asked.state.project(issue["project_id"]), issue))


def one(asked: Asked, project: str, iid: str) -> Answer:
    found, issue = _issue(asked, project, iid)
    return Answer(shown(asked, found, issue) | {"subscribed": False})


def creation(asked: Asked, project: str) -> Answer:
    found = asked.visit(project)
    title = asked.text("title")
    if title is None:
        raise Refused.error("title is missing")
    _check_title(title)
    user = asked.caller.user or {}
    iid = asked.number("iid", 0) if asked.caller.is_admin else 0
    asked_for = _changes(asked)
    described = asked_for.get("description") or ""
    if described:
        asked_for["description"], _ = quick_actions.extract(described)
    number = asked.state.add_issue(found["id"], title, iid or None, author=user["username"], **asked_for)
    asked.state.obey(found["id"], number, described, user["username"], allowed=asked.caller.develops, new=True)
    return Answer(shown(asked, found, asked.state.issue(found["id"], number)) | {"subscribed": True}, 201)


def change(asked: Asked, project: str, iid: str) -> Answer:
    found, issue = _issue(asked, project, iid)
    if not asked.caller.develops:
        raise Refused.message(403, "403 Forbidden")
    changes = _changes(asked)
    title = asked.text("title")
    if title is not None:
        _check_title(title)
        changes["title"] = title
    labels = set(issue["labels"])
    if asked.listed("add_labels") or asked.listed("remove_labels"):
        kept = [label for label in issue["labels"] if label not in asked.listed("remove_labels")]
        changes["labels"] = kept + [label for label in asked.listed("add_labels") if label not in labels]
    event = asked.choice("state_event", ("close", "reopen"), "")
    if event:
        changes["state"] = "closed" if event == "close" else "opened"
    if not changes:
        raise Refused.error("at least one parameter must be provided")
    by = (asked.caller.user or {})["username"]
    if changes.get("description"):
        changes["description"], _ = asked.state.obey(found["id"], issue["iid"], changes["description"], by)
    changed = asked.state.set_issue(found["id"], issue["iid"], by=by, **changes)
    return Answer(shown(asked, found, changed) | {"subscribed": True})


def deletion(asked: Asked, project: str, iid: str) -> Answer:
    found, issue = _issue(asked, project, iid)
    if not asked.caller.is_admin:
        raise Refused.message(403, "403 Forbidden")
    asked.state.delete_issue(found["id"], issue["iid"])
    return Answer(status=204)


def notes(asked: Asked, project: str, iid: str) -> Answer:
    found, issue = _issue(asked, project, iid)
    kind = asked.choice("activity_filter", ("all_notes", "only_comments", "only_activity"), "all_notes")
    rows = [
        note
        for note in issue["notes"]
        if (not note["internal"] or asked.caller.sees_confidential)
        and (kind == "all_notes" or note["system"] == (kind == "only_activity"))
    ]
    order = asked.choice("order_by", ("created_at", "updated_at"), "created_at")
    backwards = asked.choice("sort", ("asc", "desc"), "desc") == "desc"
    rows.sort(key=lambda note: (note[order], note["id"]), reverse=backwards)
    return asked.page_of(rows, lambda note: _note(asked, found, issue, note))


def comment(asked: Asked, project: str, iid: str) -> Answer:
    found, issue = _issue(asked, project, iid)
    body = asked.text("body")
    if body is None:
        raise Refused.error("body is missing")
    if not body.strip():
        raise Refused.message(400, '400 Bad request - Note {:note=>["can\'t be blank"]}')
    if len(body) > LONGEST:
        raise Refused.message(400, '400 Bad request - Note {:note=>["is too long (maximum is 1000000 characters)"]}')
    internal = bool(asked.flag("internal") or asked.flag("confidential"))
    author = (asked.caller.user or {})["username"]
    body, made = asked.state.obey(found["id"], issue["iid"], body, author, allowed=asked.caller.develops)
    if not body.strip():  # nothing but commands: GitLab keeps no note
        return Answer({"commands_changes": made.fields, "summary": made.summary}, 202)
    note = asked.state.add_note(found["id"], issue["iid"], body, author=author, internal=internal)
    return Answer(_note(asked, found, issue, note) | {"commands_changes": made.fields}, 201)


def awards(asked: Asked, project: str, iid: str, note: str = "") -> Answer:
    """Emoji of an issue or a comment (lib/api/award_emoji.rb), the newest first."""
    _, issue = _issue(asked, project, iid)
    about = _readable_note(asked, issue, note) if note else issue
    of = ("Note", about["id"]) if note else ("Issue", issue["id"])
    return asked.page_of(awards_of(about)[::-1], lambda one: _award(asked, one, *of))


def award(asked: Asked, project: str, iid: str, note: str = "") -> Answer:
    found, issue = _issue(asked, project, iid)
    name = asked.text("name")
    if name is None:
        raise Refused.error("name is missing")
    number = _readable_note(asked, issue, note)["id"] if note else None
    by = (asked.caller.user or {})["username"]
    made = asked.state.react(found["id"], issue["iid"], name, by=by, note=number)
    _, issue = _issue(asked, project, iid)
    about = note_of(issue, number) if number else issue
    (one,) = [each for each in awards_of(about) if each["id"] == made]
    return Answer(_award(asked, one, "Note" if number else "Issue", about["id"]), 201)


def _readable_note(asked: Asked, issue: dict[str, Any], number: str) -> dict[str, Any]:
    note = note_of(issue, int(number) if number.isdigit() else 0)
    if note["internal"] and not asked.caller.sees_confidential:
        raise Refused.message(404, "404 Not found")
    return note


def _award(asked: Asked, award: dict[str, Any], kind: str, number: int) -> dict[str, Any]:
    return {
        "id": award["id"],
        "name": award["name"],
        "user": person(asked, asked.state.user_named(award["user"])),
        "created_at": award["created_at"],
        "updated_at": award["created_at"],
        "awardable_id": number,
        "awardable_type": kind,
        "url": None,
    }


def shown(asked: Asked, project: dict[str, Any], issue: dict[str, Any]) -> dict[str, Any]:
    """An issue as the API shows it (lib/api/entities/issue.rb)."""
    state, iid, path = asked.state, issue["iid"], project["path_with_namespace"]
    assignees = [person(asked, state.user_named(name)) for name in issue["assignees"]]
    tasks = tasks_of(issue)
    done = sum(ticked for ticked, _ in tasks)
    api = f"{asked.base_url}/api/v4/projects/{issue['project_id']}"
    seconds = {"time_estimate": 0, "total_time_spent": 0, "human_time_estimate": None, "human_total_time_spent": None}
    body = {
        "id": issue["id"],
        "iid": iid,
        "project_id": issue["project_id"],
        "title": issue["title"],
        "description": issue["description"],
        "state": issue["state"],
        "created_at": issue["created_at"],
        "updated_at": issue["updated_at"],
        "closed_at": issue["closed_at"],
        "closed_by": person(asked, state.user_named(issue["closed_by"])) if issue["closed_by"] else None,
        "labels": sorted(issue["labels"]),
        "milestone": None,
        "assignees": assignees,
        "author": person(asked, state.user_named(issue["author"])),
        "type": issue["issue_type"].upper(),
        "assignee": assignees[0] if assignees else None,
        "user_notes_count": notes_count(issue),
        "merge_requests_count": 0,
        "upvotes": sum(one["name"] == "thumbsup" for one in awards_of(issue)),
        "downvotes": sum(one["name"] == "thumbsdown" for one in awards_of(issue)),
        "start_date": None,
        "due_date": issue["due_date"],
        "confidential": issue["confidential"],
        "discussion_locked": issue.get("discussion_locked"),
        "issue_type": issue["issue_type"],
        "web_url": f"{asked.base_url}/{path}/-/issues/{iid}",
        "time_stats": seconds,
        "task_completion_status": {"count": len(tasks), "completed_count": done},
        "has_tasks": not tasks,  # inverted in GitLab's code, so here as well
        "references": {"short": f"#{iid}", "relative": f"#{iid}", "full": f"{path}#{iid}"},
        "severity": "UNKNOWN",
        "moved_to_id": issue["moved_to_id"],
        "imported": False,
        "imported_from": "none",
        "_links": {
            "self": f"{api}/issues/{iid}",
            "notes": f"{api}/issues/{iid}/notes",
            "award_emoji": f"{api}/issues/{iid}/award_emoji",
            "project": api,
            "closed_as_duplicate_of": None,
        },
    }
    if not tasks:
        body["task_status"] = "0 of 0 checklist items completed"
    return body


def _candidates(asked: Asked, project_id: int) -> list[dict[str, Any]]:
    """By number straight from the table where ``iids[]`` is given: the usual question, and a quick one."""
    table = asked.state.table("issues", project_id)
    if "iids" not in asked.query and "iids" not in asked.body:
        return list(table.values())
    iids = asked.listed("iids")
    if any(not iid.isdigit() for iid in iids):
        raise Refused.error("iids is invalid")
    return [table[str(int(iid))] for iid in dict.fromkeys(iids) if str(int(iid)) in table]


def _filters(asked: Asked) -> list[Callable[[dict[str, Any]], bool]]:
    filters: list[Callable[[dict[str, Any]], bool]] = []
    state = asked.choice("state", ("opened", "closed", "all"), "all")
    if state != "all":
        filters.append(lambda issue: issue["state"] == state)
    labels = set(asked.listed("labels"))
    if labels in ({"None"}, {"Any"}):
        filters.append(lambda issue: bool(issue["labels"]) == (labels == {"Any"}))
    elif labels:
        filters.append(lambda issue: labels <= set(issue["labels"]))
    confidential = asked.flag("confidential")
    if confidential is not None:
        filters.append(lambda issue: issue["confidential"] == confidential)
    if asked.get("search"):
        wanted = str(asked.get("search")).lower()
        places = [place for place in ("title", "description") if place in (asked.listed("in") or (place,))]
        filters.append(lambda issue: any(wanted in (issue[place] or "").lower() for place in places))
    if asked.get("author_username"):
        filters.append(lambda issue: issue["author"] == asked.get("author_username"))
    if asked.listed("assignee_username"):
        filters.append(lambda issue: set(asked.listed("assignee_username")) <= set(issue["assignees"]))
    for field in ("updated", "created"):
        filters += _between(asked, field)
    return filters


def _between(asked: Asked, field: str) -> list[Callable[[dict[str, Any]], bool]]:
    after, before = asked.moment(f"{field}_after"), asked.moment(f"{field}_before")
    filters: list[Callable[[dict[str, Any]], bool]] = []
    if after is not None:  # "on or after"
        filters.append(lambda issue: datetime.fromisoformat(issue[f"{field}_at"]) >= after)
    if before is not None:
        filters.append(lambda issue: datetime.fromisoformat(issue[f"{field}_at"]) <= before)
    return filters


def _issue(asked: Asked, project: str, iid: str) -> tuple[dict[str, Any], dict[str, Any]]:
    found = asked.visit(project)
    issue = asked.state.issue(found["id"], iid)
    if not _visible(asked, issue):
        raise Refused.message(404, "404 Not found")  # not 403: that would tell that it is there
    return found, issue


def _visible(asked: Asked, issue: dict[str, Any]) -> bool:
    user = (asked.caller.user or {}).get("username")
    return not issue["confidential"] or asked.caller.sees_confidential or user in (issue["author"], *issue["assignees"])


def _changes(asked: Asked) -> dict[str, Any]:
    changes: dict[str, Any] = {name: asked.text(name) for name in asked.given("description", "due_date")}
    if len(changes.get("description") or "") > LONGEST:
        raise Refused.message(400, {"description": [f"is too long (maximum is {LONGEST} characters)"]})
    if asked.get("issue_type") is not None:
        changes["issue_type"] = asked.choice("issue_type", quick_actions.TYPES, "issue")
    if asked.flag("confidential") is not None:
        changes["confidential"] = asked.flag("confidential")
    if "labels" in asked.body or "labels" in asked.query:
        changes["labels"] = asked.listed("labels")
    if "assignee_ids" in asked.body or "assignee_ids" in asked.query:
        users = asked.state.table("users")
        changes["assignees"] = [users[one]["username"] for one in asked.listed("assignee_ids") if one in users]
    return changes


def _check_title(title: str) -> None:
    if not title.strip():
        raise Refused.message(400, {"title": ["can't be blank"]})
    if len(title) > 255:
        raise Refused.message(400, {"title": ["is too long (maximum is 255 characters)"]})


def _note(asked: Asked, project: dict[str, Any], issue: dict[str, Any], note: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": note["id"],
        "type": None,
        "body": note["body"],
        "author": person(asked, asked.state.user_named(note["author"])),
        "created_at": note["created_at"],
        "updated_at": note["updated_at"],
        "system": note["system"],
        "noteable_id": issue["id"],
        "noteable_type": "Issue",
        "project_id": project["id"],
        "resolvable": False,
        "confidential": note["internal"],
        "internal": note["internal"],
        "imported": False,
        "imported_from": "none",
        "noteable_iid": issue["iid"],
        "commands_changes": {},
    }
