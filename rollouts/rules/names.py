"""What names in a document may look like; each check says which part is wrong, and how to write it.

Sources: GitLab doc/api/features.md and lib/feature.rb (instance flags), app/models/operations/feature_flag.rb
(project flags), lib/gitlab/path_regex.rb (paths).
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

from . import user_names
from .phrases import invalid, say, shorten

SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*\Z")
LONGEST_SLUG = 100
RESERVED_SLUGS = frozenset({"new"})
OPT_OUT = ":opt_out"
#: First parts of GitLab's own addresses, which no user and no group can have as a name.
GITLAB_ROUTES = frozenset(
    "- .well-known admin api assets dashboard explore files groups health_check help import jwt login oauth profile "
    "projects public s search sitemap snippets unsubscribes uploads user users v2".split()
)
_MODEL_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,120}\Z")
_FLAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,254}\Z")
_PROJECT_FLAG = re.compile(r"[a-z](?:[-_a-z0-9]{0,61}[a-z0-9])?\Z")
_FEATURE_GROUP = re.compile(r"[a-z0-9_]{1,255}\Z")
_PATH_PART = re.compile(r"[a-zA-Z0-9_.][a-zA-Z0-9_.-]{0,254}\Z")
_PERSON = re.compile(r"[\w.@+-]{1,150}\Z")
_GITLAB_ACTOR = re.compile(r"(User|Group|Project):([1-9][0-9]{0,18})\Z")


def slug(value: str) -> str:
    """A name for addresses: ``haiku-code-completion``."""
    if value in RESERVED_SLUGS:
        raise invalid("«{value}» is taken by the portal's own page. Choose another name.", value=value)
    if len(value) > LONGEST_SLUG:
        raise invalid(
            "a slug may have {most} characters, this one has {n}. Shorten it.", most=LONGEST_SLUG, n=len(value)
        )
    if not SLUG.match(value):
        raise invalid(
            "«{written}» is not a slug{wrong_part}. Use small letters and digits, with single hyphens or "
            "underscores between them.",
            written=shorten(value),
            wrong_part=_wrong_part(value, "abcdefghijklmnopqrstuvwxyz0123456789-_"),
        )
    return value


def model_slug(value: str) -> str:
    """The short name of an AI model that the portal has."""
    if not _MODEL_SLUG.match(value):
        raise invalid(
            "«{written}» is not the short name of an AI model{wrong_part}. Copy it from the address of its page.",
            written=shorten(value),
            wrong_part=_wrong_part(value),
        )
    return value


def flag_name(value: str) -> str:
    """The name of a feature flag of a GitLab instance."""
    if not _FLAG.match(value):
        if value[:1] in (".", "-"):
            raise invalid("a flag's name cannot begin with «{value}». Begin with a letter.", value=value[0])
        if len(value) > 255:
            raise invalid("a flag's name may have 255 characters, this one has {n}. Shorten it.", n=len(value))
        wrong = next((character for character in value if not re.match(r"[a-zA-Z0-9_.-]", character)), "")
        named = {" ": say("a space"), "/": say("a slash (/)"), "": say("nothing")}.get(wrong, f"«{wrong}»")
        raise invalid(
            "the flag name «{written}» has {named} in it. Use letters, digits, underscores, points and hyphens.",
            written=shorten(value),
            named=named,
        )
    return value


def project_flag_name(value: str) -> str:
    """The name of a feature flag of a project: GitLab is stricter here."""
    if not _PROJECT_FLAG.match(value):
        raise invalid(
            "«{written}» cannot be a project's flag. GitLab wants a small letter first, then small letters, "
            "digits, - and _, a letter or digit last, and 63 characters at most.",
            written=shorten(value),
        )
    return value


def feature_group(value: str) -> str:
    """The name of a feature group, such as ``gitlab_team_members``."""
    if not _FEATURE_GROUP.match(value):
        raise invalid(
            "«{written}» is not a feature group. Use its name in code: small letters, digits and "
            "underscores. (A group of GitLab's is an actor: `actors: [group:path]`.)",
            written=shorten(value),
        )
    return value


def project_path(value: str) -> str:
    """The full path of a project: ``group/app``."""
    if "://" in value:
        raise invalid(
            "write the project's path only, as in group/app, not its address «{written}».", written=shorten(value)
        )
    if "/" not in value.strip("/"):
        raise invalid(
            "«{written}» is not a project's full path. Write its groups too, as in group/app.", written=shorten(value)
        )
    return _path(value, "project")


def person(value: str) -> str:
    """The user name of a person in the portal."""
    if not _PERSON.match(value):
        raise invalid(
            "«{written}» is not a user name. Write the name that the person signs in with.", written=shorten(value)
        )
    if odd := user_names.imitation(value):
        raise invalid(
            "«{written}» holds «{odd}» ({unicode}), which only looks like a plain letter. Write the name that the "
            "person signs in with.",
            written=shorten(value),
            odd=odd,
            unicode=unicodedata.name(odd, ""),
        )
    return value


def actor(value: str) -> str:
    """One who sees the model: by name (``user:alice``) or by GitLab's own id (``User:42``)."""
    named = value.removesuffix(OPT_OUT)
    if _GITLAB_ACTOR.match(named):
        return value
    kind, colon, name = named.partition(":")
    if not colon or not name:
        raise invalid(
            "«{written}» does not say what it is. Write user:{value}, group:PATH or project:PATH.",
            written=shorten(value),
            value=shorten(named, 20) or "NAME",
        )
    match kind:
        case "user":
            if not _PATH_PART.match(name):
                raise invalid(
                    "«{written}» is not a GitLab user name. Write it as in user:alice, without @.",
                    written=shorten(name),
                )
        case "group":
            _path(name, "group")
        case "project":
            project_path(name)
        case "User" | "Group" | "Project":
            raise invalid(
                "{kind}: takes GitLab's number, as in {kind}:42. For a name write {lower}:{written}.",
                kind=kind,
                lower=kind.lower(),
                written=shorten(name),
            )
        case _:
            raise invalid(
                "«{written}:» is no kind of actor. Write user:NAME, group:PATH or project:PATH, or GitLab's "
                "own User:42, Group:9 or Project:3.",
                written=shorten(kind),
            )
    return value


