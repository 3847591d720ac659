"""Who is in by a percentage of a project's flag: the rule of the Unleash clients that read GitLab's project flags.

Source: Unleash's clients (``normalizedStrategyValue``): MurmurHash3 (x86, 32 bits, seed 0) over ``groupId:id``, modulo
100, plus 1. An id is in as soon as the percentage reaches that number. The same in all of Unleash's clients.
"""

from __future__ import annotations

MASK = 0xFFFFFFFF


def enters_at(user_id: str, *, group_id: str) -> int:
    """The percentage, 1 to 100, from which on this id is in."""
    return murmur3(f"{group_id}:{user_id}".encode()) % 100 + 1


def murmur3(content: bytes) -> int:
    """MurmurHash3, x86, 32 bits, seed 0 (public domain, Austin Appleby)."""
    value = 0
    whole = len(content) // 4 * 4
    for at in range(0, whole, 4):
        value ^= _mixed(int.from_bytes(content[at : at + 4], "little"))
        value = (_rotated(value, 13) * 5 + 0xE6546B64) & MASK
    if rest := content[whole:]:
        value ^= _mixed(int.from_bytes(rest, "little"))
    value ^= len(content)
    value = (value ^ value >> 16) * 0x85EBCA6B & MASK
    value = (value ^ value >> 13) * 0xC2B2AE35 & MASK
    return value ^ value >> 16


def _mixed(block: int) -> int:
    return _rotated(block * 0xCC9E2D51 & MASK, 15) * 0x1B873593 & MASK


def _rotated(value: int, by: int) -> int:
    return (value << by | value >> 32 - by) & MASK
