"""Chats: told once of what concerns them, by a line and a link; their addresses are secrets, and none is private."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network

import pytest
from django.utils import timezone

from config import settings as configured
from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, ChatRoom, OwedChat, Sender
from rollouts.rules.chat import is_allowed, networks
from rollouts.sync import mailing
from rollouts.tasks import send_chat, send_mail, tell_people
from tests.mailbox import mail_server
from tests.portal.pages import browser, signed_in, words
from tests.walk import SECRET_TITLE

pytestmark = pytest.mark.django_db


class Chat:
    """A web hook's other end: what was posted to it; ``status`` is what it answers, ``to`` where it sends on."""

    def __init__(self):
        self.lines, self.status, self.to = [], 200, ""

    @contextmanager
    def listening(self):
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not chat.to and chat.status == 200:
                    chat.lines.append(json.loads(body)["message"])
                self.send_response(307 if chat.to else chat.status)
                if chat.to:
                    self.send_header("Location", chat.to)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.port = server.server_port
            yield self
            server.shutdown()


@pytest.fixture
def chat(settings):
    with Chat().listening() as listening:
        settings.NOTIFY_URLS = {"ops": f"json://user:s3cret-word@127.0.0.1:{listening.port}/hook"}
        settings.PRIVATE_NETWORKS = networks("127.0.0.0/8")
        settings.MAIL_SETTLE_SECONDS = 0
        yield listening


@pytest.fixture
def world(world):
    world.apply()
    return world


def told_of(world, **what):
    with recorded("admin.add", by=world.actor("root")) as recording:
        recording.about = ChatRoom.objects.create(**{"name": "ops", **what})


def ask(world):
    world.do("request", "team", "mia")
    tell_people()
    send_chat()


def test_a_chat_has_each_event_once_with_a_link_to_the_button(world, chat):
    told_of(world)
    ask(world)
    send_chat()
    (line,) = chat.lines
    request = world.phase("team").requests.get()
    assert line.startswith("Claude Haiku: mia asked for Owning team. Approve or reject it.")
    assert line.splitlines()[1] == f"http://localhost:8000/approvals/#request-{request.pk}"
    assert OwedChat.objects.get().state == "sent"


def test_a_group_is_told_of_what_concerns_one_of_it_and_a_rollout_of_its_own(world, chat, settings, django_user_model):
    from django.contrib.auth.models import Group

    world.apply(slug="other", title="Other", flag="use_other")
    settings.NOTIFY_URLS |= {name: settings.NOTIFY_URLS["ops"] + f"?+X-Room={name}" for name in ("viewers", "other")}
    told_of(world, group=Group.objects.get(name="approver"))
    told_of(world, name="viewers", group=Group.objects.get(name="viewer"))
    told_of(world, name="other", rollout=world.rollout("other"))
    ask(world)
    assert list(OwedChat.objects.values_list("name", flat=True)) == ["ops"]
    assert len(chat.lines) == 1  # two approvers, one line


def test_nothing_confidential_and_nothing_of_somebodys_account_comes_into_a_chat(world, chat):
    told_of(world)
    browser("mia", "rollout")
    browser("mia", "rollout")
    world.sync()
    world.gitlab.state.set_feature("use_haiku", "true")
    world.sync()
    world.do("request", "team", "mia")
    tell_people()
    send_chat()
    assert chat.lines
    assert not any(SECRET_TITLE in line or "signed in" in line or "sign-in" in line for line in chat.lines)


def test_a_chat_that_refuses_is_tried_again_shown_to_admins_and_holds_no_other_up(world, chat, settings, time_machine):
    chat.status = 500
    with Chat().listening() as second:
        settings.NOTIFY_URLS = {**settings.NOTIFY_URLS, "second": f"json://127.0.0.1:{second.port}/"}
        told_of(world)
        told_of(world, name="second")
        ask(world)
        assert (len(chat.lines), len(second.lines)) == (0, 1)
    page = words(browser("root", "rollout").get("/admin/"))
    assert "No chat is told: The chat ops did not take it." in page
    chat.status = 200
    send_chat()
    assert not chat.lines  # not yet
    time_machine.move_to(timezone.now() + timedelta(minutes=1))
    send_chat()
    assert len(chat.lines) == 1
    assert not Sender.objects.exclude(failing_since=None).exists()


def test_a_private_address_is_refused_unless_its_network_is_named(world, chat, settings):
    settings.PRIVATE_NETWORKS = []
    told_of(world)
    ask(world)
    assert not chat.lines
    assert "127.0.0.1 is a private address: name its network in PRIVATE_NETWORKS" in Sender.objects.get().words


