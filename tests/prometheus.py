"""A real Prometheus on this machine, with what it would have scraped: blocks made by its own ``promtool``."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

Series = Mapping[str, Iterable[tuple[datetime, float]]]


def every_minute(until: datetime, values: Iterable[float]) -> list[tuple[datetime, float]]:
    """So many values, the last at this moment."""
    written = list(values)
    return [(until - timedelta(minutes=len(written) - 1 - place), value) for place, value in enumerate(written)]


@contextmanager
def prometheus(folder: Path, series: Series) -> Iterator[str]:
    """Its address; ``series`` by name with labels, as PromQL writes them."""
    data = folder / "tsdb"
    data.mkdir(parents=True)
    lines = []
    for name in sorted({one.partition("{")[0] for one in series}):
        lines.append(f"# TYPE {name} gauge")
        for labelled, values in series.items():
            if labelled.partition("{")[0] == name:
                lines += [f"{labelled} {value} {at.timestamp():.3f}" for at, value in values]
    written = folder / "scraped.txt"
    written.write_text("\n".join([*lines, "# EOF", ""]))
    if series:
        subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", written, data],
            check=True, capture_output=True,
        )  # fmt: skip
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    server = subprocess.Popen(
        ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={data}",
         f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=3650d", "--log.level=error"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait(server, f"http://127.0.0.1:{port}/-/ready")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _wait(server: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(600):
        assert server.poll() is None, "Prometheus ended"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError("Prometheus is not ready")
