"""One flag on one page: its gates as a table, its readings, its definition, its rollouts, the commands to set it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from django.utils.translation import gettext as _

from ...models import FeatureFlag, FlagReading, GitLabActor, Rollout
from ...rules import health
from ...rules.commands import Command
from ...rules.expected import Drift, Presence
from ...rules.exposure import OPT_OUT, Exposure
from ...rules.facts import RolloutFacts
from ...rules.issue_url import parse_issue_url
from ...rules.percentages import plain_number
from ...services import facts as facts_of
from ...services import freshness, gates
from ...services.lists.flags import AllFlags
from ...services.locks import Locks
from ..charts.readings import Readings, picture
from ..charts.track import Track, track
from . import flags as listed

#: So many of the newest readings are drawn; the table has them all.
MOST_DRAWN = 200
#: So many actors are named in a gate; the rest is a number.
MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class GateRow:
    """One gate: whether it lets anybody in, its value in words, and names where it has some."""

    name: str
    is_open: bool
    words: str
    names: tuple[str, ...] = ()
    more: int = 0
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """An address of the definition: the issue's reference where it is one, else the address itself."""

    label: str
    url: str
    words: str


@dataclass(frozen=True, slots=True)
class Carried:
    """A rollout that goes live behind the flag."""

    rollout: Rollout
    facts: RolloutFacts
    track: Track
    health: health.State
    drift: Drift
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class FlagPage:
    flag: FeatureFlag
    row: listed.FlagRow
    gates: tuple[GateRow, ...]
    readings: Readings | None
    drawn_all: bool
    links: tuple[Link, ...]
    carried: tuple[Carried, ...]
    get_chat: str
    get_api: str


def build(flag: FeatureFlag, now: datetime, holding: Locks) -> FlagPage:
    """``flag`` comes from ``FeatureFlag.objects.for_list()``. The number of queries is constant."""
    row = listed.row(flag, AllFlags.read(), now)
    readings = list(flag.readings.all()[: MOST_DRAWN + 1])
    drawn = readings[:MOST_DRAWN]
    by_hand = [one.read_at for one in drawn if one.source == FlagReading.Source.BY_HAND]
    unread = freshness.unread(flag, by_hand, drawn[-1].read_at, now) if drawn else []
    return FlagPage(
        flag=flag,
        row=row,
        gates=tuple(_gates(flag)),
        readings=picture(drawn, flag.as_listed, unread, now, stale=row.is_stale),
        drawn_all=len(readings) <= MOST_DRAWN,
        links=tuple(_links(flag)),
        carried=tuple(_carried(one, now, holding) for one in Rollout.objects.whole().filter(flag=flag)),
        get_chat="" if flag.project else f"/chatops gitlab run feature get {flag.name}",
        get_api=_ask_by_api(flag),
    )


def _carried(rollout: Rollout, now: datetime, holding: Locks) -> Carried:
    facts = facts_of.for_rollout(rollout, now, holding)
    state = health.judge(facts)
    is_over = rollout.is_over
    commands = () if is_over or state.drift is Drift.NONE else gates.commands_to(rollout, facts, facts.expected)
    return Carried(rollout, facts, track(facts, state.drift), state, state.drift, commands)


def _gates(flag: FeatureFlag) -> list[GateRow]:
    """Every gate, open or not; nothing where GitLab does not say."""
    exposure = flag.as_listed.exposure
    if exposure is None or flag.presence != Presence.SET:
        return []
    names = _names_of(flag, exposure)
    rows = [
        GateRow(_("Boolean"), exposure.boolean, _("on for everyone") if exposure.boolean else _("not on for everyone")),
        GateRow(
            _("Percentage of actors"),
            bool(exposure.percentage_of_actors),
            _("%(n)s %% of actors") % {"n": plain_number(exposure.percentage_of_actors)},
        ),
        _named(_("Feature groups"), sorted(exposure.groups), {}),
        _named(_("Actors"), sorted(exposure.named_actors), names),
    ]
    if exposure.percentage_of_time:
        words = _("%(n)s %% of the time") % {"n": plain_number(exposure.percentage_of_time)}
        rows.insert(2, GateRow(_("Percentage of time"), True, words, warning=_("deprecated by GitLab")))
    if exposure.opt_outs:
        opted_out = _named(_("Opted out"), sorted(actor.removesuffix(OPT_OUT) for actor in exposure.opt_outs), names)
        rows.append(opted_out)
    if exposure.unknown_gates:
        rows.append(_named(_("Gates that the portal does not know"), sorted(exposure.unknown_gates), {}))
    return rows


def _named(label: str, members: list[str], names: Mapping[str, str]) -> GateRow:
    shown = tuple(f"{names[one]} ({one})" if one in names else one for one in members[:MOST_NAMED])
    return GateRow(label, bool(members), "" if members else _("none"), shown, max(0, len(members) - MOST_NAMED))


def _names_of(flag: FeatureFlag, exposure: Exposure) -> dict[str, str]:
    """What plans call the actors: ``User:42`` is ``user:alice``. One query."""
    if flag.project_id is not None or not exposure.actors:
        return {}
    actors = GitLabActor.objects.filter(instance=flag.instance_id).exclude(gitlab_id="")
    return dict(actors.values_list("gitlab_id", "name"))


def _links(flag: FeatureFlag) -> list[Link]:
    """Addresses of the definition as stored; no title, for the issue may be confidential."""
    links = (
        (_("Introduced by"), flag.introduced_by_url),
        (_("Rollout issue"), flag.rollout_issue_url),
        (_("Feature issue"), flag.feature_issue_url),
    )
    return [Link(label, url, _reference(url)) for label, url in links if url]


def _reference(url: str) -> str:
    try:
        issue_ref = parse_issue_url(url)
    except ValueError:
        return url.removeprefix("https://")
    return f"{issue_ref.project_path}#{issue_ref.iid}"


def _ask_by_api(flag: FeatureFlag) -> str:
    where = (
        f"/projects/{quote(flag.project.path, safe='')}/feature_flags/{quote(flag.name)}"
        if flag.project
        else "/features"
    )
    return f'curl --header "PRIVATE-TOKEN: $GITLAB_TOKEN" "{flag.instance.api_url}{where}"'


def page_of(reading: FlagReading) -> str:
    """What a reading said, in the words of its moment."""
    return reading.exposure.words if reading.presence == Presence.SET else Presence(reading.presence).words
