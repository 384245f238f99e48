"""``pyengine info``: what was built, and what is in use."""

from __future__ import annotations

import argparse
from typing import Any

from pyengine.config import show_config


def add_parser(commands: Any) -> None:
    parser = commands.add_parser("info", help="what was built, and what is in use", description="Says what was built, and what is in use.")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    show_config()
    return 0
