"""What a browser calls itself, in two words for its person: «Firefox, Linux». Nothing rests on it."""

from __future__ import annotations

#: The first that stands in the header: Edge and Opera say Chrome too, and all of them say Safari.
_BROWSERS = {"Edg": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrom": "Chrome", "Safari/": "Safari"}
_SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def in_words(user_agent: str) -> str:
    """Names only, the same in all languages; empty where it says neither."""
    found = (next((name for sign, name in names.items() if sign in user_agent), "") for names in (_BROWSERS, _SYSTEMS))
    return ", ".join(filter(None, found))
