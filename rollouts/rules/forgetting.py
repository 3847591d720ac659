"""How a person's name goes out of what was written: whole words of it become a name that is nobody's.

``user:mia`` and ``os:mia`` stay: they are accounts of GitLab and of the server, which are forgotten there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

#: What stands for somebody who left; with some random signs behind it, so that two who left are still two.
NOBODY = "somebody-who-left"

#: One text without the names.
Without = Callable[[str], str]


def stand_in(signs: str, number: int = 1) -> str:
    """``somebody-who-left-3f9a1c``; a person who had several user names has a second one, and so on."""
    return f"{NOBODY}-{signs}" + (f"-{number}" if number > 1 else "")


def is_stand_in(name: str) -> bool:
    return re.fullmatch(rf"{NOBODY}-[0-9a-f]{{6}}(-\d+)?", name) is not None


def without(words: Mapping[str, str]) -> Without:
    """Replace each of these words (user names, addresses of mail, full names) by what stands in for it.

    Only as a whole word: «mia» is neither in «miami» nor in «mia-2» nor in «mia@example.com».
    """
    longest_first = sorted(filter(None, words), key=len, reverse=True)
    if not longest_first:
        return lambda text: text
    any_of = "|".join(map(re.escape, longest_first))
    pattern = re.compile(rf"(?<![\w.@+:-])(?:{any_of})(?![\w@+-]|\.\w)")
    return lambda text: pattern.sub(lambda found: words[found.group()], text)


def rewritten(value: Any, without: Without) -> Any:
    """JSON with every text of it, keys too, without the names."""
    if isinstance(value, str):
        return without(value)
    if isinstance(value, dict):
        return {without(key): rewritten(one, without) for key, one in value.items()}
    if isinstance(value, list):
        return [rewritten(one, without) for one in value]
    return value
