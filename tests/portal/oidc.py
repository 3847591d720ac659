"""An OpenID provider that really runs, and the way there and back."""

from __future__ import annotations

import base64
import json
import threading
from urllib.parse import urlsplit

import oidc_provider_mock
import requests
import werkzeug.serving
from joserfc import jwt
from joserfc.jwk import RSAKey


class Provider:
    """The provider, and between it and the portal somebody who may change what it answers: ``changed[path](answer)``."""

    def __init__(self):
        self._app = oidc_provider_mock.app(require_nonce=True)
        self.changed = {}
        self._server = werkzeug.serving.make_server("localhost", 0, self._answer, threaded=True)
        self.url = f"http://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.key = RSAKey.generate_key(2048, {"kid": "other"})
        self.is_down = False

    def _answer(self, environ, start):
        change = self.changed.get(environ["PATH_INFO"])
        if self.is_down:
            start("503 Service Unavailable", [("Content-Type", "text/html")])
            return [b"<h1>down</h1>"]
        if change is None:
            return self._app(environ, start)
        body = b"".join(self._app(environ, lambda *_: None))
        changed = json.dumps(change(json.loads(body))).encode()
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(changed)))])
        return [changed]

    def sign_otherwise(self, **claims):
        """The token endpoint gives an ID token with these claims instead, signed by a key that the provider has."""

        def change(answer):
            payload = answer["id_token"].split(".")[1]
            told = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            signed = jwt.encode({"alg": "RS256", "kid": "other"}, {**told, **claims}, self.key)
            return {**answer, "id_token": signed}

        self.changed["/oauth2/token"] = change
        self.changed["/jwks"] = lambda _: {"keys": [self.key.as_dict(private=False)]}

    def knows(self, sub, **claims):
        requests.put(f"{self.url}/users/{sub}", json=claims, timeout=10).raise_for_status()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def way_back(client, sub="7", **begin):
    """Off to the provider, where this person says yes; the address that leads back."""
    away = client.get("/accounts/provider/", begin)
    assert away.status_code == 302, away.content.decode()
    agreed = requests.post(away["Location"], data={"sub": sub}, allow_redirects=False, timeout=10)
    assert agreed.status_code == 302, agreed.text
    parts = urlsplit(agreed.headers["Location"])
    assert parts.path == "/accounts/provider/callback/"
    return f"{parts.path}?{parts.query}"


def come(client, sub="7", **begin):
    return client.get(way_back(client, sub, **begin))
