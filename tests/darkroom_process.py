"""`darkroom run` as a process of its own, for tests that talk to it from outside."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 90.0  # seconds; a worker on a busy machine takes a while to start
ADDRESS = re.compile(r"The playground is at (http://127\.0\.0\.1:\d+/\S+)")

# Discord's address is a constant of discord.py: here it is that of the test's own Discord.
ELSEWHERE = """
import sys, discord.gateway, discord.http, yarl
discord.http.Route.BASE, socket = sys.argv[1:3]
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(socket)
from bot.__main__ import main
sys.exit(main(["run"]))
"""


def environment(folder: Path, **more: str) -> dict[str, str]:
    """This process's environment with Darkroom's own settings for a data folder under `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DARKROOM_", "DISCORD_"))}
    usual = {"DARKROOM_DATA": str(folder / "data"), "DARKROOM_PLAYGROUND_PORT": "0", "OMP_NUM_THREADS": "1"}
    return kept | usual | more


@dataclasses.dataclass(frozen=True)
class DarkroomProcess:
    """A `darkroom run`."""

    process: subprocess.Popen[str]
    folder: Path

    @property
    def said(self) -> str:
        """All that it has written on stdout and stderr."""
        return (self.folder / "said.txt").read_text("utf-8")

    @property
    def began(self) -> bool:
        """Whether it has begun to do anything beyond being loaded."""
        return bool(self.workers or self.said)

    @property
    def address(self) -> str:
        """The playground's address, once it is printed."""
        return self.until(lambda: ADDRESS.search(self.said))[1]

    def until_ready(self) -> None:
        """Wait until it takes jobs."""
        self.until(lambda: "Ready: " in self.said)

    def until(self, look: Callable[[], T | None]) -> T:
        """What `look` gives as soon as it gives something true."""
        deadline = time.monotonic() + PATIENCE
        while not (found := look()):
            assert self.process.poll() is None, f"darkroom has ended: {self.said}"
            assert time.monotonic() < deadline, f"still waiting: {self.said}"
            time.sleep(0.05)
        return found

    @property
    def workers(self) -> list[int]:
        """Its worker processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(child) for child in children.split()]

    def stop(self) -> None:
        """End it as a person would, and see that it ends well."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self.said


@contextlib.contextmanager
def darkroom_process(
    folder: Path, *, discord: tuple[str, str] | None = None, **settings: str
) -> Iterator[DarkroomProcess]:
    """`darkroom run` with its data under `folder`; killed at the end if it still runs.

    Args:
        discord: what stands for Discord's API and gateway; None: the playground inside the process.
        settings: variables of its environment.
    """
    command = ["-m", "bot", "run"] if discord is None else ["-c", ELSEWHERE, *discord]
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, *command], env=environment(folder, **settings), stdout=said, stderr=said, text=True
        )
        try:
            yield DarkroomProcess(process, folder)
        finally:
            process.kill()
            process.wait()


def gone(pid: int) -> bool:
    """Whether the process has ended (a zombie has, though nobody has asked for its status)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
