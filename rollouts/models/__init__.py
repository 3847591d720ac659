"""What is stored. The state machine sits on Phase and Rollout; their guards are in ``rules``."""

from .catalogue import AIModel, PlanTemplate
from .flags import FeatureFlag, FlagReading
from .gitlab import GitLabActor, GitLabInstance, GitLabProject, Outcome, SyncRun, TrackedIssue
from .history import AuditEvent
from .phases import ChecklistItem, Phase, RampStep
from .rollouts import Rollout, RolloutIssue
from .tokens import ApiToken

__all__ = [
    "AIModel",
    "ApiToken",
    "AuditEvent",
    "ChecklistItem",
    "FeatureFlag",
    "FlagReading",
    "GitLabActor",
    "GitLabInstance",
    "GitLabProject",
    "Outcome",
    "Phase",
    "PlanTemplate",
    "RampStep",
    "Rollout",
    "RolloutIssue",
    "SyncRun",
    "TrackedIssue",
]
