"""Files that are either there whole or not there at all; and opening only what is a file."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

Path_ = str | os.PathLike[str]

_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def open_regular(op: str, path: Path_) -> BinaryIO:
    """The regular file at ``path``, or that a link there leads to, opened for reading.

    ValueError for anything else: a pipe would keep the reader waiting, a device never end. OSError, named after ``op``, where there is
    nothing or no permission.
    """
    try:
        file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | _WITHOUT_WAITING))  # noqa: SIM115  the caller closes it
    except IsADirectoryError:
        raise _not_regular(op, path, "a folder") from None
    except OSError as error:
        raise OSError(error.errno, f"{op}: {error.strerror}", os.fspath(path)) from None
    except ValueError as error:
        raise ValueError(f"{op}: not a path: {os.fspath(path)!r}: {error}") from None
    mode = os.fstat(file.fileno()).st_mode
    if not stat.S_ISREG(mode):
        file.close()
        raise _not_regular(op, path, "a pipe" if stat.S_ISFIFO(mode) else "a device")
    return file


def _not_regular(op: str, path: Path_, what: str) -> ValueError:
    return ValueError(f"{op}: not a regular file: '{os.fspath(path)}' is {what}; a file expected")


@contextmanager
def atomic_write(path: Path_) -> Iterator[BinaryIO]:
    """A binary file that takes the place of ``path`` when the block ends without an error.

    Whatever happens and whenever, ``path`` is the old file or the new one: the bytes go to a temporary file in the same directory,
    are flushed to the disk, and only then renamed. After an error, such as a full disk, the old file is untouched and the temporary one
    gone. A link is followed: the file it points to is replaced.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_directory(target.parent)


def _sync_directory(directory: Path) -> None:
    """The rename itself reaches the disk only with its directory."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
