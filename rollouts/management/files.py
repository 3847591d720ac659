"""The files that an import names: each file itself, each folder with all YAML files below it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.core.management.base import CommandError

#: Far beyond any real definition or catalogue; a larger file is not read whole.
MOST_BYTES = 2_000_000


def yaml_files(paths: list[str]) -> Iterator[Path]:
    """In a stable order. Raises ``CommandError`` (exit 2) for a path that there is not."""
    for given in map(Path, paths):
        if given.is_dir():
            yield from sorted(path for path in given.rglob("*") if path.suffix in (".yml", ".yaml") and path.is_file())
        elif given.is_file():
            yield given
        else:
            raise CommandError(f"{given} is no file and no folder.", returncode=2)


def content(path: Path) -> bytes:
    """Raises ``CommandError`` (exit 2) for a file that can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES)
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.", returncode=2) from None