def test_a_name_that_leads_to_a_private_address_is_refused_after_it_was_looked_up(world, chat, settings):
    settings.PRIVATE_NETWORKS = []
    settings.NOTIFY_URLS = {"ops": f"json://localhost:{chat.port}/"}
    told_of(world)
    ask(world)
    assert not chat.lines
    assert "is a private address" in Sender.objects.get().words


def test_a_redirect_to_a_private_address_is_not_followed(world, chat, settings):
    with Chat().listening() as inside:
        settings.PRIVATE_NETWORKS = [ip_network("127.0.0.1")]
        chat.to = f"http://127.0.0.2:{inside.port}/"
        told_of(world)
        ask(world)
        assert not inside.lines
    assert "127.0.0.2 is a private address" in Sender.objects.get().words


def test_a_mail_server_at_a_private_address_is_asked_only_where_its_network_is_named(world, settings):
    from django.contrib.auth.models import User

    User.objects.filter(username="alice").update(email="alice@example.com")
    with mail_server(settings) as inbox:
        settings.PRIVATE_NETWORKS = []
        world.do("request", "team", "mia")
        tell_people()
        send_mail()
        assert not inbox.mails
        assert "127.0.0.1 is a private address" in Sender.objects.get(way=mailing.WAY).words


def test_the_address_of_a_chat_is_shown_nowhere(world, chat, caplog):
    chat.status = 500
    told_of(world)
    ask(world)
    root = signed_in(world, "root")
    pages = [
        "/admin/",
        "/admin/rollouts/chatroom/",
        f"/admin/rollouts/chatroom/{ChatRoom.objects.get().pk}/change/",
        "/sync/",
        "/audit/",
    ]
    assert not any("s3cret-word" in root.get(page).content.decode() for page in pages)
    assert "s3cret-word" not in caplog.text
    assert "s3cret-word" not in str(list(AuditEvent.objects.values())) + str(list(Sender.objects.values()))


def test_an_admin_chooses_among_the_names_of_the_environment(world, chat):
    root = signed_in(world, "root")
    page = root.get("/admin/rollouts/chatroom/add/").content.decode()
    assert '<option value="ops">ops</option>' in page
    assert root.post("/admin/rollouts/chatroom/add/", {"name": "elsewhere"}).status_code in (200, 422)
    assert not ChatRoom.objects.exists()
    root.post("/admin/rollouts/chatroom/add/", {"name": "ops", "rollout": world.rollout().pk})
    assert ChatRoom.objects.get().rollout.slug == "haiku"
    assert AuditEvent.objects.filter(verb="admin.add", object_type="ChatRoom").count() == 1
    assert signed_in(world, "mia").get("/admin/rollouts/chatroom/add/").status_code == 403


def test_a_chat_that_the_environment_no_longer_names_is_given_up_in_words(world, chat, settings):
    told_of(world)
    world.do("request", "team", "mia")
    tell_people()
    settings.NOTIFY_URLS = {}
    send_chat()
    assert (OwedChat.objects.get().state, "names no ops" in OwedChat.objects.get().words) == ("given_up", True)


@pytest.mark.parametrize(
    ("address", "own", "allowed"),
    [
        ("93.184.216.34", "", True),
        ("10.0.0.1", "", False),
        ("10.0.0.1", "10.0.0.0/8", True),
        ("169.254.169.254", "10.0.0.0/8", False),
        ("::1", "", False),
        ("::ffff:10.0.0.1", "", False),
        ("::ffff:10.0.0.1", "10.0.0.0/8", True),
        ("fe80::1%eth0", "", False),
        ("100.64.0.1", "", False),
        ("0.0.0.0", "", False),
        ("224.0.0.1", "", False),
        ("example.com", "", False),
    ],
)
def test_which_addresses_are_private(address, own, allowed):
    assert is_allowed(address, networks(own)) is allowed


@pytest.mark.parametrize(
    ("name", "written", "why"),
    [
        ("NOTIFY_URLS", "slack://a/b/s3cret", "entry 1 is no name with an address"),
        ("NOTIFY_URLS", "ops=s3cret", "entry 1 is no name with an address"),
        ("NOTIFY_URLS", "ops=json://a ops=json://s3cret", "ops is there twice"),
        ("PRIVATE_NETWORKS", "10.0.0.0/99", "names no networks"),
    ],
)
def test_a_setting_that_is_not_understood_is_refused_when_the_portal_starts(name, written, why, tmp_path):
    environment = {"PATH": "/usr/bin", name: written, "DATA_DIR": str(tmp_path), "SECRET_KEY": "k" * 50}
    done = subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        cwd=configured.ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, why in done.stderr, "s3cret" in done.stderr) == (1, True, False)
