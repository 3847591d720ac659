"""Roll back when GitLab, the broker and the mail server are all down: it works, and is made good later."""

from __future__ import annotations

import pytest

from rollouts.models import GitLabWrite
from rollouts.sync import outbox
from tests.portal.test_pages import signed_in

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_way_back_is_open_when_all_is_down(transactional_db, gitlab, settings):
    from celery import current_app

    from tests.walk import World

    settings.GITLAB_WRITES = "flags"
    world = World.build(gitlab)
    world.up_to("company", "active")
    outbox.work()
    before = current_app.conf.broker_url
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    current_app.conf.broker_url = "redis://127.0.0.1:1/0"
    current_app.set_default()
    current_app.pool.force_close_all()
    current_app._pool = None
    gitlab.stop()
    try:
        answer = signed_in(world, "mia").post("/rollouts/haiku/phases/company/roll_back/", {"reason": "wrong answers"})
        assert answer.status_code == 303
        assert world.phase("company").state == "rolled_back"
        write = GitLabWrite.objects.filter(kind="set_gates").latest("pk")
        assert (write.state, write.is_narrowing) == ("waiting", True)
    finally:
        current_app.conf.broker_url = before
        current_app.pool.force_close_all()
        current_app._pool = None
        gitlab.start()
    outbox.work()
    write.refresh_from_db()
    assert write.state == "done"
    world.sync()
    assert world.rollout().drift == "none"
