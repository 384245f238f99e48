"""The command line: ``pyengine train``, ``pyengine predict``, ``pyengine simulate``, ``pyengine info``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from pyengine import _engine
from pyengine.cli import info, predict, simulate, train


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error here."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; what the user can mend ends in one line on standard error and a status other than 0."""
    parser = _Parser(prog="pyengine", description="A lightweight tensor engine: train a network, try it on images, see what was built.")
    parser.add_argument("--version", action="version", version=f"pyengine {_engine.version}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_Parser)
    for command in (train, predict, simulate, info):
        command.add_parser(commands)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except (OSError, ValueError, ImportError, MemoryError, RuntimeError) as error:
        print(f"{parser.prog}: {_one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        print(f"{parser.prog}: {str(interrupt) or 'interrupted'}", file=sys.stderr)
        return 130


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.strerror}: '{error.filename}'"
    return " ".join(str(error).split()) or type(error).__name__
