"""A second factor beside the password: added and shown by its person, taken away by them or an operator.

Codes are those of RFC 6238 (30 seconds, six digits, SHA-1, as authenticators have them); one step to either side is
taken for clocks that differ, and none twice. Who comes by the identity provider has their second factor there.
Passkeys have a module of their own.
"""

from __future__ import annotations

import secrets
from base64 import b32encode
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.crypto import constant_time_compare, salted_hmac

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import SecondFactor, clock, roles
from ..models.second_factors import SHOWN, has_one, opened, sealed
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..rules.phrases import say
from . import accounts, sign_ins
from .refusals import Refused, refuse_if, role_missing

STEP, DIGITS, AROUND = 30, 6, 1
RECOVERY_CODES = 10
#: So many wrong codes in a row, and nothing is taken for as long.
MOST_FAILURES, LOCKED_FOR = 5, timedelta(minutes=15)
NAME = "Model Rollout Portal"
#: What was shown, as the history says it.
AUTHENTICATOR, RECOVERY_CODE = "authenticator", "recovery code"


class WrongCode(Exception):
    """Not taken; says why. ``is_locked``: none is, for a while."""

    def __init__(self, words: str, *, is_locked: bool = False) -> None:
        super().__init__(words)
        self.is_locked = is_locked


def must(user: Any) -> bool:
    """Whether the setting asks this person for one."""
    wanted = settings.REQUIRE_SECOND_FACTOR
    return bool(wanted) and user.is_authenticated and bool(wanted & roles.of(user))


def missing(user: Any, session: Any, *, by_password: bool) -> str:
    """What somebody who signed in by a password has yet to do before anything else: ``show``, ``add``, or nothing."""
    if not by_password or not user.is_authenticated:
        return ""
    if has_one(user):
        return "" if SHOWN in session else "show"
    return "add" if must(user) else ""


def lacks(user: Any) -> bool:
    """Whether the setting asks for one, and neither it nor the identity provider's is there."""
    return must(user) and not has_one(user) and getattr(user, "identity", None) is None


def new_secret() -> str:
    """Sealed, to be kept in the session until its first code was shown."""
    return sealed(secrets.token_bytes(20))


def written(secret: str) -> str:
    """As people type it into an authenticator."""
    return b32encode(opened(secret) or b"").decode().rstrip("=")


def link(person: User, secret: str) -> str:
    """By which an authenticator on the same device takes it."""
    label = quote(f"{NAME}:{person.get_username()}")
    return f"otpauth://totp/{label}?{urlencode({'secret': written(secret), 'issuer': NAME})}"


def add(person: User, secret: str, code: str, *, by: Actor) -> list[str]:
    """Theirs from now on; the recovery codes, told this once, where it is their first factor.

    Raises ``WrongCode`` and ``Refused``.
    """
    blockers = [] if accounts.is_own(person, by) else [not_own(person)]
    if has_authenticator(person):
        blockers.append(Blocker("has_factor", say("You have a second factor already: remove it first.")))
    refuse_if(blockers)
    step = _step_of(opened(secret), code, after=0)
    if step is None:
        raise WrongCode(say("That is not the code of this moment. Wait for the next one, and look at your clock."))
    with recorded("factor.add", by=by, about=person):
        factor, codes = ensure(person)
        factor.secret, factor.last_step = secret, step
        factor.save()
    return codes


def has_authenticator(person: Any) -> bool:
    factor = getattr(person, "second_factor", None)
    return factor is not None and bool(factor.secret)


def ensure(person: User) -> tuple[SecondFactor, list[str]]:
    """Inside the recorded change that adds to it: theirs, and the recovery codes where it is new."""
    factor = SecondFactor.objects.locked().filter(person=person).first()
    if factor is not None:
        return factor, []
    codes = _codes()
    return SecondFactor.objects.create(person=person, recovery=_hashed(codes), added_at=clock.now()), codes


def refuse_locked(factor: SecondFactor) -> None:
    """Raises ``WrongCode`` where nothing is taken for a while."""
    if factor.failures >= MOST_FAILURES and factor.failed_at and clock.now() - factor.failed_at < LOCKED_FOR:
        raise WrongCode(say("Too many wrong codes. Wait a quarter of an hour."), is_locked=True)


def count(factor: SecondFactor, *, is_right: bool) -> None:
    factor.failures, factor.failed_at = (0, None) if is_right else (factor.failures + 1, clock.now())


