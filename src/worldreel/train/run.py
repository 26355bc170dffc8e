"""A run's folder: where a run goes on, and what its weights cost.

step-000001200/   the last two states: all that is needed to go on, bit for bit
final/            the weights so far, for use; written at every save, behind the state
metrics.jsonl     what was measured, and metrics.svg, its curves
lock              the process that trains here; it holds while that lives
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from worldreel import checkpoint
from worldreel.checkpoint import Loaded
from worldreel.errors import CheckpointError, TrainingError
from worldreel.parallel import Ranks
from worldreel.train import recipe
from worldreel.train.log import Log

_FREE = frozenset({"compile", "jobs", "save_every"})  # settings that change nothing that is learned
_MOST = 5  # differences that are said; all of them are kept


@contextlib.contextmanager
def claimed(out: Path, ranks: Ranks) -> Iterator[None]:
    """The folder for one trainer; a TrainingError names the process that has it.

    Who starts a run again after `kill -9` of torchrun may not know that its workers live on.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        fcntl = None
    if fcntl is None or not ranks.first:
        yield
        return
    out.mkdir(parents=True, exist_ok=True)
    with (out / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise TrainingError(
                f"process {file.read().strip()} trains in {out}: wait for it, or end it"
            ) from None
        except OSError:  # a file system without locks
            pass
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextlib.contextmanager
def allowed(minutes: float | None, ranks: Ranks) -> Iterator[Callable[[], bool]]:
    """Asked after each step: whether to save and stop, on every rank alike.

    That is when the minutes are over, and when a process was told to end: by SIGTERM, which
    schedulers and machines lent for a while send, or by Ctrl-C. The signal takes effect when all
    have left. A process alone that is told so twice ends at once; of several, each is told by
    torchrun again what a terminal told it already.
    """
    began, heard = time.monotonic(), []

    def heed(number: int, _: object) -> None:
        heard.append(number)
        if ranks.size == 1:
            signal.signal(number, before[number])
        if ranks.first and len(heard) == 1:  # print() might be what was interrupted
            os.write(2, b"\nending after this step, which is saved\n")

    def late() -> bool:
        over = minutes is not None and time.monotonic() - began > 60 * minutes
        return ranks.agree(over or bool(heard))

    before = {}
    if threading.current_thread() is threading.main_thread():  # elsewhere none can be heard
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, heed)
    try:
        yield late
        ranks.agree(False)  # the first has saved; torchrun ends all when one is gone
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if heard:
        signal.raise_signal(heard[0])


def resume(out: Path, *, kind: str, ranks: Ranks, fresh: bool) -> Loaded | None:
    """The state from which every rank goes on, or None for a run from the start.

    The first rank chooses, and sweeps up what a killed one left. fresh: an older run's states are
    removed, for they would be taken for this one's later steps.
    """
    step = -1
    if ranks.first:
        for old in out.glob("step-*") if fresh else ():
            shutil.rmtree(old)
        newest = checkpoint.latest(out)
        step = -1 if newest is None else int(newest.name.removeprefix("step-"))
    step = ranks.told(step)
    return None if step < 0 else checkpoint.load(out / f"step-{step:09d}", kind=kind)


def kept(c: Any, held: Loaded | None, ranks: Ranks) -> dict[str, Any]:
    """What a run's states tell of its recipe: {"recipe": its settings, "changed": ...}.

    A run may go on under a recipe that was changed meanwhile: with more steps, or where clips lie
    elsewhere. The differences are said on standard error, and stay: "changed" is a list of
    {"step": N, "settings": {name: [before, after]}}, which goes into the weights' provenance, too.
    """
    now = _settings(dataclasses.asdict(c))
    past = (held.extra if held else {}).get("told") or {"recipe": now, "changed": []}
    before = past["recipe"]
    new = {
        name: [before.get(name), now.get(name)]
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name) and name not in _FREE
    }
    if held is None or not new:
        return {"recipe": now, "changed": past["changed"]}
    step = held.extra["step"]
    if ranks.first:
        said = [f"{name}: {old} is now {value}" for name, (old, value) in new.items()]
        more = [f"and {len(said) - _MOST} more"] if len(said) > _MOST else []
        print(
            f"the recipe was changed at step {step}: {', '.join(said[:_MOST] + more)}",
            file=sys.stderr,
        )
    return {"recipe": now, "changed": [*past["changed"], {"step": step, "settings": new}]}


def _settings(value: Any, name: str = "") -> dict[str, Any]:
    """The leaves of nested settings by their names: {"phases.0.steps": 10}."""
    if isinstance(value, Mapping):
        inner = [(str(key), one) for key, one in value.items()]
    elif isinstance(value, list | tuple):
        inner = [(str(i), one) for i, one in enumerate(value)]
    else:
        return {name: value if isinstance(value, bool | int | float | None) else str(value)}
    where = f"{name}." if name else ""
    return {k: v for key, one in inner for k, v in _settings(one, where + key).items()}


def stale(out: Path, *, kind: str, step: int) -> bool:
    """Whether `final` is not of this step: the run was killed between a state and its `final`."""
    try:
        return checkpoint.load(out / "final", kind=kind).provenance.get("steps") != step
    except CheckpointError:
        return True


def provenance(
    name: str,
    log: Log,
    ranks: Ranks,
    *,
    steps: int,
    clips: int,
    flops: float,
    seed: int,
    changed: Sequence[Mapping[str, Any]] = (),
    **more: Any,
) -> dict[str, Any]:
    """How weights came to be. flops: by formula, forward and backward; NaN if it is unknown.
    changed: how the recipe was, on the way (`kept`).

    Processor hours are the first process's, times the number of processes.
    """
    gpu = ranks.device.type == "cuda"
    return {
        "recipe": recipe.title(name),
        "seed": seed,
        "steps": steps,
        "clips": clips,
        "flops": float(f"{flops:.3g}") if math.isfinite(flops) else None,
        "hours": round(log.seconds / 3600, 4),
        "processor_hours": round(log.processor * ranks.size / 3600, 4),
        "processes": ranks.size,
        "device": torch.cuda.get_device_name(ranks.device) if gpu else "cpu",
        "torch": str(torch.__version__),
        **({"changed": list(changed)} if changed else {}),
        **more,
    }
