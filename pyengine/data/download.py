"""Files from the web: resumed where they were broken off, checked against their SHA-256, put in place whole."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

# urllib and http.client are imported where they are used: they cost more time than the rest of the package, and few runs need them.

_CHUNK = 1 << 16
_TIMEOUT = 15.0
_PARTIAL_CONTENT = 206


class Resource(NamedTuple):
    """A file that should be somewhere on the web: its name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


class DownloadError(OSError):
    """No mirror gave the file."""


def fetch(
    resource: Resource, root: str | os.PathLike[str], mirrors: Sequence[str], progress: Callable[[int, int], None] | None = None
) -> Path:
    """The path of the file below ``root``, fetched from the first mirror (an address that ends in ``/``) that has it right.

    What arrived of a broken transfer stays beside it as ``<name>.part`` and is gone on with. ``progress(bytes so far, size)`` is called
    as they come; by default a line is kept up to date where standard error is a terminal. Raises DownloadError with one line that
    says what each mirror answered.
    """
    from http.client import HTTPException

    target = Path(root) / resource.name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    faults = []
    for mirror in mirrors:
        try:
            _fetch(mirror + resource.name, part, resource, progress or _progress_line(resource.name))
        except (OSError, HTTPException) as error:
            faults.append(f"{mirror}: {_reason(error)}")
            continue
        part.replace(target)
        return target
    raise DownloadError(
        f"download: cannot get {resource.name}: {'; '.join(faults)}; put the file into '{target.parent}' by hand, or try again later"
    )


def _fetch(address: str, part: Path, resource: Resource, progress: Callable[[int, int], None]) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have < resource.size:
        _transfer(address, part, have, resource, progress)
    if part.stat().st_size < resource.size:
        raise DownloadError(f"broken off at {part.stat().st_size} of {resource.size} bytes")
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != resource.sha256:
        part.unlink()
        raise DownloadError(f"wrong content: sha256 {found[:12]}…, {resource.sha256[:12]}… expected")


def _transfer(address: str, part: Path, have: int, resource: Resource, progress: Callable[[int, int], None]) -> None:
    """Appends to ``part`` what is missing; begins anew where the server does not know ranges."""
    import urllib.request

    request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})
    with closing(urllib.request.urlopen(request, timeout=_TIMEOUT)) as answer:
        resumed = answer.status == _PARTIAL_CONTENT
        with part.open("ab" if resumed else "wb") as file:
            while file.tell() < resource.size and (chunk := answer.read(min(_CHUNK, resource.size - file.tell()))):
                file.write(chunk)
                progress(file.tell(), resource.size)
            file.flush()
            os.fsync(file.fileno())


def _progress_line(name: str) -> Callable[[int, int], None]:
    if not sys.stderr.isatty():
        return lambda done, size: None

    def show(done: int, size: int) -> None:
        print(f"\r{name}  {done / 1e6:6.1f} of {size / 1e6:.1f} MB", end="\n" if done == size else "", file=sys.stderr, flush=True)

    return show


def _reason(error: Exception) -> str:
    code = f"{error.code} " if hasattr(error, "code") else ""
    return code + str(getattr(error, "reason", error) or type(error).__name__)
