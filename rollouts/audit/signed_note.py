"""Checkpoints as signed notes: C2SP's ``signed-note`` and ``tlog-checkpoint``, with Ed25519 keys.

A note is text: where the log is, how many events are sealed, the root of their tree, when; then a line for each key.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

#: What the specification numbers Ed25519.
_ED25519 = b"\x01"
_PEM = re.compile(r"-----BEGIN PRIVATE KEY-----.*?-----END PRIVATE KEY-----", re.DOTALL)
_SIGNATURE = re.compile(r"— (?P<name>[^\s+]+) (?P<data>[A-Za-z0-9+/]+={0,2})")
LONGEST = 20_000
_CURE = "Make a key with: openssl genpkey -algorithm ed25519"


class NoteRefused(ValueError):
    """This is no checkpoint, or none that these keys have signed."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key by its name; as text ``name+hex+base64``, which the specification calls a verifier key."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def read(cls, text: str) -> Verifier:
        """Raises ``NoteRefused``."""
        name, _, rest = text.strip().partition("+")
        key_id, _, key = rest.partition("+")
        try:
            data = b64decode(key, validate=True)
        except ValueError:
            data = b""
        if not name or len(data) != 33 or data[:1] != _ED25519 or cls(name, data[1:]).key_id.hex() != key_id:
            raise NoteRefused("This is no verifier key of Ed25519. It looks like name+12ab34cd+AT….")
        return cls(name, data[1:])

    def accepts(self, signature: bytes, text: str) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    verifier: Verifier
    private: Ed25519PrivateKey

    def line(self, text: str) -> str:
        signature = self.private.sign(text.encode())
        return f"— {self.verifier.name} {b64encode(self.verifier.key_id + signature).decode()}\n"


def signers(pem: str, name: str) -> list[Signer]:
    """The keys of a setting, one PEM block after the other. Raises ``NoteRefused``."""
    blocks = _PEM.findall(pem)
    if pem.strip() and not blocks:
        raise NoteRefused(f"AUDIT_SIGNING_KEY holds no PEM block. {_CURE}")
    found = []
    for block in blocks:
        try:
            key = load_pem_private_key(block.encode(), password=None)
        except (ValueError, TypeError):
            raise NoteRefused(f"AUDIT_SIGNING_KEY can't be read: it is damaged. {_CURE}") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise NoteRefused(f"AUDIT_SIGNING_KEY is not of Ed25519. {_CURE}")
        found.append(Signer(Verifier(name, key.public_key().public_bytes_raw()), key))
    return found


def new_key() -> bytes:
    """A fresh private key as PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, slots=True)
class Note:
    """A checkpoint: ``root`` is that of the tree of the first ``size`` events; ``at`` None where it says none."""

    origin: str
    size: int
    root: bytes
    at: datetime | None
    #: What is signed.
    text: str
    #: Name, key id and signature of each line.
    signatures: tuple[tuple[str, bytes, bytes], ...] = ()

    def signed_by(self, verifiers: Iterable[Verifier]) -> list[Verifier]:
        """Those of them that have signed it."""
        return [
            verifier
            for verifier in verifiers
            if any(
                (name, key_id) == (verifier.name, verifier.key_id) and verifier.accepts(signature, self.text)
                for name, key_id, signature in self.signatures
            )
        ]


def write(origin: str, size: int, root: bytes, at: datetime, by: Sequence[Signer]) -> str:
    """The note with a signature by each key; without keys it is signed by nobody."""
    moment = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    text = f"{origin}\n{size}\n{b64encode(root).decode()}\nat {moment}\n"
    return f"{text}\n{''.join(signer.line(text) for signer in by)}"


def read(note: str) -> Note:
    """Raises ``NoteRefused``."""
    text, blank, lines = note[:LONGEST].replace("\r\n", "\n").partition("\n\n")
    parts = text.split("\n")
    try:
        origin, size, root, *more = parts
        if not origin or not blank or not re.fullmatch(r"0|[1-9]\d{0,17}", size):
            raise ValueError
        hashed = b64decode(root, validate=True)
        if len(hashed) != 32:
            raise ValueError
    except ValueError:
        raise NoteRefused(
            "This is no checkpoint: it begins with the name of the log, the number of events and a hash, a line each."
        ) from None
    at = None
    for line in more:
        if line.startswith("at "):
            try:
                at = datetime.fromisoformat(line.removeprefix("at "))
            except ValueError:
                raise NoteRefused(f"The checkpoint's time {line[3:43]!r} is none.") from None
    signatures = []
    for line in lines.splitlines():
        found = _SIGNATURE.fullmatch(line)
        data = _decoded(found["data"]) if found else b""
        if found is None or len(data) < 5:
            raise NoteRefused(f"The checkpoint's line {line[:40]!r} is no signature.")
        signatures.append((found["name"], data[:4], data[4:]))
    return Note(origin, int(size), hashed, at, f"{text}\n", tuple(signatures))


def _decoded(data: str) -> bytes:
    try:
        return b64decode(data, validate=True)
    except ValueError:
        return b""
