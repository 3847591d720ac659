"""Whatever happens to rollouts at once, at rest all is as the rules say, and history tells all of it once."""

from __future__ import annotations

import os

import pytest

from tests.at_rest import deadlocks, faults
from tests.interleavings import Walk, drawn

#: More of them by INTERLEAVINGS=40, one of them by INTERLEAVING=7 (serially with INTERLEAVING_SERIAL=1).
SEEDS = (
    [int(os.environ["INTERLEAVING"])]
    if "INTERLEAVING" in os.environ
    else range(int(os.environ.get("INTERLEAVINGS", "4")))
)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", SEEDS)
def test_at_rest_all_is_as_the_rules_say(transactional_db, gitlab, settings, time_machine, seed):
    from tests.walk import World

    settings.GITLAB_WRITES = ("off", "flags")[seed % 2]
    settings.SYNC_LEASE_SECONDS = 5
    walk = Walk(World.build(gitlab), time_machine)
    walk.begin()
    before = deadlocks()
    walk.run(drawn(seed, threads=4, steps=25), at_once=not os.environ.get("INTERLEAVING_SERIAL"))
    walk.rest()
    found = [*walk.broken, *faults(gitlab)]
    if ended := deadlocks() - before:
        found.append(f"deadlocks: PostgreSQL has ended {ended}")
    assert not found, "\n".join([f"seed {seed}, {len(found)} faults", *found, "", *walk.told])