def web_address(value: str) -> str:
    """An address that begins with http:// or https://."""
    message = say("«{written}» is not a web address", written=shorten(without_userinfo(value)))
    if re.search(r"[\s\\<>\"\x00-\x1f\x7f]", value):
        raise invalid(
            "{said}: it has a space or a character that no address has. Copy it from the browser.", said=message
        )
    if len(value) > 2000:
        raise invalid("an address may have 2,000 characters. Copy the plain address of the page.")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise invalid("{said}. Copy it from the browser.", said=message) from None
    if parts.scheme not in ("http", "https") or not host:
        raise invalid("{said}. It begins with https://: copy it from the browser.", said=message)
    if "@" in parts.netloc:
        raise invalid("the address holds a user name or password. Leave out what stands before the @.")
    return value


def without_userinfo(value: str) -> str:
    """The same text without what stands between ``//`` and ``@``: refusals are read by others than who wrote it."""
    return re.sub(r"(?<=//)[^/?#]*@", "", value)


def _path(value: str, what: str) -> str:
    parts = value.split("/")
    if len(value) > 1024 or not all(_PATH_PART.match(part) and part.strip(".") for part in parts):
        raise invalid(
            "«{written}» is not {path}{wrong_part}. Write it as in the address bar, as in group/app.",
            written=shorten(value),
            path=say("a group's path") if what == "group" else say("a project's path"),
            wrong_part=_wrong_part(value),
        )
    if parts[0].lower() in GITLAB_ROUTES:
        raise invalid(
            "«{written}» begins with «{route}», which is an address of GitLab's own and no group. "
            "Write what comes after it, as in group/app.",
            written=shorten(value),
            route=parts[0],
        )
    if parts[-1].endswith((".git", ".atom")):
        raise invalid(
            "{path} does not end in .git or .atom. Write «{value}».",
            path=say("a group's path") if what == "group" else say("a project's path"),
            value=value.rsplit(".", 1)[0],
        )
    return value


def _wrong_part(value: str, allowed: str = "") -> str:
    if not value:
        return say(" (it is empty)")
    wrong = next(
        (one for one in value if (one not in allowed if allowed else not re.match(r"[a-zA-Z0-9_./-]", one))), None
    )
    return (
        ""
        if wrong is None
        else say(" («{wrong}» is not allowed)", wrong=wrong)
        if wrong != " "
        else say(" (a space is not allowed)")
    )
