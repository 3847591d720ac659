"""Passkeys (W3C Web Authentication) as second factors: a key that stays in the device, and works at this address only.

``fido2`` makes the challenges and judges the answers. What a browser has to answer waits in the session; a challenge
is answered once.
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.crypto import salted_hmac

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import Passkey, SecondFactor, clock
from ..rules.blockers import Blocker
from ..rules.phrases import say
from . import accounts, second_factors
from .refusals import Refused, refuse_if
from .second_factors import NAME, WrongCode

if TYPE_CHECKING:
    from fido2.server import Fido2Server
    from fido2.webauthn import AttestedCredentialData

#: In a session: the challenge that a browser has to answer.
CHALLENGE = "passkey_challenge"
PASSKEY = "passkey"
MOST, LONGEST_NAME, LONGEST_ANSWER = 10, 60, 20_000
NOT_RIGHT = say("This passkey did not answer as it must. Begin again.")


def begin_adding(person: User) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a browser makes a passkey by, and what its answer is judged by."""
    from fido2.webauthn import PublicKeyCredentialUserEntity, UserVerificationRequirement

    handle = salted_hmac("rollouts.passkey_user", str(person.pk), algorithm="sha256").digest()
    user = PublicKeyCredentialUserEntity(name=person.get_username(), id=handle, display_name=person.get_full_name())
    options, state = _server().register_begin(
        user, [_credential(one) for one in of(person)], user_verification=UserVerificationRequirement.PREFERRED
    )
    return _as_json(options), dict(state)


def begin_showing(person: User) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a browser asks a passkey of this person for, and what its answer is judged by."""
    from fido2.webauthn import UserVerificationRequirement

    options, state = _server().authenticate_begin(
        [_credential(one) for one in of(person)], user_verification=UserVerificationRequirement.PREFERRED
    )
    return _as_json(options), dict(state)


def of(person: User) -> list[Passkey]:
    return list(Passkey.objects.filter(factor__person=person))


def add(person: User, state: Mapping[str, Any] | None, answer: str, name: str, *, by: Actor) -> list[str]:
    """Theirs from now on; recovery codes where it is their first second factor. Raises ``WrongCode``, ``Refused``."""
    blockers = [] if accounts.is_own(person, by) else [second_factors.not_own(person)]
    if len(of(person)) >= MOST:
        blockers.append(Blocker("many", say("You have {most} passkeys: remove one first.", most=MOST)))
    if not name.strip():
        blockers.append(Blocker("name_missing", say("Say what it is called: telephone, key on the ring.")))
    refuse_if(blockers)
    known = _judged(lambda: _server().register_complete(state, _read(answer)), state)
    credential = known.credential_data
    key = b64encode(credential.credential_id).decode()
    if Passkey.objects.filter(credential_id=key).exists():
        raise WrongCode(say("This passkey is there already."))
    with recorded("factor.add_passkey", by=by, about=person):
        factor, codes = second_factors.ensure(person)
        Passkey.objects.create(
            factor=factor,
            name=name.strip()[:LONGEST_NAME],
            credential_id=key,
            credential=b64encode(credential).decode(),
            sign_count=known.counter,
            added_at=clock.now(),
        )
    return codes


def show(person: User, state: Mapping[str, Any] | None, answer: str, *, address: str) -> str:
    """Take the answer of one of their passkeys; what was shown. Raises ``WrongCode``, and leaves an event of that."""
    with recorded("factor.show", by=Actor.of(person), about=person):
        factor = SecondFactor.objects.locked().get(person=person)
        second_factors.refuse_locked(factor)
        is_right = _is_right(person, state, answer)
        second_factors.count(factor, is_right=is_right)
        factor.save()
    if not is_right:
        second_factors.tell_failure(person, factor, address)
        raise WrongCode(NOT_RIGHT)
    return PASSKEY


def remove(person: User, pk: int, *, by: Actor) -> None:
    """With the whole second factor, where it is the last of it. Raises ``Refused``; then nothing changed."""
    refuse_if([] if accounts.is_own(person, by) else [second_factors.not_own(person)])
    with recorded("factor.remove_passkey", by=by, about=person):
        factor = SecondFactor.objects.locked().filter(person=person).first()
        passkey = Passkey.objects.filter(factor=factor, pk=pk).first() if factor else None
        if factor is None or passkey is None:
            raise Refused([Blocker("no_factor", say("There is no such passkey."))])
        if not factor.secret and factor.passkeys.count() == 1:
            refuse_if(second_factors.must_stay(person))
            passkey.delete()
            factor.delete()
        else:
            passkey.delete()


def _is_right(person: User, state: Mapping[str, Any] | None, answer: str) -> bool:
    from fido2.webauthn import AuthenticationResponse

    known = {one.credential_id: one for one in of(person)}
    credentials = [_credential(one) for one in known.values()]

    def judge() -> tuple[str, int]:
        response = AuthenticationResponse.from_dict(_read(answer))
        used = _server().authenticate_complete(state, credentials, response)
        return b64encode(used.credential_id).decode(), response.response.authenticator_data.counter

    try:
        key, counter = _judged(judge, state)
    except WrongCode:
        return False
    passkey = known[key]
    if counter and counter <= passkey.sign_count:  # somebody has a copy of the key (WebAuthn, 6.1.1)
        return False
    passkey.sign_count, passkey.used_at = counter, clock.now()
    passkey.save()
    return True


def _judged(judge: Any, state: Mapping[str, Any] | None) -> Any:
    """What a stranger sent may be anything; whatever is wrong with it is one answer."""
    if not state:
        raise WrongCode(NOT_RIGHT)
    try:
        return judge()
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, struct.error):
        raise WrongCode(NOT_RIGHT) from None


def _read(answer: str) -> dict[str, Any]:
    try:
        read = json.loads(answer) if len(answer) <= LONGEST_ANSWER else None
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise WrongCode(NOT_RIGHT)
    return read


def _server() -> Fido2Server:
    """For the address of the portal alone: elsewhere a browser does not even ask for the key."""
    from fido2.server import Fido2Server
    from fido2.webauthn import PublicKeyCredentialRpEntity

    address = urlsplit(settings.PORTAL_URL)
    rp = PublicKeyCredentialRpEntity(name=NAME, id=address.hostname or "localhost")
    origin = f"{address.scheme}://{address.netloc}"
    return Fido2Server(rp, verify_origin=lambda told: told == origin)


def _credential(passkey: Passkey) -> AttestedCredentialData:
    from fido2.webauthn import AttestedCredentialData

    return AttestedCredentialData(b64decode(passkey.credential))


def _as_json(options: Any) -> dict[str, Any]:
    return dict(dict(options)["publicKey"])
