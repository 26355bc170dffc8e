"""A trainer in a process of its own, which outlives the shell that started it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path


def start(root: Path, command: Sequence[str]) -> int:
    """Run a command in a session of its own, unless it runs: its process. It writes train.log."""
    running = alive(root)
    if running:
        return running
    root.mkdir(parents=True, exist_ok=True)
    with (root / "train.log").open("ab") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    (root / "pid").write_text(str(child.pid))
    return child.pid


def alive(root: Path) -> int:
    """The process that was started, or 0 when it has ended."""
    file = root / "pid"
    pid = int(file.read_text()) if file.exists() else 0
    if not pid:
        return 0
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # one that this very process started, and that has ended
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return 0
    return pid


def stop(root: Path) -> int:
    """End it at once, with the processes that draw for it; what it saved last stays."""
    pid = alive(root)
    if pid:
        os.killpg(pid, signal.SIGKILL)
    return pid
