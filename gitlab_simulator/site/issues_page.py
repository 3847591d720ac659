"""Issues on the simulator's page, and the page of one issue, where the portal's links lead."""

from __future__ import annotations

from typing import Any

from gitlab_simulator.issues import notes_count, tasks_of
from gitlab_simulator.site.html import Safe, button, field, form, page, tag
from gitlab_simulator.state import State

SHOWN = 200


def section(state: State, search: str) -> Safe:
    """Issues of every project (the first 200 that match), with the switches that are used most."""
    matching = [
        (project, issue)
        for project_id, project in state.table("projects").items()
        for issue in state.issues_of(project_id)
        if search.lower() in f"{project['path_with_namespace']}#{issue['iid']} {issue['title']}".lower()
    ]
    find = tag(
        "form",
        field("q", "Find issues", type="search", value=search or None),
        button("Find"),
        method="get",
        action="/",
        class_="inline",
    )
    projects = [row["path_with_namespace"] for row in state.table("projects").values()]
    add = form(
        "issue/add",
        {},
        field("project", "group/project", required=True, list="projects", size=18),
        field("title", "title of a new issue", required=True, size=28),
        button("Add issue", class_="main"),
        tag("datalist", [tag("option", value=path) for path in projects], id="projects"),
    )
    rows = [_row(project, issue) for project, issue in matching[:SHOWN]]
    head = tag("tr", [tag("th", words, scope="col") for words in ("Issue", "State", "Tasks", "Notes", "Change")])
    more = len(matching) > SHOWN and tag("p", f"{len(matching) - SHOWN} more: search for them.", class_="muted")
    table = tag("div", tag("table", tag("thead", head), tag("tbody", rows)), class_="scroll")
    return tag(
        "section",
        tag("h2", f"Issues ({len(matching)})"),
        tag(
            "div",
            tag("div", find, add, class_="row"),
            table if rows else tag("p", "None.", class_="muted"),
            more,
            class_="cards",
        ),
        id="issues",
    )


def _row(project: dict[str, Any], issue: dict[str, Any]) -> Safe:
    path = project["path_with_namespace"]
    tasks = tasks_of(issue)
    done = sum(ticked for ticked, _ in tasks)
    name = f"{path}#{issue['iid']}"
    return tag(
        "tr",
        tag(
            "td",
            tag("a", issue["title"], href=address(path, issue["iid"])),
            tag("br"),
            tag("code", name, class_="muted"),
        ),
        tag("td", _pills(issue)),
        tag("td", f"{done} of {len(tasks)}" if tasks else "–", class_="num"),
        tag("td", notes_count(issue), class_="num"),
        tag("td", tag("div", switches(project, issue, "/#issues"), class_="row")),
    )


def one(state: State, project: dict[str, Any], issue: dict[str, Any]) -> bytes:
    """The page of one issue."""
    path, here = project["path_with_namespace"], address(project["path_with_namespace"], issue["iid"])
    which = {"project": project["id"], "iid": issue["iid"]}
    tasks = [
        tag(
            "li",
            form(
                "issue/task",
                which | {"index": index},
                button("☑" if done else "☐", label=f"{'Untick' if done else 'Tick'}: {words}", class_="quiet"),
                words,
                back=here,
            ),
        )
        for index, (done, words) in enumerate(tasks_of(issue))
    ]
    people = ", ".join(issue["assignees"]) or "nobody"
    details = tag("p", f"{path}#{issue['iid']} · by {issue['author']} · assigned to {people}", class_="muted")
    edit = form(
        "issue/set",
        which,
        tag("label", "Title ", field("title", "title", value=issue["title"], required=True, size=50)),
        tag("label", "Labels ", field("labels", "a, b", value=", ".join(issue["labels"]), size=50)),
        tag("label", "Assignees ", field("assignees", "user names", value=", ".join(issue["assignees"]), size=50)),
        tag("label", "Description", tag("textarea", issue["description"] or "", name="description", rows=8)),
        tag("div", button("Save", class_="main")),
        back=here,
        class_="tall",
    )
    notes = [
        tag(
            "article",
            tag(
                "div",
                tag("b", note["author"]),
                tag("span", note["created_at"], class_="muted num"),
                note["internal"] and tag("span", "internal", class_="pill confidential"),
                class_="row",
            ),
            tag("pre", note["body"]),
            class_="card",
        )
        for note in issue["notes"]
    ]
    comment = form(
        "issue/note",
        which,
        tag("textarea", name="body", aria_label="Comment", required=True),
        tag("div", button("Comment", class_="main")),
        back=here,
        class_="tall",
    )
    return page(
        issue["title"],
        tag(
            "div",
            tag("h1", issue["title"]),
            details,
            tag(
                "div",
                _pills(issue),
                [tag("span", label, class_="pill") for label in issue["labels"]],
                tag("span", switches(project, issue, here), class_="end row"),
                class_="row",
            ),
        ),
        tag(
            "section", tag("h2", "Description"), tag("div", tag("pre", issue["description"] or "None."), class_="card")
        ),
        tasks and tag("section", tag("h2", "Tasks"), tag("ul", tasks, class_="card tasks")),
        tag("section", tag("h2", f"Notes ({notes_count(issue)})"), tag("div", notes, comment, class_="cards")),
        tag("details", tag("summary", "Edit"), edit, class_="card"),
    )


def switches(project: dict[str, Any], issue: dict[str, Any], back: str) -> list[Safe]:
    which = {"project": project["id"], "iid": issue["iid"]}
    name = f"#{issue['iid']}"
    opened, secret = issue["state"] == "opened", issue["confidential"]
    return [
        form(
            "issue/set",
            which | {"state": "closed" if opened else "opened"},
            button("Close" if opened else "Reopen", label=f"{'Close' if opened else 'Reopen'} {name}"),
            back=back,
        ),
        form(
            "issue/set",
            which | {"confidential": "" if secret else "true"},
            button(
                "Make public" if secret else "Make confidential",
                label=f"Make {name} {'public' if secret else 'confidential'}",
            ),
            back=back,
        ),
        form("issue/delete", which, button("Delete", label=f"Delete {name}", class_="quiet stop"), back="/#issues"),
    ]


def address(path: str, iid: int) -> str:
    return f"/{path}/-/issues/{iid}"


def _pills(issue: dict[str, Any]) -> list[Any]:
    secret = issue["confidential"] and tag("span", "confidential", class_="pill confidential")
    return [tag("span", issue["state"], class_=f"pill {issue['state']}"), " ", secret]
