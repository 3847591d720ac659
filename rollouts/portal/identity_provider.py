"""The way to the identity provider and back: OpenID Connect by Authlib, code flow with PKCE, state and nonce.

Authlib holds the ID token against the provider's keys, issuer, audience, times and our nonce; here the issuer is held
against the setting, and userinfo against the ID token.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.django_client import OAuth
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from joserfc.errors import JoseError

from ..rules import identities
from ..rules.phrases import say

NAME = "provider"
#: What clocks may differ by, in seconds.
LEEWAY = 120
TIMEOUT = 10.0


class ProviderFailed(Exception):
    """Nobody is signed in; says why. ``status`` is 502 where the provider is at fault, else 400."""

    def __init__(self, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.status = status


def begin(request: HttpRequest, *, anew: bool = False) -> HttpResponse:
    """Off to the provider, which asks ``anew`` who somebody is. Raises ``ProviderFailed``."""
    more = {"prompt": "login", "max_age": 0} if anew else {}
    try:
        client = _client()
        answer: HttpResponse = client.authorize_redirect(request, _our_end(), **more)
    except (requests.RequestException, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise _unreachable(error) from None
    return answer


def finish(request: HttpRequest) -> tuple[identities.Claims, str]:
    """Who came back, and the ID token that says so. Raises ``ProviderFailed``."""
    try:
        client = _client()
        token = client.authorize_access_token(request, leeway=LEEWAY)
        claims = token.get("userinfo")
        if not claims:
            raise ProviderFailed(say("{name} gave no ID token.", name=settings.OIDC_NAME), 502)
        read = identities.read(claims, client.userinfo(token=token), settings.OIDC_GROUPS_CLAIM)
    except OAuthError as error:
        raise _refused(error) from None
    except JoseError as error:
        raise ProviderFailed(
            say(
                "What {name} says of you does not hold ({error}). Do the clocks of both servers agree? Try again.",
                name=settings.OIDC_NAME,
                error=type(error).__name__,
            )
        ) from None
    except (requests.RequestException, RuntimeError, KeyError, TypeError) as error:
        raise _unreachable(error) from None
    except ValueError as error:
        raise ProviderFailed(str(error), 502) from None
    return read, str(token["id_token"])


def leave(id_token: str) -> str:
    """Where to end the session at the provider too; empty where it does not say how."""
    try:
        end: dict[str, Any] = _client().create_logout_url(
            post_logout_redirect_uri=f"{settings.PORTAL_URL}{reverse('login')}", id_token_hint=id_token
        )
    except (ProviderFailed, requests.RequestException, RuntimeError, ValueError, KeyError, TypeError):
        return ""
    return str(end["url"])


def _client() -> Any:
    """Raises what Authlib and requests raise, and ``ProviderFailed`` for a provider that calls itself otherwise."""
    client = _registered(settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET)
    issuer = client.load_server_metadata().get("issuer", "")
    if str(issuer).rstrip("/") != settings.OIDC_ISSUER.rstrip("/"):
        _registered.cache_clear()
        raise ProviderFailed(
            say("{name} calls itself something else than OIDC_ISSUER says.", name=settings.OIDC_NAME), 502
        )
    return client


@lru_cache(maxsize=1)
def _registered(issuer: str, client_id: str, secret: str) -> Any:
    return OAuth().register(
        NAME,
        client_id=client_id,
        client_secret=secret,
        server_metadata_url=f"{issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256", "default_timeout": TIMEOUT},
    )


def _our_end() -> str:
    return f"{settings.PORTAL_URL}{reverse('oidc_callback')}"


def _refused(error: OAuthError) -> ProviderFailed:
    """What the provider writes is not repeated: it came by the address, so anybody can have written it."""
    if error.error == "access_denied":
        return ProviderFailed(say("You were not signed in: {name} was told no.", name=settings.OIDC_NAME), 403)
    if error.error in ("mismatching_state", "invalid_grant"):
        return ProviderFailed(say("This sign-in was begun elsewhere, or is used up. Begin again."))
    return ProviderFailed(say("{name} refuses the sign-in. Begin again.", name=settings.OIDC_NAME), 502)


def _unreachable(error: Exception) -> ProviderFailed:
    if isinstance(error, ProviderFailed):
        return error
    return ProviderFailed(
        say("{name} can't be asked at the moment ({error}).", name=settings.OIDC_NAME, error=type(error).__name__), 502
    )
