"""Roll back when GitLab, the broker and the mail server are all down: it works, and is made good later."""

from __future__ import annotations

import socket

import pytest
from celery import current_app
from kombu import pools

from config import broker
from rollouts.models import GitLabWrite
from rollouts.sync import outbox
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["refuses", "silent"])
def broken_broker(request):
    """The address of a broker where nobody is, or where somebody takes the connection and then says nothing.

    Of the second the person with the button hears as soon as of the first: without bounds it would be never.
    """
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        if request.param == "silent":
            nobody.listen(50)
        yield f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"


def forget_connections():
    """To the broker: the next message opens one anew, here and in whatever test comes next."""
    pools.reset()
    current_app._pool = current_app.amqp._producer_pool = None


def test_the_way_back_is_open_when_all_is_down(transactional_db, gitlab, settings, broken_broker):
    from tests.walk import World

    settings.GITLAB_WRITES = "flags"
    world = World.build(gitlab)
    world.up_to("company", "active")
    outbox.work()
    before = current_app.conf.broker_url, current_app.conf.broker_transport_options
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    current_app.conf.broker_url = broken_broker
    current_app.conf.broker_transport_options = broker.hasty(broken_broker)
    current_app.set_default()
    forget_connections()
    gitlab.stop()
    try:
        answer = signed_in(world, "mia").post("/rollouts/haiku/phases/company/roll_back/", {"reason": "wrong answers"})
        assert answer.status_code == 303
        assert world.phase("company").state == "rolled_back"
        write = GitLabWrite.objects.filter(kind="set_gates").latest("pk")
        assert (write.state, write.is_narrowing) == ("waiting", True)
    finally:
        current_app.conf.broker_url, current_app.conf.broker_transport_options = before
        forget_connections()
        gitlab.start()
    outbox.work()
    write.refresh_from_db()
    assert write.state == "done"
    world.sync()
    assert world.rollout().drift == "none"
