"""Which address gets which secret of a GitLab: said in the environment, by names.

``GITLAB_URL`` is the address of the instance named gitlab, ``GITLAB_INSTANCES`` those of others. The secrets of a name
are in variables of their own: ``GITLAB_TOKEN``, and ``GITLAB_TOKEN_STAGING`` for staging. So nobody who can only click
pairs a secret with another address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .origins import base_address
from .phrases import invalid, shorten

DEFAULT = "gitlab"
TOKEN, HOOK_SECRET, HOOK_SIGNING_TOKEN = SECRETS = (
    "GITLAB_TOKEN",
    "GITLAB_WEBHOOK_SECRET",
    "GITLAB_WEBHOOK_SIGNING_TOKEN",
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}\Z")


def instances(written: str) -> dict[str, str]:
    """Read ``name=https://host name=…``: address by name. Raises ValueError with a sentence for the operator."""
    found: dict[str, str] = {}
    variables: dict[str, str] = {}
    for pair in written.split():
        name, _, url = pair.partition("=")
        token = variable(TOKEN, name)
        if not _NAME.match(name) or not url:
            raise invalid(
                "«{written}» is no name with an address. Write name=https://host, with blanks between.",
                written=shorten(name),
            )
        if name.lower() == DEFAULT:
            raise invalid("{name} is the instance of GITLAB_URL. Give this one another name.", name=name)
        if token.endswith("_FILE"):
            raise invalid("{name} can't end so: {token} would name a file. Rename it.", name=name, token=token)
        if token in variables:
            raise invalid(
                "{name} and {other} would share {token}. Rename one of them.",
                name=name,
                other=variables[token],
                token=token,
            )
        variables[token] = name
        try:
            found[name] = base_address(url)
        except ValueError as error:
            raise invalid("{name}: {error}", name=name, error=error) from None
    return found


def variable(secret: str, name: str) -> str:
    """The environment variable that holds one of ``SECRETS`` for the instance of this name."""
    return secret if name == DEFAULT else f"{secret}_{name.upper().replace('-', '_')}"


def variables(names: Iterable[str]) -> list[str]:
    """All variables with secrets of these instances."""
    return [variable(secret, name) for name in names for secret in SECRETS]
