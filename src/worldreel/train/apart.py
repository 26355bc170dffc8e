"""A trainer in a process of its own, which outlives the shell that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

_OWN: dict[int, subprocess.Popen[bytes]] = {}  # started by this very process, which must ask


def start(root: Path, command: Sequence[str]) -> int:
    """Run a command in a session of its own, unless it runs: its process. It writes train.log."""
    running = alive(root)
    if running:
        return running
    root.mkdir(parents=True, exist_ok=True)
    with (root / "train.log").open("ab") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    _OWN[child.pid] = child
    (root / "pid").write_text(f"{child.pid} {_born(child.pid)}\n")
    return child.pid


def alive(root: Path) -> int:
    """The process that was started, or 0 when it has ended."""
    file = root / "pid"
    if not file.exists():
        return 0
    number, _, born = file.read_text().strip().partition(" ")
    pid = int(number)
    if pid in _OWN and _OWN[pid].poll() is not None:
        return 0
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # gone, or by now somebody else's
        return 0
    return pid if _born(pid) == born else 0


def _born(pid: int) -> str:
    """When a process began, in the system's own count: its number alone may come again.

    Nothing of one that has ended and whose parent has not asked yet, nor where there is no /proc.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state == "Z" else rest[18]


def stop(root: Path) -> int:
    """End it at once, with the processes that draw for it; what it saved last stays."""
    pid = alive(root)
    if pid:
        os.killpg(pid, signal.SIGKILL)
    while alive(root):
        time.sleep(0.05)
    return pid
