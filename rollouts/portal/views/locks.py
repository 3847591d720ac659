"""Change locks: what holds now, what comes, where they come from; entered, ended and imported here."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from ...audit.actor import Actor
from ...calendars.reader import LARGEST
from ...models import ChangeLock, GitLabInstance, IncidentSource, LockCalendar, clock
from ...models.locks import DAYS
from ...rules.datetimes import LAST
from ...rules.machine import Role
from ...rules.phrases import say, spoken
from ...rules.zones import zone_names
from ...services import calendars, locks
from ...services.refusals import Refused
from .. import refusals
from ..answers import SeeOther


class LockForm(forms.Form):
    """A period once, or every week; times are local ones of the zone that is named beside them."""

    title = forms.CharField(max_length=200, label=gettext_lazy("Why nothing may widen"))
    kind = forms.ChoiceField(choices=ChangeLock.Kind.choices, label=gettext_lazy("How often"))
    starts = forms.CharField(
        required=False, label=gettext_lazy("Starts"), widget=forms.DateTimeInput({"type": "datetime-local"})
    )
    ends = forms.CharField(
        required=False, label=gettext_lazy("Ends"), widget=forms.DateTimeInput({"type": "datetime-local"})
    )
    from_day = forms.TypedChoiceField(
        required=False, coerce=int, empty_value=None, choices=[("", "–"), *DAYS], label=gettext_lazy("From day")
    )
    from_time = forms.TimeField(required=False, label=gettext_lazy("From"), widget=forms.TimeInput({"type": "time"}))
    to_day = forms.TypedChoiceField(
        required=False, coerce=int, empty_value=None, choices=[("", "–"), *DAYS], label=gettext_lazy("To day")
    )
    to_time = forms.TimeField(required=False, label=gettext_lazy("To"), widget=forms.TimeInput({"type": "time"}))
    zone = forms.CharField(max_length=60, label=gettext_lazy("Time zone"), widget=forms.TextInput({"list": "zones"}))
    instance = forms.CharField(
        required=False, max_length=50, label=gettext_lazy("GitLab"), help_text=gettext_lazy("Empty: every one.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.fields["zone"].initial = timezone.get_current_timezone_name()

    def clean_starts(self) -> datetime | None:
        return _local(self.cleaned_data["starts"])

    def clean_ends(self) -> datetime | None:
        return _local(self.cleaned_data["ends"])

    def clean_from_time(self) -> time | None:
        moment: time | None = self.cleaned_data["from_time"]
        return moment

    def common(self) -> list[forms.BoundField]:
        return [self["title"], self["kind"], self["zone"], self["instance"]]

    def once(self) -> list[forms.BoundField]:
        return [self["starts"], self["ends"]]

    def weekly(self) -> list[forms.BoundField]:
        return [self["from_day"], self["from_time"], self["to_day"], self["to_time"]]


def _local(written: str) -> datetime | None:
    """A local time as the browser sends it; it means something only with the zone beside it."""
    if not written:
        return None
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise forms.ValidationError(
            spoken(say("{written} is no time. Write 2026-12-24T18:00.", written=written[:40]))
        ) from None
    if moment.tzinfo is not None:
        raise forms.ValidationError(gettext("Leave the offset out: the time zone says it."))
    return moment


@require_http_methods(["GET", "HEAD", "POST"])
def locks_page(request: HttpRequest) -> HttpResponse:
    """GET: all locks. POST: one more, by hand. Refused: 422 (403 if only the role is lacking), nothing changed."""
    by = Actor.of(request.user)
    if request.method != "POST":
        return _page(request, LockForm())
    form = LockForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        lock = locks.add(form.cleaned_data, by=by)
    except Refused as refused:
        return _page(request, form, refused)
    messages.success(request, spoken(say("The change lock “{lock}” is entered.", lock=lock.title)))
    return SeeOther(reverse("portal:locks"))


@require_POST
def end_lock(request: HttpRequest, pk: int) -> HttpResponse:
    """End a lock early, with a reason."""
    lock = get_object_or_404(ChangeLock, pk=pk)
    try:
        locks.end(lock, by=Actor.of(request.user), reason=request.POST.get("reason", ""))
    except Refused as refused:
        return _page(request, LockForm(), refused)
    messages.success(request, spoken(say("The change lock “{lock}” is ended.", lock=lock.title)))
    return SeeOther(reverse("portal:locks"))


@require_POST
def calendar(request: HttpRequest) -> HttpResponse:
    """Import an iCalendar file, or name an address that is read from then on."""
    by, inputs, file = Actor.of(request.user), request.POST, request.FILES.get("file")
    name, url = inputs.get("name", ""), inputs.get("url", "").strip()
    how: dict[str, Any] = {"zone_name": inputs.get("zone") or "UTC", "transparent_locks": "transparent" in inputs}
    try:
        if file is not None:
            calendars.import_calendar(name or str(file.name), file.read(LARGEST + 1), by=by, **how)
        else:
            calendars.add_calendar(name, url, by=by, **how)
    except Refused as refused:
        return _page(request, LockForm(), refused)
    messages.success(request, spoken(say("The calendar {name} is in.", name=name or getattr(file, "name", ""))))
    return SeeOther(reverse("portal:locks"))


@require_POST
def remove_calendar(request: HttpRequest, pk: int) -> HttpResponse:
    """Its periods lock no longer."""
    lock_calendar = get_object_or_404(LockCalendar, pk=pk)
    try:
        calendars.remove_calendar(lock_calendar, by=Actor.of(request.user), reason=request.POST.get("reason", ""))
    except Refused as refused:
        return _page(request, LockForm(), refused)
    messages.success(request, spoken(say("The calendar {found} is removed.", found=lock_calendar.name)))
    return SeeOther(reverse("portal:locks"))


def _page(request: HttpRequest, form: LockForm, refused: Refused | None = None, *, status: int = 200) -> HttpResponse:
    now, by = clock.now(), Actor.of(request.user)
    standing = locks.standing(now)
    rows = [
        {"lock": lock, "may_end": not locks.blockers_of_end(lock, by)}
        for lock in ChangeLock.objects.select_related("instance").touching(now, LAST)
    ]
    context = {
        "form": form,
        **refusals.told(refused),
        "holding": [lock for _, lock in standing.holding],
        "unread": [words for _, words in standing.unread],
        "coming": locks.coming(now),
        "rows": rows,
        "calendars": LockCalendar.objects.defer("content").annotate(
            ahead=Count("periods", filter=Q(periods__ends_at__gt=now))
        ),
        "sources": IncidentSource.objects.select_related("instance"),
        "instances": GitLabInstance.objects.followed().exclude(url=""),
        "zones": zone_names(),
        "is_admin": by.person.has(Role.ADMIN),
    }
    return render(request, "portal/locks.html", context, status=refused.status if refused else status)
