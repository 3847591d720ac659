"""Change locks by hand, and a calendar that a lock may come from."""

from datetime import timedelta

from rollouts.services import locks


def ics(*events):
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//acme//freezes//EN"]
    for number, event in enumerate(events):
        lines += ["BEGIN:VEVENT", f"UID:{number}@acme", "DTSTAMP:20261101T000000Z", *event, "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


def once(world, hours_from=-1, hours_to=1, by="mia", **more):
    now = world.now().replace(tzinfo=None)
    said = {"title": "code freeze", "kind": "once", "zone": "UTC", "starts": now + timedelta(hours=hours_from)}
    return locks.add({**said, "ends": now + timedelta(hours=hours_to), **more}, by=world.actor(by))
