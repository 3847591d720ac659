"""What the tests of plan documents share: the built-in template, DESIGN's example, and a way to see faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import rollouts
from rollouts.rules.document import DocumentRefused, Fault
from rollouts.rules.template_document import parse_template

CODE_SUGGESTIONS = (Path(rollouts.__file__).parent / "plan_templates" / "code_suggestions.yaml").read_text("utf-8")
TEMPLATES = {"code_suggestions": parse_template(CODE_SUGGESTIONS)}

EXAMPLE = """\
rollout: haiku-code-completion           # slug
title: Claude Haiku for code completion
model: {provider: anthropic, id: claude-haiku, host: Vertex AI, capability: code_completion,
        quota: {requests_per_minute: 60000}}
baseline: codestral-2501                  # slug of another AI model, optional
flag: {name: use_claude_code_completion}  # instance flag; or {project: group/app, name: …, environment: production}
template: code_suggestions
workload: {peak_requests_per_minute: 42000}
owners: [alice]
issues:                                   # URLs on a configured instance; missing ones can be created from templates
  rollout_plan: https://gitlab.example.com/acme/app/-/issues/11
  flag_rollout: https://gitlab.example.com/acme/app/-/issues/12
  internal_rollout: https://gitlab.example.com/acme/app/-/issues/13
  internal_feedback: https://gitlab.example.com/acme/app/-/issues/14
phases:
  team: {actors: ["user:alice", "group:acme/code-creation"]}
  company: {groups: [acme_team_members]}
  everyone: {method: percentage, steps: [1, 10, 25, 50, 75, 100], soak: 15m, final_soak: 1d}
"""


def faults_of(read: Callable[..., object], *args: object, **options: object) -> tuple[Fault, ...]:
    """The faults for which a document is refused."""
    with pytest.raises(DocumentRefused) as refused:
        read(*args, **options)
    return refused.value.faults
