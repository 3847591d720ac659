"""Change locks: under one nothing widens, the way back stays open; each source, and each bad input in words."""

from __future__ import annotations

import http.server
import ssl
import threading
from datetime import UTC, datetime, time, timedelta

import pytest

from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, ChangeLock, IncidentSource, LockCalendar
from rollouts.services import calendars as kept_calendars
from rollouts.services import locks
from rollouts.sync import calendars
from tests.portal.pages import signed_in
from tests.services.change_locks import ics, once
from tests.services.refusing import refused

pytestmark = pytest.mark.django_db


def test_under_a_lock_nothing_starts_or_advances_and_rolling_back_does(world):
    world.up_to("everyone", "active")
    once(world)
    found = refused(world.do, "advance", "everyone", "mia")
    assert found.codes == {"change_lock"}
    assert "Change lock: code freeze, until" in str(found)
    assert world.do("roll_back", "everyone", "mia", reason="latency").state == "rolled_back"


def test_an_admin_may_pass_a_lock_and_owes_a_review(world):
    world.up_to("team", "approved")
    once(world)
    assert refused(world.do, "start", "team", "mia").codes == {"change_lock"}
    done = world.do("start", "team", "root", reason="the fix itself", override=True, confirm="haiku")
    assert done.overrides.get().blockers[0].startswith("Change lock: code freeze")


def test_a_lock_that_is_over_or_to_come_holds_nothing(world):
    world.up_to("team", "approved")
    once(world, -3, -1)
    once(world, 1, 3)
    assert locks.standing(world.now()).holding == ()
    assert [title for _, title in locks.coming(world.now())] == ["code freeze"]
    assert world.do("start", "team", "mia").state == "active"


def test_a_weekly_lock_follows_its_zone_over_the_change_of_clocks(world, time_machine):
    locks.add(
        {"title": "weekend", "kind": "weekly", "from_day": 4, "from_time": time(12), "to_day": 0, "to_time": time(9),
         "zone": "Europe/Berlin"},
        by=world.actor("mia"),
    )  # fmt: skip
    for moment, holds in (
        (datetime(2026, 10, 23, 9, 59, tzinfo=UTC), False),  # Friday 11:59 in summer
        (datetime(2026, 10, 23, 10, 1, tzinfo=UTC), True),
        (datetime(2026, 10, 26, 7, 59, tzinfo=UTC), True),  # Monday 8:59 in winter
        (datetime(2026, 10, 26, 8, 1, tzinfo=UTC), False),
    ):
        assert bool(locks.standing(moment).holding) is holds, moment


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"title": ""}, "give the lock a title"),
        ({"ends": datetime(2026, 12, 1)}, "end"),
        ({"zone": "Europe/Bonn"}, "Europe/Bonn"),
        ({"starts": datetime(2027, 3, 28, 2, 30), "ends": datetime(2027, 3, 29), "zone": "Europe/Berlin"},
         "does not exist in Europe/Berlin"),
        ({"starts": datetime(2027, 10, 31, 2, 30), "ends": datetime(2027, 11, 1), "zone": "Europe/Berlin"},
         "exists twice in Europe/Berlin"),
        ({"ends": datetime(2029, 1, 1)}, "more than a year"),
        ({"starts": None}, "say when the lock starts"),
        ({"kind": "weekly"}, "say on which day"),
        ({"kind": "weekly", "from_day": 1, "from_time": time(9), "to_day": 1, "to_time": time(9)}, "nds"),
        ({"instance": "moon"}, "There is no GitLab instance moon"),
    ],
)  # fmt: skip
def test_a_lock_that_can_not_be_is_refused_in_words(world, message, words):
    start = {"title": "x", "kind": "once", "starts": datetime(2026, 12, 2), "ends": datetime(2026, 12, 3)}
    found = refused(locks.add, {**start, **message}, by=world.actor("mia"))
    assert words.lower() in str(found).lower(), str(found)
    assert not ChangeLock.objects.exists()


def test_who_may_enter_and_end_a_lock(world):
    for name in ("vic", "alice"):
        assert refused(once, world, by=name).codes == {"role"}
    lock = once(world, by="root")
    assert refused(locks.end, lock, by=world.actor("mia"), reason="x").codes == {"role"}
    assert refused(locks.end, lock, by=world.actor("root"), reason=" ").codes == {"reason_missing"}
    assert locks.end(lock, by=world.actor("root"), reason="it is over").ended_by == "root"
    assert refused(locks.end, lock, by=world.actor("root"), reason="x").codes == {"ended"}
    assert locks.standing(world.now()).holding == ()
    verbs = list(AuditEvent.objects.filter(verb__startswith="lock.").order_by("pk").values_list("verb", flat=True))
    assert verbs == ["lock.add", "lock.end"]


def test_open_incidents_lock_and_their_titles_stay_in_gitlab(world):
    world.up_to("team", "approved")
    state = world.gitlab.state
    state.add_project("acme/production")
    with recorded("test", by=world.actor("root")):
        IncidentSource.objects.create(instance=world.rollout().flag.instance, path="acme/production")
    assert refused(world.do, "start", "team", "mia").codes == {"locks_unknown"}
    state.add_issue("acme/production", "database on fire", iid=7, labels=["severity::1"], confidential=True)
    state.add_issue("acme/production", "a typo", iid=8, labels=["severity::4"])
    world.sync()
    found = refused(world.do, "start", "team", "mia")
    assert found.codes == {"change_lock"}
    assert "open severity::1 issue acme/production#7" in str(found)
    for name in ("vic", "mia"):
        assert "on fire" not in signed_in(world, name).get("/locks/").content.decode()
    assert not AuditEvent.objects.filter(after__icontains="on fire").exists()
    state.set_issue("acme/production", 7, state="closed")
    world.sync()
    assert world.do("start", "team", "mia").state == "active"


