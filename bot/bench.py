"""`darkroom bench`: how fast Darkroom is beside plain diffusers on this machine.

The measuring itself needs torch, which this process never imports: it runs as a process of its own.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys

from bot.errors import UserMistake
from bot.settings import Settings

HELP = "measure how fast pictures are made here, beside plain diffusers"
PROGRAM = "benchmarks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `darkroom bench`; they are handed on."""
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--quick", action="store_true", help="one small round of each: a trial, not a measurement")
    parser.add_argument("--docs", metavar="FOLDER", help="write performance.md and images/performance.png there")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run the benchmark and return its exit status.

    Raises:
        UserMistake: this installation came without the benchmark.
    """
    if importlib.util.find_spec(PROGRAM) is None:
        raise UserMistake("This installation of Darkroom came without its benchmark; run it from a checkout.")
    command = [sys.executable, "-m", PROGRAM]
    command += [f"--{name}" for name in ("json", "quick") if getattr(arguments, name)]
    command += ["--docs", arguments.docs] if arguments.docs else []
    return subprocess.run(command, check=False).returncode
