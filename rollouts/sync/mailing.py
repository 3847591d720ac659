"""Send the mails that are owed: each once, whatever dies in between.

A mail that its server took while its worker died is sent again under the same Message-ID, which a mailbox keeps once
(docs/decisions/0112-mails-that-are-owed.md). How it reads, who calls says.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPSenderRefused, SMTPServerDisconnected
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import DatabaseError
from django.db.models import Count

from ..models import OwedMail, clock
from ..rules.phrases import say
from ..rules.telling import When
from ..services import notices
from ..services import wishes as wishes_of
from . import addresses, senders
from .senders import Away, Sent, State
from .writes import Later, Never

log = logging.getLogger(__name__)
WAY = "mail"
MOST_IN_ONE_GO = 500
#: Writes one notice, or the digest of several, for their person. Raises what it can't write.
Compose = Callable[[Sequence[OwedMail]], EmailMessage]


def work(compose: Compose, *, limit: int = MOST_IN_ONE_GO) -> Sent:
    """Send what is due, oldest first, until nothing is left or so much is tried."""
    sent = Sent()
    if not settings.SENDS_MAIL or not _due().exists():
        return sent
    with senders.turn(WAY) as turn:
        if turn is None:
            return sent
        server = _Server()
        _give_up_old(sent)
        try:
            while limit > 0 and (mails := _next(sent)):
                turn.renew()
                limit -= len(mails)
                _send(mails, compose, server, sent)
        finally:
            server.close()
    return sent


def standing() -> dict[str, int]:
    """How many mails wait, and how many were given up, by state."""
    told = OwedMail.objects.filter(state__in=(State.WAITING, State.GIVEN_UP))
    return dict(told.order_by().values_list("state").annotate(Count("pk")))


def _give_up_old(sent: Sent) -> None:
    """What no server took for days is no news when one does."""
    old = list(senders.waiting(OwedMail, clock.now() - notices.OLD)[:MOST_IN_ONE_GO])
    senders.end(old, State.GIVEN_UP, say("No mail could be sent for days."))
    sent.given_up += len(old)


def _due() -> Any:
    rows = senders.waiting(OwedMail, clock.now())
    return rows.select_related("notice__person", "notice__event__rollout").order_by("next_attempt_at", "pk")


def _next(sent: Sent) -> list[OwedMail]:
    """One mail that is due, or all of a person's digest; what needs no sending any more ends here."""
    while (first := _due().first()) is not None:
        person = first.notice.person
        mails = list(_due().filter(notice__person=person, in_digest=True)) if first.in_digest else [first]
        wishes = wishes_of.of(person).wishes
        moot = [mail for mail in mails if _is_moot(mail, wishes.mail(mail.notice.kind))]
        moot += _told_by_newer([mail for mail in mails if mail not in moot])
        senders.end(moot, State.DROPPED)
        sent.dropped += len(moot)
        left = [mail for mail in mails if mail not in moot]
        held_until = wishes.after_quiet(clock.now())
        if not left:
            continue
        if not first.in_digest and held_until > clock.now():
            OwedMail.objects.filter(pk=first.pk).update(next_attempt_at=held_until)
            continue
        return left
    return []


def _is_moot(mail: OwedMail, when: When) -> bool:
    notice = mail.notice
    was_read = notice.read_at is not None and notice.read_at != notice.at
    gone = not notice.person.is_active or not notice.person.email
    return notice.dropped or was_read or gone or when == When.OFF


def _told_by_newer(mails: list[OwedMail]) -> list[OwedMail]:
    """Of a digest: of a kind about one thing the newest says how it stands."""
    newest = {
        (mail.notice.kind, mail.notice.about): mail for mail in sorted(mails, key=lambda one: one.notice.event_id)
    }
    return [mail for mail in mails if newest[mail.notice.kind, mail.notice.about] is not mail]


def _send(mails: list[OwedMail], compose: Compose, server: _Server, sent: Sent) -> None:
    try:
        server.send(compose(mails))
    except Never as never:
        senders.end(mails, State.GIVEN_UP, never.args[0])
        sent.given_up += len(mails)
    except Later as later:
        senders.postpone(mails, later.args[0], sent)
    except (Away, senders.Lost, DatabaseError):
        raise
    except Exception as error:
        log.exception("mail %s could not be written", mails[0].pk)
        words = say("The portal itself failed at it ({error}): see the log.", error=type(error).__name__)
        senders.postpone(mails, words, sent)
    else:
        senders.end(mails, State.SENT)
        sent.sent += len(mails)


class _Server:
    """One connection for one go, opened when it is needed; one that the server ended is opened once more."""

    def __init__(self) -> None:
        self._connection: Any = None
        self._used = 0

    def send(self, mail: EmailMessage) -> None:
        """Raises ``Never``, ``Later`` or ``Away``.

        The server's own words may hold what it was told: its code is enough.
        """
        try:
            mail.message()
        except ValueError as error:  # a header that would be two, an address that is none
            log.warning("a mail can't be written: %s", error)
            raise Never(say("No mail can be written to this address.")) from None
        try:
            self._try(mail)
        except SMTPServerDisconnected:
            self.close()
            if not self._used:
                raise Away(say("The mail server ended the connection.")) from None
            self._used = 0
            self.send(mail)
        except SMTPRecipientsRefused as refused:
            raise _by_code(*next(iter(refused.recipients.values()))[:1]) from None
        except SMTPDataError as refused:
            raise _by_code(refused.smtp_code) from None
        except SMTPSenderRefused as refused:
            words = say("The mail server takes no mail from MAIL_FROM ({code}).", code=str(refused.smtp_code))
            raise Away(words) from None
        except addresses.PrivateAddress as refused:
            raise Away(say("The mail server is not asked: {words}.", words=str(refused))) from None
        except (OSError, SMTPException) as error:
            raise Away(say("The mail server did not take it ({error}).", error=type(error).__name__)) from None

    def _try(self, mail: EmailMessage) -> None:
        if self._connection is None:
            connection = get_connection()
            with addresses.guarded():
                connection.open()
            self._connection = connection
        self._connection.send_messages([mail])
        self._used += 1

    def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.close()
            except (OSError, SMTPException) as error:
                log.info("the mail server did not say good-bye (%s)", type(error).__name__)


def _by_code(code: int) -> Exception:
    if code >= 500:
        return Never(say("The mail server refuses it for good ({code}): is the address right?", code=str(code)))
    return Later(say("The mail server does not take it now ({code}).", code=str(code)))
