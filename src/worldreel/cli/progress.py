"""How far a command has come, on standard error: bars on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Iterator

from worldreel.progress import Progress


@contextlib.contextmanager
def progress(*, quiet: bool = False) -> Iterator[Progress]:
    """A function that is told each step of each stage."""
    if quiet:
        yield lambda stage, done, total: None
    elif sys.stderr.isatty():
        with _bars() as told:
            yield told
    else:
        yield _lines()


@contextlib.contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:>8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def told(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=max(total, 1))
            bars.update(tasks[stage], completed=done, total=max(total, 1))

        yield told


def _lines() -> Progress:
    """A line when a stage begins, every five seconds, and when it ends."""
    began: dict[str, float] = {}
    spoke: dict[str, float] = {}

    def told(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        first, last = stage not in began, done >= total
        started = began.setdefault(stage, now)
        if first or last or now - spoke[stage] >= 5:
            spoke[stage] = now
            left = f", {(now - started) * (total - done) / done:.0f} s left" if done else ""
            took = f", {now - started:.1f} s" if last else left
            print(f"{stage} {done}/{total}{took}", file=sys.stderr, flush=True)

    return told
