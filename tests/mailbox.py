"""A real mail server on loopback, and what it has taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_network
from typing import Any

from aiosmtpd.controller import Controller


class Inbox:
    """The server's other end: keeps what it takes. ``refuses`` answers the text, ``no_such`` addresses it does not
    know, ``hangs`` seconds before it answers anything.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuses, self.no_such, self.hangs = "", set[str](), 0.0

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address in self.no_such:
            return "550 no such user at secret-server-7"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.hangs:
            await asyncio.sleep(self.hangs)
        if self.refuses:
            return self.refuses
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["To"] == address]


class OnAnyPort(Controller):
    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def serving(handler: Inbox) -> Iterator[OnAnyPort]:
    server = OnAnyPort(handler, hostname="127.0.0.1", port=0)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def mail_server(settings: Any) -> Iterator[Inbox]:
    """The portal's settings pointed at a server of its own."""
    handler = Inbox()
    with serving(handler) as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.hostname, server.port
        settings.PRIVATE_NETWORKS = [ip_network("127.0.0.0/8")]
        settings.SENDS_MAIL, settings.MAIL_SETTLE_SECONDS = True, 0
        yield handler
