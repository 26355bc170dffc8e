"""How often the rulers are right on real renders, and how often they cry wolf.

A ruler that is right on less than 95 % of real renders, or sees what is not there in more than
5 %, is not used for a claim. What comes out here stands beside every figure of a card.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from worldreel.errors import CheckpointError, RequestError
from worldreel.eval import metrics, probes, report
from worldreel.eval.cases import SECONDS, SIZE, Progress, renders
from worldreel.eval.known import CORE
from worldreel.eval.metrics import LINES, TO_A_SIDE, Asked, asked
from worldreel.eval.probes import Reading, Rulers
from worldreel.world.act import stage_scene
from worldreel.world.facts import Fact, facts

FIRST_SEED = 5_100_000
COUNT = 300
LEAST_RIGHT, MOST_ALARMS = 0.95, 0.05
FILE = "calibration.json"

Real = tuple[np.ndarray, tuple[Fact, ...], str | None]  # frames, all that is true, split


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def packaged(folder: Path = probes.PACKAGED) -> dict[str, Any]:
    """The calibration of the packaged rulers."""
    file = folder / FILE
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{file} cannot be read ({error}): worldreel eval calibrate --write makes it"
        ) from None


def calibrate(
    *,
    count: int = COUNT,
    write: bool = False,
    progress: Progress = _silent,
    rulers: Rulers | None = None,
    clips: Iterable[Real] | None = None,
) -> dict[str, Any]:
    """Read `count` real renders, half of them of held-out pairs, and say how often that is right.

    write: keep the answer beside the rulers' weights. clips: renders to read instead.
    """
    if count < 2:
        raise RequestError(f"count must be at least 2, not {count}")
    rulers = rulers or probes.load()
    read: list[tuple[Asked, Reading, str | None]] = []
    empty, frozen, moved = 0, 0, 0
    for frames, true, split in clips if clips is not None else real(count, progress):
        what = asked(true)
        read.append((what, rulers.read(frames), split))
        stopped = np.repeat(frames[:1], len(frames), 0)
        if metrics.wanted(what).get("motion", "rests") != "rests":
            moved += 1
            frozen += metrics.judge(what, rulers.read(stopped))["motion"]
    blanks = list(nothing())
    for frames in blanks:
        seen = rulers.read(frames)
        empty += bool(seen.things or seen.setting or seen.light)
    answer = {
        "clips": len(read),
        "first_seed": FIRST_SEED,
        "size": list(SIZE),
        "lines": {line: _line(line, read) for line in LINES},
        "nothing": {"read as something": empty, "count": len(blanks)},
        "frozen": {"read as moving as asked": frozen, "count": moved},
    }
    if write:
        report.write_json(probes.PACKAGED / FILE, answer)
    return answer


def real(count: int, told: Progress) -> Iterator[Real]:
    """Real clips of seeds that neither the rulers nor any model was trained or chosen on."""
    half = (count + 1) // 2
    plan: list[tuple[int, str | None]] = [(FIRST_SEED + i, None) for i in range(half)]
    plan += [(FIRST_SEED + i, "held_out") for i in range(count - half)]
    takes = []
    for seed, split in plan:
        takes.append(stage_scene(seed, split=split, seconds=SECONDS, size=SIZE, within=CORE))
        told("scenes", len(takes), count)
    for frames, take, (_, split) in zip(renders(takes, told), takes, plan, strict=True):
        yield frames, facts(take), split


def nothing() -> Iterator[np.ndarray]:  # F H W 3 uint8
    """Clips that show nothing: black, white, grey, colours, noise of several grains."""
    width, height = SIZE
    shape = (8, height, width, 3)
    rng = np.random.default_rng(FIRST_SEED)
    for level in (0, 60, 128, 255):
        yield np.full(shape, level, np.uint8)
    for color in ((220, 20, 20), (20, 150, 40), (20, 50, 220), (250, 220, 20)):
        yield np.broadcast_to(np.array(color, np.uint8), shape).copy()
    for grain in (1, 2, 4, 8):
        for spread in (20, 60):
            coarse = rng.normal(128, spread, (8, height // grain, width // grain, 3))
            rough = coarse.repeat(grain, 1).repeat(grain, 2)
            yield rough.clip(0, 255).astype(np.uint8)


def _line(line: str, read: Sequence[tuple[Asked, Reading, str | None]]) -> dict[str, Any]:
    pairs = [
        (right[line], metrics.answers(what, reading)[line], split)
        for what, reading, split in read
        if line in (right := metrics.wanted(what))
    ]
    alarms = [a for what, reading, _ in read if (a := _alarm(line, what, reading)) is not None]
    seen = [right == got for right, got, split in pairs if split is None]
    held = [right == got for right, got, split in pairs if split is not None]
    good = metrics.share(sum(seen) + sum(held), len(pairs))
    cried = metrics.share(sum(alarms), len(alarms))
    used = bool(pairs) and good["share"] >= LEAST_RIGHT
    used = used and (not alarms or cried["share"] <= MOST_ALARMS)
    return {
        **good,
        "seen": metrics.share(sum(seen), len(seen)),
        "held out": metrics.share(sum(held), len(held)),
        "false alarms": {"cried": cried.pop("right"), **cried},
        "confusion": metrics.confusion((right, got) for right, got, _ in pairs),
        "used": used,
    }


def _alarm(line: str, what: Asked, reading: Reading) -> bool | None:
    """Whether something was read that is not there; None where this clip cannot tell."""
    if line == "colour":
        return bool({s.color for s in reading.things} - {t.color for t in what.things})
    if line == "kind":
        return bool({s.kind for s in reading.things} - {t.kind for t in what.things})
    if line.startswith("second"):
        return len(reading.things) > 1 if len(what.things) == 1 else None
    if line == "count":
        return sum(s.count for s in reading.things) > what.count
    if line in ("setting", "light"):
        return getattr(reading, line) not in (None, getattr(what, line))
    still = {t.color for t in what.things if t.motion == "rests"}
    if line == "motion":
        seen = [s.motion for s in reading.things if s.color in still]
        return any(motion != "rests" for motion in seen) if seen else None
    if any(t.motion is None or t.motion in TO_A_SIDE for t in what.things):
        return None
    return any(s.motion in TO_A_SIDE for s in reading.things)
