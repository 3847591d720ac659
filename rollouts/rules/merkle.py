"""Merkle trees as Certificate Transparency has them (RFC 6962 section 2.1): roots and proofs, SHA-256 throughout.

Leaves and nodes are 32 bytes each. The tests hold it against ``pymerkle``, which is another's work.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY = sha256().digest()


def leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: enough to add leaves and to say the root, however large the tree is.

    ``nodes`` are the roots of its full subtrees, the largest first: one for each bit of ``size``.
    """

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        self.size, self.nodes = size, list(nodes)
        if len(self.nodes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} full subtrees, not {len(self.nodes)}")

    def add(self, leaf_hash: bytes) -> None:
        size, self.size = self.size, self.size + 1
        self.nodes.append(leaf_hash)
        while size & 1:
            right, left = self.nodes.pop(), self.nodes.pop()
            self.nodes.append(node(left, right))
            size >>= 1

    @property
    def root(self) -> bytes:
        if not self.nodes:
            return EMPTY
        *others, root = self.nodes
        for left in reversed(others):
            root = node(left, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    frontier = Frontier()
    for each in leaves:
        frontier.add(each)
    return frontier.root


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of a leaf: the hashes beside the way from it to the root. Raises IndexError."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    path: list[bytes] = []
    low, high = 0, len(leaves)
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(root_of(leaves[middle:high]))
            high = middle
        else:
            path.append(root_of(leaves[low:middle]))
            low = middle
    return path[::-1]


def consistency(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """That the tree of the first so many leaves is the beginning of this one. Raises IndexError."""
    if not 0 < first <= len(leaves):
        raise IndexError(first)
    path: list[bytes] = []
    low, high, is_whole = 0, len(leaves), True
    while first != high:
        middle = low + _split(high - low)
        if first <= middle:
            path.append(root_of(leaves[middle:high]))
            high = middle
        else:
            path.append(root_of(leaves[low:middle]))
            low, is_whole = middle, False
    if not is_whole:
        path.append(root_of(leaves[low:high]))
    return path[::-1]


def _split(size: int) -> int:
    """The largest power of two that is smaller."""
    return 1 << (size - 1).bit_length() - 1
