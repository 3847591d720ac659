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
    Rejected,
    ServerError,
    Unauthorized,
    Unreachable,
)
from rollouts.gitlab.flag_log import FlagChange
from rollouts.gitlab.rate import Rate
from rollouts.gitlab.records import (
    DefinitionRecord,
    FeatureRecord,
    GateRecord,
    IssueRecord,
    NoteRecord,
    ProjectFlagRecord,
    ProjectRecord,
    StrategyRecord,
    TokenRecord,
)
from rollouts.gitlab.transport import Unchanged

__all__ = [
    "BadAnswer",
    "DefinitionRecord",
    "FeatureRecord",
    "FlagChange",
    "Forbidden",
    "GateRecord",
    "GitLab",
    "GitLabProblem",
    "Gone",
    "IssueRecord",
    "NoteRecord",
    "ProjectFlagRecord",
    "ProjectRecord",
    "Rate",
    "RateLimited",
    "Rejected",
    "ServerError",
    "StrategyRecord",
    "TokenRecord",
    "Unauthorized",
    "Unchanged",
    "Unreachable",
]
