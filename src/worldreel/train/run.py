"""A run's folder: where a run goes on, and what its weights cost.

step-000001200/   the last two states: all that is needed to go on, bit for bit
final/            the weights so far, for use; written at every save, behind the state
metrics.jsonl     what was measured, and metrics.svg, its curves
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import torch

from worldreel import checkpoint
from worldreel.checkpoint import Loaded
from worldreel.errors import CheckpointError
from worldreel.parallel import Ranks
from worldreel.train.log import Log


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
    **more: Any,
) -> dict[str, Any]:
    """How weights came to be. flops: by formula, forward and backward; NaN if it is unknown.

    Processor hours are the first process's, times the number of processes.
    """
    gpu = ranks.device.type == "cuda"
    return {
        "recipe": Path(name).stem,
        "seed": seed,
        "steps": steps,
        "clips": clips,
        "flops": float(f"{flops:.3g}") if math.isfinite(flops) else None,
        "hours": round(log.seconds / 3600, 4),
        "processor_hours": round(log.processor * ranks.size / 3600, 4),
        "processes": ranks.size,
        "device": torch.cuda.get_device_name(ranks.device) if gpu else "cpu",
        "torch": str(torch.__version__),
        **more,
    }
