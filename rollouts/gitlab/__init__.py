"""The only door to GitLab: python-gitlab inside, our own frozen records and errors outside.

Nothing past this package knows python-gitlab, HTTP codes or header names; this package knows nothing of ours.
"""

from rollouts.gitlab.client import GitLab
from rollouts.gitlab.errors import (
    BadAnswer,
    Forbidden,
    GitLabProblem,
    Gone,
    RateLimited,
    ServerError,
    Unauthorized,
    Unreachable,
)
from rollouts.gitlab.issue_url import IssueRef, parse_issue_url
from rollouts.gitlab.records import (
    DefinitionRecord,
    FeatureRecord,
    GateRecord,
    IssueRecord,
    ProjectFlagRecord,
    StrategyRecord,
)

__all__ = [
    "BadAnswer",
    "DefinitionRecord",
    "FeatureRecord",
    "Forbidden",
    "GateRecord",
    "GitLab",
    "GitLabProblem",
    "Gone",
    "IssueRecord",
    "IssueRef",
    "ProjectFlagRecord",
    "RateLimited",
    "ServerError",
    "StrategyRecord",
    "Unauthorized",
    "Unreachable",
    "parse_issue_url",
]