def test_incidents_that_can_not_be_read_hold_what_would_widen(world, time_machine):
    world.up_to("team", "approved")
    world.gitlab.state.add_project("acme/production")
    with recorded("test", by=world.actor("root")):
        IncidentSource.objects.create(instance=world.rollout().flag.instance, path="acme/production")
    world.sync()
    world.gitlab.fail(path="production", status=500)
    time_machine.move_to(world.now() + timedelta(minutes=10))
    world.sync()
    found = refused(world.do, "start", "team", "mia")
    assert found.codes == {"locks_unknown"}
    assert "The incidents of acme/production were last read 10 min ago" in str(found)


def test_a_calendar_file_locks(world):
    world.up_to("team", "approved")
    start = f"{world.now() - timedelta(hours=1):%Y%m%dT%H%M%SZ}"
    content = ics(["SUMMARY:Family and friends day", f"DTSTART:{start}", "DURATION:PT5H"])
    assert refused(kept_calendars.import_calendar, "freezes", content, by=world.actor("mia")).codes == {"role"}
    kept_calendars.import_calendar("freezes", content, by=world.actor("root"))
    found = refused(world.do, "start", "team", "mia")
    assert "Change lock: Family and friends day, until" in str(found)
    kept_calendars.remove_calendar(LockCalendar.objects.get(), by=world.actor("root"), reason="wrong one")
    assert world.do("start", "team", "mia").state == "active"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x" * 10_000_000, "1 MB"),
        (b"<html>sign in</html>", "iCalendar"),
        (ics(["SUMMARY:x", "DTSTART:20261201T100000Z", "DTEND:soon"]), "line 9 can't be read: DTEND is «soon»"),
        (
            ics(["SUMMARY:x", "DTSTART:20261101T000000Z", "DURATION:PT1S", "RRULE:FREQ=HOURLY"]),
            "more than 5,000 periods",
        ),
        (ics(["SUMMARY:x", "DTSTART;TZID=Mars/Olympus:20261201T100000", "DURATION:PT1H"]), "Mars/Olympus"),
    ],
)
def test_a_calendar_that_can_not_be_is_refused_in_words(world, content, words):
    found = refused(kept_calendars.import_calendar, "freezes", content, by=world.actor("root"))
    assert words in str(found), str(found)
    assert not LockCalendar.objects.exists()
    import io

    client = signed_in(world, "root")
    file = io.BytesIO(content)
    file.name = "freezes.ics"
    page = client.post("/locks/calendars/", {"name": "freezes", "file": file})
    assert page.status_code == 422
    assert words in page.content.decode().replace("&#x27;", "'")


@pytest.mark.parametrize(
    "url", ["http://calendar.example.com/a.ics", "https://evil.example.com/a.ics", "https://u:p@calendar.example.com/",
            "file:///etc/passwd", "https://calendar.example.com.evil.com/", ""],
)  # fmt: skip
def test_a_calendar_is_read_from_allowed_hosts_only(world, settings, url):
    settings.LOCK_CALENDAR_HOSTS = ["calendar.example.com"]
    assert "host" in refused(kept_calendars.add_calendar, "freezes", url, by=world.actor("root")).codes


def test_a_calendar_at_an_address_is_read_by_the_job(world, settings, tmp_path, monkeypatch):
    """A real HTTPS server on loopback, with a certificate that this test trusts."""
    import subprocess

    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True,
    )  # fmt: skip
    answers = {"/a.ics": ics(["SUMMARY:Release day", "DTSTART:20261224T000000Z", "DTEND:20270102T000000Z"])}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = answers.get(self.path)
            self.send_response(200 if body else 302)
            if body is None:
                self.send_header("Location", "https://localhost/a.ics")
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    settings.LOCK_CALENDAR_HOSTS = ["localhost"]
    try:
        for name, path in (("good", "/a.ics"), ("elsewhere", "/moved")):
            kept_calendars.add_calendar(name, f"https://localhost:{server.server_port}{path}", by=world.actor("root"))
        calendars.read_due()
        good, moved = LockCalendar.objects.get(name="good"), LockCalendar.objects.get(name="elsewhere")
        assert (good.outcome, good.read_at is not None) == ("ok", True)
        assert (moved.outcome, moved.words) == ("bad_answer", "Its server answered 302.")
        assert "The calendar elsewhere" in locks.standing(world.now()).unread[0][1]
        answers["/a.ics"] = b"x" * 2_000_000
        calendars.read(good)
        good.refresh_from_db()
        assert "larger than 1 MB" in good.words
        assert [one.title for one in good.periods.all()] == ["Release day"]
    finally:
        server.shutdown()


def test_the_page_enters_and_ends_locks(world):
    mia = signed_in(world, "mia")
    form = {"title": "freeze", "kind": "once", "starts": "2026-12-24T12:00", "ends": "2027-01-02T09:00",
            "zone": "Europe/Berlin"}  # fmt: skip
    assert mia.post("/locks/", form).status_code == 303
    lock = ChangeLock.objects.get()
    assert lock.starts_at == datetime(2026, 12, 24, 11, tzinfo=UTC)
    bad = mia.post("/locks/", {**form, "ends": "2026-12-24T11:00"})
    assert bad.status_code == 422
    assert "Nothing was changed" in bad.content.decode()
    assert mia.post("/locks/", {**form, "starts": "soon"}).status_code == 422
    assert signed_in(world, "vic").post("/locks/", form).status_code == 403
    assert mia.post(f"/locks/{lock.pk}/end/", {"reason": "not needed"}).status_code == 303
    assert ChangeLock.objects.count() == 1
