"""A program that calls the API, as it comes over HTTP."""

from __future__ import annotations

import json

from django.test import Client


class Script:
    """A program that calls the API with somebody's token, or with none."""

    def __init__(self, token: str | None = None) -> None:
        self.client = Client(raise_request_exception=False, enforce_csrf_checks=True)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path, query=None, **headers):
        return self.client.get(f"/api/v1{path}", query or {}, headers={**self.headers, **headers})

    def send(self, method, path, body=b"", kind="application/json", **headers):
        body = json.dumps(body) if isinstance(body, dict | list) else body
        return self.client.generic(method, f"/api/v1{path}", body, kind, headers={**self.headers, **headers})

    def post(self, path, body=b"", **more):
        return self.send("POST", path, body, **more)

    def put(self, path, body=b"", kind="application/yaml", **more):
        return self.send("PUT", path, body, kind, **more)

    def every(self, path, **query):
        """All items of a list, page by page."""
        items, cursor = [], ""
        while cursor is not None:
            answer = self.get(path, {**query, "cursor": cursor}).json()
            items, cursor = items + answer["items"], answer["next"]
        return items