def tell_failure(person: User, factor: SecondFactor, address: str) -> None:
    sign_ins.factor_failed(person, address=address)
    if factor.failures >= MOST_FAILURES:
        sign_ins.factor_locked(person, address=address)


def show(person: User, code: str, *, by: Actor, address: str) -> str:
    """Take a code of the authenticator, or one of the recovery codes, which then is used up; which of them it was.

    Raises ``WrongCode``, and leaves an event of that.
    """
    code = "".join(code.split()).lower()
    shown = RECOVERY_CODE if len(code) > DIGITS else AUTHENTICATOR
    is_right = False
    with recorded("factor.recovery_used", by=by, about=person) as recording:
        factor = SecondFactor.objects.locked().get(person=person)
        refuse_locked(factor)
        if shown == RECOVERY_CODE:
            used = next((one for one in factor.recovery if constant_time_compare(one, *_hashed([code]))), None)
            is_right = used is not None
            if used is not None:
                factor.recovery = [one for one in factor.recovery if one != used]
                recording.notes["codes_left"] = len(factor.recovery)
        else:
            step = _step_of(opened(factor.secret), code, after=factor.last_step)
            is_right = step is not None
            factor.last_step = step or factor.last_step
        count(factor, is_right=is_right)
        factor.save()
    if not is_right:
        tell_failure(person, factor, address)
        raise WrongCode(say("That code is not right, or was used already. Wait for the next one."))
    return shown


def renew_codes(person: User, *, by: Actor) -> list[str]:
    """Other recovery codes; the old ones open nothing any more."""
    refuse_if([] if accounts.is_own(person, by) else [not_own(person)])
    codes = _codes()
    with recorded("factor.renew_codes", by=by, about=person):
        factor = SecondFactor.objects.locked().filter(person=person).first()
        if factor is None:
            raise Refused([Blocker("no_factor", say("There is no second factor."))])
        factor.recovery = _hashed(codes)
        factor.save()
    return codes


def remove(person: User, *, by: Actor, reason: str = "") -> None:
    """By its person, unless the setting asks for one; by an operator or admin where it is lost, with a reason.

    Who removes somebody else's had a hand in that account (docs/decisions/0038-own-accounts.md).
    """
    blockers = []
    if accounts.is_own(person, by):
        blockers += must_stay(person)
    else:
        blockers += role_missing(by, Role.ADMIN, say("Removing the second factor of somebody else"))
        if not reason.strip():
            blockers.append(Blocker("reason_missing", say("Say why: everybody who reads the history sees it.")))
    refuse_if(blockers)
    with recorded("factor.remove", by=by, about=person, reason=reason.strip()):
        factor = SecondFactor.objects.locked().filter(person=person).first()
        if factor is None:
            raise Refused([Blocker("no_factor", say("There is no second factor."))])
        for passkey in factor.passkeys.all():
            passkey.delete()
        factor.delete()
        accounts.touch(person, by)


def must_stay(person: User) -> list[Blocker]:
    if not must(person):
        return []
    return [Blocker("must", say("Your role needs a second factor: you can't be without one."))]


def not_own(person: User) -> Blocker:
    return Blocker(
        "role", say("Nobody but {name} has a hand in the second factor of {name}.", name=person.get_username())
    )


def _step_of(secret: bytes | None, code: str, *, after: int) -> int | None:
    """The time step of which this is the code; None where it is of none around now, or of none after that one."""
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.twofactor.hotp import HOTP

    if secret is None or len(code) != DIGITS or not (code.isascii() and code.isdecimal()):
        return None
    hotp, now = HOTP(secret, DIGITS, SHA1()), int(clock.now().timestamp()) // STEP  # noqa: S303 - RFC 6238: what authenticators have
    for step in range(now - AROUND, now + AROUND + 1):
        if step > after and constant_time_compare(hotp.generate(step).decode(), code):
            return step
    return None


def _codes() -> list[str]:
    return [secrets.token_hex(8) for _ in range(RECOVERY_CODES)]


def _hashed(codes: list[str]) -> list[str]:
    """Of 64 random bits each, so a fast hash does; keyed by ``SECRET_KEY``."""
    return [salted_hmac("rollouts.recovery_code", code, algorithm="sha256").hexdigest() for code in codes]
