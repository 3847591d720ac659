"""Bodies without a length (``Transfer-Encoding: chunked``): Django takes them for none, so they get one first."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import IO, Any

#: More than any address takes; each has a smaller bound of its own.
LARGEST = 16 * 1024 * 1024
IN_MEMORY, AT_ONCE = 1024 * 1024, 64 * 1024
#: The status by which a body is refused that could not be read; ``portal.middleware`` answers it.
REFUSED = "portal.body_refused"


class ChunkedBodies:
    """Stands before Django. What is too large, broken, or without an end that the server tells is not handed on."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_TRANSFER_ENCODING"):
            environ |= _with_a_length(environ)
        return self.application(environ, start_response)


def _with_a_length(environ: dict[str, Any]) -> dict[str, Any]:
    if not environ.get("wsgi.input_terminated"):
        return _refused(411)
    body: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - lives as long as the request
    length = 0
    try:
        while piece := environ["wsgi.input"].read(AT_ONCE):
            length += len(piece)
            if length > LARGEST:
                return _refused(413)
            body.write(piece)
    except OSError:  # so servers say that a chunk is none, or that the client has hung up
        return _refused(400)
    body.seek(0)
    return {"CONTENT_LENGTH": str(length), "wsgi.input": body}


def _refused(status: int) -> dict[str, Any]:
    return {REFUSED: status, "CONTENT_LENGTH": "0", "wsgi.input": BytesIO()}
