"""``/features``: instance flags, for administrators alone (GitLab lib/api/features.rb)."""

from __future__ import annotations

from gitlab_simulator.api.exchange import Answer, Asked
from gitlab_simulator.instance_flags import TARGETS
from gitlab_simulator.store import Refused


def listed(asked: Asked) -> Answer:
    asked.administer()
    return Answer(asked.state.features())  # not paginated


def definitions(asked: Asked) -> Answer:
    asked.administer()
    return Answer(asked.state.flag_definitions())


def setting(asked: Asked, name: str) -> Answer:
    asked.administer()
    value = asked.text("value")
    if value is None:
        raise Refused.error("value is missing")
    targets = {target: asked.text(target) for target in asked.given(*TARGETS)}
    force = asked.flag("force") or False
    return Answer(asked.state.set_feature(name, value, asked.text("key"), force=force, **targets), 201)


def deletion(asked: Asked, name: str) -> Answer:
    asked.administer()
    asked.state.delete_feature(name)
    return Answer(status=204)
