"""What people write in the issues that gather feedback, as GitLab told it last."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .gitlab import TrackedIssue


class IssueFeedback(models.Model):
    """The newest comments of an issue, and the emoji that people gave. GitLab's, as it was read: no history of ours.

    Whoever may not see the issue, or an internal comment, is shown none of it (``services.feedback``).
    """

    issue = models.OneToOneField(TrackedIssue, on_delete=models.CASCADE, related_name="feedback")
    read_at = models.DateTimeField()
    issue_changed_at = models.DateTimeField(null=True, help_text=_("When the issue that was read had changed."))
    comments = models.JSONField(
        default=list, help_text=_("The newest first: id, at, author, body, is_internal, reactions.")
    )
    reactions = models.JSONField(default=dict, help_text=_("Of the issue itself: how many gave which emoji."))

    class Meta:
        verbose_name_plural = _("feedback of issues")

    def __str__(self) -> str:
        return str(self.issue)
