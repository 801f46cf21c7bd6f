"""The `darkroom` command: reads the environment and runs one of its subcommands.

A subcommand is a module with a one-line `HELP`, `add_arguments(parser)` and `run(arguments, settings)`,
which returns the exit status. An error that leaves a subcommand ends here, as one sentence on stderr:
status 2 for a mistake of the user, 1 for a fault of ours, whose traceback is in the log only.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import NoReturn, Protocol, cast

from bot.errors import MISTAKE, SUCCESS, exit_status, explain
from bot.settings import Settings, load_settings

COMMANDS: dict[str, str] = {  # name -> module, imported when the command line is read
    "run": "bot.run",
    "imagine": "bot.terminal",
    "tour": "bot.tour_command",
    "chat": "bot.chat",
    "models": "bot.model_list",
    "doctor": "bot.doctor",
    "migrate": "bot.migrate",
    "bench": "bot.bench",
    "worker": "bot.worker",
}


class Command(Protocol):
    """What the module of a subcommand offers."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the subcommand's own arguments."""

    def run(self, arguments: argparse.Namespace, settings: Settings) -> int:
        """Do the work and return the exit status."""


class SentenceParser(argparse.ArgumentParser):
    """A parser whose complaints are one sentence, without the usage that hides it."""

    def error(self, message: str) -> NoReturn:
        """End the program with status 2."""
        self.exit(MISTAKE, f"{self.prog}: {message}; `{self.prog} --help` lists what there is.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: the process's own) and return the exit status."""
    parser, commands = build_parser()
    parsed = parser.parse_args(arguments)
    try:
        settings = load_settings()
        logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        return commands[parsed.command].run(parsed, settings)
    except KeyboardInterrupt:
        return SUCCESS
    except BrokenPipeError:  # the reader has seen enough, as `head` has; Python must not complain of it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SUCCESS
    except Exception as error:  # noqa: BLE001  # the outermost edge: every error becomes a sentence and a status
        print(f"darkroom: {explain(error).sentence}", file=sys.stderr)
        return exit_status(error)


def build_parser() -> tuple[argparse.ArgumentParser, dict[str, Command]]:
    """The parser of the whole command line, and the module behind each subcommand."""
    parser = SentenceParser(prog="darkroom", description="Makes pictures in conversation and shows its work.")
    parser.add_argument("--version", action="version", version=f"darkroom {metadata.version('darkroom')}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands = {}
    for name, module in COMMANDS.items():
        command = cast(Command, importlib.import_module(module))
        command.add_arguments(subparsers.add_parser(name, help=command.HELP, description=command.HELP))
        commands[name] = command
    return parser, commands


if __name__ == "__main__":
    sys.exit(main())
