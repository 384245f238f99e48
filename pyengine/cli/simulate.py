"""``pyengine simulate``: a CUDA program, on the CPU, with every access checked."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "simulate",
        help="run a CUDA program without a GPU",
        description="Compiles a CUDA program with the C++ compiler and runs it in the simulator, which checks every access of its kernels.",
    )
    parser.add_argument("program", metavar="FILE", help="a .cu file with a main")
    parser.add_argument("--debug", action="store_true", help="without optimisation, for a debugger")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from pyengine import simulator  # the other commands do not need it

    try:
        return simulator.run(arguments.program, debug=arguments.debug)
    except simulator.CompileError as error:
        print(error, file=sys.stderr)
        return 1
