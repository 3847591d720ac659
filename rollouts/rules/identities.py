"""What an identity provider says of somebody, and which roles their groups give. Pure.

Claims: OpenID Connect Core 1.0, section 5.1. GitLab tells ``groups`` at its userinfo endpoint only
(doc/integration/openid_connect_provider.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .machine import Role
from .phrases import invalid, shorten

LONGEST_SUBJECT = 255
#: Of the year 9999.
LAST_SECOND = 253_402_300_000
_MAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\Z")


@dataclass(frozen=True, slots=True)
class Claims:
    """``address`` only where the provider has verified it; ``groups`` by their full paths, in small letters.

    ``proved_at``: when the person showed the provider who they are (``auth_time``), where it says so.
    """

    subject: str
    username: str
    address: str
    groups: frozenset[str]
    proved_at: datetime | None = None


def read(claims: Mapping[str, Any], userinfo: Mapping[str, Any], groups_claim: str = "groups") -> Claims:
    """Those of the checked ID token, with what userinfo adds to them. Raises ValueError with a sentence.

    Userinfo of somebody else is refused (Core 1.0, section 5.3.2).
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise invalid("The provider does not say who signs in: its answer has no sub.")
    if userinfo.get("sub") != subject:
        raise invalid("The provider tells of somebody else than who signed in: sub of its two answers differs.")
    both = {**claims, **userinfo}
    name = both.get("preferred_username") or both.get("nickname")
    address = both.get("email")
    is_verified = both.get("email_verified") is True
    groups = both.get(groups_claim)
    return Claims(
        subject,
        name if isinstance(name, str) else "",
        address if is_verified and isinstance(address, str) and _MAIL.match(address) else "",
        frozenset(one.strip("/").lower() for one in groups if isinstance(one, str))
        if isinstance(groups, list)
        else frozenset(),
        _moment(claims.get("auth_time")),
    )


def _moment(seconds: Any) -> datetime | None:
    """Of the ID token only: it is signed."""
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds < LAST_SECOND:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def roles_by_group(written: str) -> dict[str, frozenset[Role]]:
    """Read ``group/path:role group/path:role``. Raises ValueError with a sentence for the operator."""
    found: dict[str, frozenset[Role]] = {}
    for pair in written.split():
        path, _, name = pair.rpartition(":")
        if not path.strip("/") or name not in set(Role):
            raise invalid(
                "“{pair}” is no group with a role. Write group/path:role, with blanks between; roles are {roles}.",
                pair=shorten(pair),
                roles=", ".join(Role),
            )
        key = path.strip("/").lower()
        found[key] = found.get(key, frozenset()) | {Role(name)}
    return found


def roles_named(written: str) -> frozenset[Role]:
    """Read ``admin approver``. Raises ValueError with a sentence for the operator."""
    names = written.split()
    if wrong := next((name for name in names if name not in set(Role)), ""):
        raise invalid("“{name}” is no role. Roles are {roles}.", name=shorten(wrong), roles=", ".join(Role))
    return frozenset(map(Role, names))


def roles_of(groups: Iterable[str], by_group: Mapping[str, frozenset[Role]]) -> frozenset[Role]:
    """All roles that these groups give; none where none is mapped."""
    return frozenset[Role]().union(*(by_group.get(group, frozenset()) for group in groups))
