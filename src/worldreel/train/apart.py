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
    (root / "pid").write_text(str(child.pid))
    return child.pid


def alive(root: Path) -> int:
    """The process that was started, or 0 when it has ended."""
    file = root / "pid"
    pid = int(file.read_text()) if file.exists() else 0
    if not pid:
        return 0
    if pid in _OWN and _OWN[pid].poll() is not None:
        return 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return 0
    return 0 if _ended(pid) else pid


def _ended(pid: int) -> bool:
    """Whether it is a zombie: ended, and its parent, which is gone or busy, has not asked yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"


def stop(root: Path) -> int:
    """End it at once, with the processes that draw for it; what it saved last stays."""
    pid = alive(root)
    if pid:
        os.killpg(pid, signal.SIGKILL)
    while alive(root):
        time.sleep(0.05)
    return pid
