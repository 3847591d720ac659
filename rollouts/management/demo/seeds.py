"""What stands in the simulated GitLab before the story begins: people, a project, issues, flag definitions."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from gitlab_simulator import Simulator
from rollouts.rules.definitions import FlagDefinition, parse_definition

HERE = Path(__file__).parent
PROJECT = "acme/code-suggestions"
#: Where ChatOps logs each change of a flag.
FLAG_LOG = "acme/feature-flag-log"
#: First issue number of each rollout and what it is about.
SUBJECTS = {
    11: "Claude Haiku 4.5 for code completion",
    21: "Codestral 25.08 over the v4 endpoint",
    31: "Claude Sonnet 4.6 for Duo Code Review",
    41: "Claude Haiku 4.5 as fail-over for completion",
    51: "Gemini 2.5 Flash as fail-over for generation",
    61: "Claude Sonnet 4.6 among the default models",
    71: "GPT-5 for agentic chat",
}
TASKS = (
    "- [x] Prompt reviewed\n- [x] Post-processing reviewed\n- [x] Dashboards\n- [ ] Runbook\n- [ ] Announcement text\n"
)


def definitions() -> list[FlagDefinition]:
    """The demo's flags, as GitLab's code defines them."""
    return [parse_definition(path.read_bytes(), source=str(path)) for path in sorted((HERE / "flags").glob("*.yml"))]


def plans() -> dict[str, str]:
    """The demo's plan documents by slug; ``GITLAB`` stands for the instance's address."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted((HERE / "plans").glob("*.yaml"))}


def seed(gitlab: Simulator, now: datetime) -> None:
    """Fill an empty simulated GitLab; issues are three weeks old."""
    opened = (now - timedelta(days=22)).strftime("%Y-%m-%dT%H:%M:%SZ")
    state = gitlab.state
    with state.change():
        for name in ("mia", "kim", "alice", "vic", "jrivera"):
            state.add_user(name)
        state.add_group("acme/ai-coding")
        state.add_project(PROJECT)
        state.add_project(FLAG_LOG)
        for definition in definitions():
            state.add_flag_definition(
                definition.name,
                type=definition.type,
                group=definition.group,
                milestone=definition.milestone,
                default_enabled=definition.default_enabled,
                introduced_by_url=definition.introduced_by_url or None,
                rollout_issue_url=definition.rollout_issue_url or None,
            )
        for first, subject in SUBJECTS.items():
            is_closed = "closed" if first == 71 else "opened"
            state.add_issue(
                PROJECT,
                f"Rollout plan: {subject}",
                iid=first,
                confidential=True,
                description=TASKS,
                assignees=["mia"],
                labels=["AI Model Migration"],
                created_at=opened,
            )
            state.add_issue(
                PROJECT,
                f"[Feature flag] Rollout of {subject}",
                iid=first + 1,
                labels=["feature flag"],
                assignees=["kim"],
                created_at=opened,
            )
            state.add_issue(PROJECT, f"Internal rollout: {subject}", iid=first + 2, state=is_closed, created_at=opened)
            state.add_issue(
                PROJECT, f"Internal feedback: {subject}", iid=first + 3, notes_count=first // 2, created_at=opened
            )
