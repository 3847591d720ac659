"""The exact commands that bring a flag in GitLab to what is expected: chat command and API call, to copy.

Sources: GitLab doc/development/feature_flags/controls.md (ChatOps), doc/api/features.md,
doc/api/feature_flags.md. Narrowing is not the mirror of widening: setting a percentage to 0 or boolean to
false wipes every gate (FACTS section 1), so the gates that stay are set again at once.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from .exposure import NOBODY, OPT_OUT, Exposure
from .percentages import plain_number
from .phrases import later, say

CHAT = "/chatops gitlab run feature set"
#: GitLab's parameter for each type of actor.
PARAMETER = {"User": "user", "Group": "group", "Project": "project", "Namespace": "namespace"}


@dataclass(frozen=True, slots=True)
class Command:
    """One change of a flag. ``chat`` is empty where there is no chat command for it (project flags).

    ``call`` is the same for a program: ``value, parameter, target`` of an instance flag, ``active, strategies`` of a
    project's.
    """

    words: str
    chat: str
    api: str
    call: Mapping[str, Any] = field(default_factory=dict, hash=False)


def for_instance_flag(
    flag: str, *, now: Exposure, wanted: Exposure, names: Mapping[str, str], api_url: str
) -> tuple[Command, ...]:
    """What to run, in this order, so that an instance flag goes from ``now`` to ``wanted``.

    ``names`` maps actors as GitLab knows them (``User:42``) to plan names (``user:alice``); ``api_url`` is the
    instance's ``…/api/v4``.
    """
    if now.is_exactly(wanted):
        return ()
    set_to = _Setter(flag, names, api_url)
    if wanted.lets_all_in:
        return _let_all_in(set_to, now, wanted)
    commands = []
    loses_percentage = not wanted.percentage_of_actors and now.percentage_of_actors
    if now.boolean or now.percentage_of_time or loses_percentage or wanted.is_nobody:
        commands.append(set_to("false", say("Wipe all gates: nobody sees it until the next command has run")))
        now = NOBODY
    for group in sorted(now.groups - wanted.groups):
        commands.append(set_to("false", say("Take group {group} out", group=group), "feature_group", group))
    for actor in sorted(now.actors - wanted.actors):
        commands.append(set_to.actor(actor, lets_in=False))
    for actor in sorted(wanted.opt_outs - now.opt_outs):  # before anybody is let in who may be among them
        commands.append(set_to.actor(actor, lets_in=True))
    for group in sorted(wanted.groups - now.groups):
        commands.append(set_to("true", say("Let group {group} in", group=group), "feature_group", group))
    for actor in sorted(wanted.named_actors - now.named_actors):
        commands.append(set_to.actor(actor, lets_in=True))
    if wanted.percentage_of_actors != now.percentage_of_actors:
        percentage = str(plain_number(wanted.percentage_of_actors))
        words = say("Let {percentage} % of actors in", percentage=percentage)
        commands.append(set_to(percentage, words, "key", "percentage_of_actors"))
    return tuple(commands)


def _let_all_in(set_to: _Setter, now: Exposure, wanted: Exposure) -> tuple[Command, ...]:
    """One call, which wipes every other gate: who is opted out must be opted out again at once after it."""
    commands = []
    if not now.lets_all_in:
        value, target, words = "true", ("", ""), say("Switch it on for everyone")
        if not wanted.boolean:
            value, target = "100", ("key", "percentage_of_actors")
            words = say("Let {percentage} % of actors in", percentage=value)
        if wanted.opt_outs:
            words = say("{deed}, also who is opted out until the next command has run", deed=words)
        commands, now = [set_to(value, words, *target)], NOBODY
    commands += [set_to.actor(actor, lets_in=False) for actor in sorted(now.opt_outs - wanted.opt_outs)]
    return (*commands, *(set_to.actor(actor, lets_in=True) for actor in sorted(wanted.opt_outs - now.opt_outs)))


def for_project_flag(
    flag: str, *, project: str, environment: str, wanted: Exposure, strategies: list[Mapping[str, Any]], api_url: str
) -> tuple[Command, ...]:
    """One PUT that replaces a project flag's strategies for an environment; ``strategies`` are the present ones."""
    scope = [{"environment_scope": environment}]
    new: list[dict[str, Any]] = [
        {"id": strategy["id"], "_destroy": True}
        for strategy in strategies
        if strategy.get("id") is not None and list(strategy.get("scopes", ())) == [environment]
    ]
    if wanted.boolean:
        new.append({"name": "default", "parameters": {}, "scopes": scope})
    elif wanted.percentage_of_actors:
        rollout = str(plain_number(wanted.percentage_of_actors))
        parameters = {"groupId": "default", "rollout": rollout, "stickiness": "default"}
        new.append({"name": "flexibleRollout", "parameters": parameters, "scopes": scope})
    if wanted.named_actors and not wanted.boolean:
        users = ",".join(sorted(wanted.named_actors))
        new.append({"name": "userWithId", "parameters": {"userIds": users}, "scopes": scope})
    call = {"active": not wanted.is_nobody, "strategies": new}
    body = json.dumps(call)
    url = f"{api_url}/projects/{quote(project, safe='')}/feature_flags/{quote(flag, safe='')}"
    api = (
        f"curl --request PUT --header \"PRIVATE-TOKEN: $GITLAB_TOKEN\" --header 'Content-Type: application/json' "
        f"--data {shlex.quote(body)} {shlex.quote(url)}"
    )
    return (
        Command(say("Set {environment} to {exposure}", environment=environment, exposure=wanted.words), "", api, call),
    )


@dataclass(frozen=True, slots=True)
class _Setter:
    flag: str
    names: Mapping[str, str]
    api_url: str

    def __call__(self, value: str, words: str, parameter: str = "", target: str = "") -> Command:
        chat = f"{CHAT} {self.flag} {value}"
        form = f"--form value={value}"
        if parameter == "key":
            chat += " --actors"
        elif parameter:
            chat += f" --{parameter.replace('_', '-')}={shlex.quote(target)}"
        if parameter:
            form += f" --form {parameter}={shlex.quote(target)}"
        url = shlex.quote(f"{self.api_url}/features/{quote(self.flag, safe='')}")
        api = f'curl --request POST --header "PRIVATE-TOKEN: $GITLAB_TOKEN" {form} {url}'
        return Command(words, chat, api, {"value": value, "parameter": parameter, "target": target})

    def actor(self, actor: str, *, lets_in: bool) -> Command:
        bare = actor.removesuffix(OPT_OUT)
        kind, _, known_as = bare.partition(":")
        named = self.names.get(bare, "")
        target = named.partition(":")[2] or known_as
        parameter = PARAMETER.get(kind) or (kind if kind in PARAMETER.values() else "user")
        if actor.endswith(OPT_OUT):
            value, words = (
                ("opt_out", later("Opt {actor} out"))
                if lets_in
                else ("remove_opt_out", later("End the opt-out of {actor}"))
            )
        else:
            value, words = ("true", later("Let {actor} in")) if lets_in else ("false", later("Take {actor} out"))
        return self(value, say(words, actor=named or actor), parameter, target)
