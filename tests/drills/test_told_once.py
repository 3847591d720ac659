"""Workers that tell people and send mails are killed again and again: each person has each event by mail once."""

from __future__ import annotations

import random
import time
from collections import Counter
from email import message_from_bytes
from typing import Any

import pytest

from gitlab_simulator import Simulator
from tests.drills.portal import Ground, end_of, wait_until
from tests.drills.test_exactly_once import seed
from tests.mailbox import Inbox, serving


class Mailboxes(Inbox):
    """Everybody's: of a Message-ID each keeps one, as mailboxes do; ``arrived`` counts what came over the wire."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: Counter[tuple[str, str]] = Counter()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content)
        self.arrived[mail["To"], mail["Message-ID"]] += 1
        return "250 OK"


def tell_while_workers_die(folder, *, events: int, people: int, kills: int) -> None:
    dice, boxes, total = random.Random(20261129), Mailboxes(), events * people
    with serving(boxes) as server, Simulator() as gitlab:
        seed(gitlab, 0)
        ground = Ground(
            folder, gitlab, GITLAB_WRITES="off", EMAIL_URL=f"smtp://127.0.0.1:{server.port}",
            PRIVATE_NETWORKS="127.0.0.0/8",
            MAIL_SETTLE_SECONDS="0", OUTBOX_CLAIM_SECONDS="2",
        )  # fmt: skip
        ground.run("manage.py", "migrate", "-v0")
        ground.run("-m", "tests.drills.ground", "owners", str(people))
        ground.run("-m", "tests.drills.ground", "events", str(events))
        workers = [ground.spawn("-m", "tests.drills.ground", "tell", "3600") for _ in range(2)]
        for number in range(kills):
            enough = min(total - kills + number, total * (number + 1) // (kills + 2))
            wait_until(lambda enough=enough: len(boxes.arrived) >= enough, seconds=300)
            time.sleep(dice.uniform(0, 0.05))
            killed = dice.randrange(2)
            end_of(workers[killed])
            workers[killed] = ground.spawn("-m", "tests.drills.ground", "tell", "3600")
        sent = "SELECT count(*) FROM rollouts_owedmail WHERE state = 'sent'"
        try:
            wait_until(lambda: ground.count(sent) >= total, seconds=600)
        finally:
            for worker in workers:
                end_of(worker)
        again = sum(boxes.arrived.values()) - len(boxes.arrived)
        print(
            f"\n{kills} kills, {total} mails owed, {len(boxes.arrived)} in mailboxes, {again} came twice over the wire"
        )
        owed = "SELECT count(*) FROM rollouts_owedmail"
        assert (ground.count(owed), ground.count(sent), len(boxes.arrived)) == (total, total, total)
        by_person = Counter(address for address, _ in boxes.arrived)
        assert by_person == {f"p{number}@example.com": events for number in range(people)}
        assert again <= kills


def test_each_has_each_event_once_though_workers_are_killed(tmp_path):
    tell_while_workers_die(tmp_path, events=30, people=5, kills=5)


@pytest.mark.drill
@pytest.mark.timeout(5400)
def test_fifty_people_have_a_thousand_events_once_though_workers_are_killed_100_times(tmp_path):
    tell_while_workers_die(tmp_path, events=1_000, people=50, kills=100)
