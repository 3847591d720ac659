"""What is stored. The state machine sits on Phase and Rollout; their guards are in ``rules``."""

from .absences import Absence
from .accounts import Account, FormerIdentity, Identity
from .approvals import Approval, ApprovalRequest, Override
from .catalogue import AIModel, PlanTemplate
from .checklist import ChecklistItem
from .drift import DriftCase
from .event_words import EventWords
from .feedback import IssueFeedback
from .flags import FeatureFlag, FlagReading
from .gitlab import GitLabActor, GitLabInstance, GitLabProject, Outcome, TrackedIssue
from .history import AuditEvent
from .keeping import KeepingRun
from .locks import ChangeLock, IncidentSource, LockCalendar, LockPeriod
from .metrics import MetricSample, MetricWatch
from .notices import (
    ChatRoom,
    Condition,
    FollowedRollout,
    Notice,
    NoticePlace,
    NoticeSettings,
    OwedChat,
    OwedMail,
    Sender,
)
from .orders import RolloutOrder
from .outbox import GitLabWrite
from .phases import Phase, RampStep
from .portfolio_rows import PortfolioRow, RowWait
from .rollouts import Rollout, RolloutIssue
from .seals import Checkpoint, CheckpointCopy, PersonSalt, Seal, Tombstone, Verification
from .second_factors import Passkey, SecondFactor
from .sessions import BrowserSession
from .sync import HookDelivery, InstanceHealth, ReadingGap, SyncRun, SyncScope
from .tokens import ApiToken, FeedKey
from .touched import AlsoTouched
from .views import SavedView
from .waivers import Waiver

__all__ = [
    "AIModel",
    "Absence",
    "Account",
    "AlsoTouched",
    "ApiToken",
    "Approval",
    "ApprovalRequest",
    "AuditEvent",
    "BrowserSession",
    "ChangeLock",
    "ChatRoom",
    "ChecklistItem",
    "Checkpoint",
    "CheckpointCopy",
    "Condition",
    "DriftCase",
    "EventWords",
    "FeatureFlag",
    "FeedKey",
    "FlagReading",
    "FollowedRollout",
    "FormerIdentity",
    "GitLabActor",
    "GitLabInstance",
    "GitLabProject",
    "GitLabWrite",
    "HookDelivery",
    "Identity",
    "IncidentSource",
    "InstanceHealth",
    "IssueFeedback",
    "KeepingRun",
    "LockCalendar",
    "LockPeriod",
    "MetricSample",
    "MetricWatch",
    "Notice",
    "NoticePlace",
    "NoticeSettings",
    "Outcome",
    "Override",
    "OwedChat",
    "OwedMail",
    "Passkey",
    "PersonSalt",
    "Phase",
    "PlanTemplate",
    "PortfolioRow",
    "RampStep",
    "ReadingGap",
    "Rollout",
    "RolloutIssue",
    "RolloutOrder",
    "RowWait",
    "SavedView",
    "Seal",
    "SecondFactor",
    "Sender",
    "SyncRun",
    "SyncScope",
    "Tombstone",
    "TrackedIssue",
    "Verification",
    "Waiver",
]
