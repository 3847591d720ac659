"""The brokers' transports: what kombu leaves out."""

import json
import os
from stat import S_ISDIR

import pytest
from kombu import Connection
from redis.exceptions import ConnectionError as ConnectionLost

import config.celery  # noqa: F401 - names the transports
from config.broker import options
from config.redis_broker import Transport as RedisTransport


def test_a_channel_that_was_closed_with_its_connection_says_that_the_connection_is_lost():
    connection = Connection("redis://127.0.0.1:1/0")
    assert isinstance(connection.transport, RedisTransport)
    channel = RedisTransport.Channel.__new__(RedisTransport.Channel)
    channel.connection = None
    with pytest.raises(ConnectionLost) as lost:
        channel._connparams()
    assert isinstance(lost.value, connection.connection_errors)  # what Celery expects, and connects again


@pytest.fixture
def folder(tmp_path, settings):
    """An embedded broker's folder of its own."""
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = options(tmp_path / "broker")
    return tmp_path / "broker"


@pytest.fixture
def queue(folder, settings):
    with Connection("embedded://localhost//", transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS) as connection:
        yield connection.SimpleQueue("celery")


def as_json(**changed):
    whole = {"body": "e30=", "content-type": "application/json", "content-encoding": "utf-8", "headers": {},
             "properties": {"delivery_tag": "1", "body_encoding": "base64",
                            "delivery_info": {"exchange": "celery", "routing_key": "celery"}}}  # fmt: skip
    return json.dumps({**whole, **changed}).encode()


#: What may lie in the folder: by a full disk, another program, an older or newer portal, or a prank.
UNREADABLE = {
    "empty": b"",
    "cut": as_json()[:40],
    "not json": b"\xff\xfe\x00 nonsense",
    "a list": b"[]",
    "a number": b"7",
    "nothing": b"null",
    "no properties": as_json(properties={}),
    "no place": as_json(properties={"delivery_tag": "1", "delivery_info": {}}),
    "no body that can be read": as_json(body="%%%", properties={**json.loads(as_json())["properties"], "body_encoding": "x"}),
    "nested": b"[" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("what", [*UNREADABLE, "a folder", "a link to nowhere"])
def test_a_file_that_can_not_be_read_is_set_aside_and_the_next_message_comes(folder, queue, what, caplog):
    first = folder / "messages" / f"{0:020d}_x.celery.msg"
    if what == "a folder":
        first.mkdir()
    elif what == "a link to nowhere":
        first.symlink_to(folder / "nowhere")
    else:
        first.write_bytes(UNREADABLE[what])
    queue.put({"ring": 1})
    message = queue.get(block=False)
    message.ack()
    assert message.payload == {"ring": 1}
    (aside,) = os.listdir(folder / "aside")
    assert aside.endswith("_x.celery.msg")
    assert "set aside" in caplog.text
    assert os.listdir(folder / "messages") == os.listdir(folder / "processed") == []


@pytest.mark.parametrize("what", [b"", b"nonsense", b"[[1]]", b"7"])
def test_a_list_of_queues_that_can_not_be_read_is_made_anew(folder, settings, what):
    (folder / "control" / "celery.exchange").write_bytes(what)
    with Connection("embedded://localhost//", transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS) as connection:
        queue = connection.SimpleQueue("celery")
        queue.put({"ring": 1})
        assert queue.get(block=False).payload == {"ring": 1}
    assert len(os.listdir(folder / "aside")) == 1


def test_what_is_not_the_brokers_is_left_alone(folder, queue):
    for name in ("notes.txt", ".x.celery.msg.unfinished", "x.other.msg", "celery.msg"):
        (folder / "messages" / name).write_text("x")
    with pytest.raises(queue.Empty):
        queue.get(block=False)
    assert len(os.listdir(folder / "messages")) == 4
    assert os.listdir(folder / "aside") == []


def test_a_message_is_on_the_disk_before_it_is_seen(folder, queue, monkeypatch):
    done = []
    sync, rename = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: done.append("folder" if S_ISDIR(os.fstat(fd).st_mode) else "file") or sync(fd)
    )
    monkeypatch.setattr(os, "replace", lambda *names: done.append("rename") or rename(*names))
    queue.put({"ring": 1})
    assert done == ["file", "rename", "folder"]


@pytest.mark.django_db
def test_the_sync_page_tells_of_what_was_set_aside(folder, world, client):
    client.force_login(world.people["vic"])
    assert "embedded broker" not in client.get("/sync/").content.decode()
    for number in range(2):
        (folder / "aside" / f"{number}.msg").write_text("x")
    page = client.get("/sync/").content.decode()
    assert "2 files of the embedded broker could not be read and were set aside" in page
    assert str(folder / "aside") in page
