"""Tell chats what they are owed, by Apprise. A chat that does not answer holds no other up.

A chat can't be asked whether it has a line, and nobody decides by it alone: what was on its way when its worker died
is not sent again, so that nobody is told twice.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings

from ..models import OwedChat, clock
from ..rules.phrases import say
from ..services import notices
from . import addresses, senders
from .senders import Away, Sent, State

MOST_IN_ONE_GO = 50
#: The line, and the address of the button.
Line = Callable[[OwedChat], tuple[str, str]]


def way(name: str) -> str:
    return f"chat {name}"[:40]


def work(line: Line) -> Sent:
    """Send what is due, to each chat in its order."""
    sent, now = Sent(), clock.now()
    due = senders.waiting(OwedChat, now)
    for name in sorted(set(due.order_by().values_list("name", flat=True).distinct())):
        rows = due.filter(name=name).select_related("event__rollout").order_by("next_attempt_at", "pk")
        if name not in settings.NOTIFY_URLS:
            words = say("NOTIFY_URLS names no {name} any more.", name=name)
            senders.end(list(rows), State.GIVEN_UP, words)
            continue
        with senders.turn(way(name)) as turn:
            if turn is None:
                continue
            for owed in rows[:MOST_IN_ONE_GO]:
                turn.renew()
                _tell(owed, line, sent)
    return sent


def _tell(owed: OwedChat, line: Line, sent: Sent) -> None:
    """Raises ``Away`` where the chat does not take it; then it waits as it did."""
    if clock.now() - owed.next_attempt_at > notices.OLD:
        senders.end([owed], State.GIVEN_UP, say("The chat took nothing for days."))
        sent.given_up += 1
        return
    words, url = line(owed)
    senders.end([owed], State.SENT)
    try:
        _send(owed.name, words, url)
    except Away:
        OwedChat.objects.filter(pk=owed.pk).update(state=State.WAITING, ended_at=None, attempts=owed.attempts + 1)
        sent.later += 1
        raise
    sent.sent += 1


def _send(name: str, words: str, url: str) -> None:
    # Not above: Apprise knows 100 services, and few processes tell chats.
    import apprise

    chat = apprise.Apprise.instantiate(settings.NOTIFY_URLS[name], suppress_exceptions=True)
    if chat is None:
        raise Away(say("The address of {name} in NOTIFY_URLS is none that Apprise knows.", name=name))
    with addresses.guarded() as kept_from:
        taken = chat.notify(body=f"{words}\n{url}", body_format=apprise.NotifyFormat.TEXT)
    if kept_from:
        words = say("{address} is a private address: name its network in PRIVATE_NETWORKS.", address=kept_from[0])
        raise Away(words)
    if not taken:
        raise Away(say("The chat {name} did not take it.", name=name))
