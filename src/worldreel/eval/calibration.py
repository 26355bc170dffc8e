"""How often the rulers are right on real renders, and how often they cry wolf.

A ruler that is right on fewer real renders than it has to be (97 or 95 %), or sees what is not
there in more than 5 %, is marked unused: no claim is made by it. What comes out here stands beside
every figure of a card. The renders are drawn once and kept in a folder; more of them are added at
its end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from worldreel.data import clip as data
from worldreel.data.synth import Settings, synthesize
from worldreel.errors import CheckpointError, RequestError
from worldreel.eval import caught, judging, metrics, probes, report
from worldreel.eval.cases import SECONDS, SIZE, WORLD
from worldreel.eval.judging import Read
from worldreel.eval.known import CORE, PLAIN, STYLED, STYLES, WEATHERED, WEATHERS
from worldreel.eval.metrics import TO_A_SIDE, Asked, asked
from worldreel.eval.probes import Reading, Rulers
from worldreel.progress import Progress, silent
from worldreel.world.facts import Fact
from worldreel.world.scene import FPS

FIRST_SEED = 5_100_000
COUNT = 300
LEAST_RIGHT, MOST_ALARMS = 0.95, 0.05
FEWEST = 10  # clips that a line is judged by, at least, before it is used
FOILED = 24  # clips that are shown frozen, too
# What a ruler has to reach: most of the lines of words, the sides and the count more than others.
REQUIRED: dict[str, float] = dict.fromkeys(
    ("colour", "kind", "side", "setting", "light", "style", "count", "camera"), 0.97
)
FILES = {"small": "calibration-small.json"}  # by world; of the others there is one
FILE = "calibration.json"
FOLDER = Path("runs/calibration")
SHARD = 20  # clips


@dataclass(frozen=True, kw_only=True, eq=False)
class Real:
    """A real clip and all that is true of it. cuts: the seconds of its cuts."""

    frames: np.ndarray  # F H W 3 uint8
    facts: tuple[Fact, ...]
    split: str | None = None
    cuts: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Group:
    """Renders of one mix. share: how many of them there are beside the other groups'; shots:
    whether they are clips of one to three shots."""

    name: str
    split: str | None
    within: Set[str]
    share: int
    shots: bool = False
    seconds: float = SECONDS


GROUPS: dict[str, tuple[Group, ...]] = {
    "plain": (
        Group(name="plain", split=None, within=PLAIN, share=2),
        Group(name="plain-held", split="held_out", within=PLAIN, share=2),
        Group(name="weather", split=None, within=WEATHERED, share=1),
        Group(name="style", split=None, within=STYLED, share=1),
        Group(name="shots", split=None, within=PLAIN, share=1, shots=True, seconds=6.0),
    ),
    "small": (
        Group(name="small", split=None, within=CORE, share=1),
        Group(name="small-held", split="held_out", within=CORE, share=1),
    ),
}


def packaged(world: str = WORLD, folder: Path = probes.PACKAGED) -> dict[str, Any]:
    """The calibration of the packaged rulers on a world's renders."""
    file = folder / FILES.get(world, FILE)
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{file} cannot be read ({error}): worldreel eval calibrate --write makes it"
        ) from None


def calibrate(
    *,
    count: int = COUNT,
    world: str = WORLD,
    folder: Path = FOLDER,
    jobs: int = 1,
    damages: int = 0,
    write: bool = False,
    progress: Progress = silent,
    rulers: Rulers | None = None,
    clips: Iterable[Real] | None = None,
) -> dict[str, Any]:
    """Read `count` real renders, many of them of held-out pairs, and say how often that is right.

    folder: where the renders are kept. damages: so many clips are spoilt in each way of
    `damage.DAMAGES`, too; with 0 what is known of them stays. write: keep the answer beside the
    rulers' weights. clips: renders to read instead.
    """
    if count < 2:
        raise RequestError(f"count must be at least 2, not {count}")
    if world not in GROUPS:
        raise RequestError(f"no calibration on {world!r}: one of {', '.join(GROUPS)}")
    rulers = rulers or probes.load()
    lines = tuple(judging.questions())
    read: list[_Clip] = []
    frozen: list[tuple[_Clip, Read]] = []
    told = progress if clips is None else silent
    for one in clips or real(count, world, folder, told, jobs=jobs):
        read.append(_Clip(one, judging.read(rulers, one.frames, lines)))
        if len(frozen) < FOILED and not one.cuts:
            stopped = np.repeat(one.frames[:1], len(one.frames), 0)
            frozen.append((read[-1], judging.read(rulers, stopped, lines)))
        told("read", len(read), count)
    blanks = [rulers.read(frames) for frames in nothing()]
    empty = sum(seen.known for seen in blanks)
    core = [clip for clip in read if not clip.odd]
    answer = {
        "clips": len(read),
        "first_seed": FIRST_SEED,
        "size": list(SIZE),
        "world": world,
        "lines": {line: _line(line, core) for line in lines},
        "apart": _apart(read, lines),
        "foils": _foils(rulers, [clip for clip in core if not clip.cuts], frozen, lines),
        "nothing": {"read as something": empty, "count": len(blanks)},
    }
    if damages:
        answer["damages"] = caught.caught(rulers, damages, progress)
    elif "damages" in (before := _before(world)):
        answer["damages"] = before["damages"]
    if write:
        report.write_json(probes.PACKAGED / FILES.get(world, FILE), answer)
    return answer


def _before(world: str) -> dict[str, Any]:
    """What was written of a world before, nothing where there is none."""
    try:
        return packaged(world)
    except CheckpointError:
        return {}


def real(count: int, world: str, folder: Path, told: Progress, *, jobs: int = 1) -> Iterator[Real]:
    """Real clips of seeds that neither the rulers nor any model was trained or chosen on."""
    groups = GROUPS[world]
    whole = sum(group.share for group in groups)
    ends = np.cumsum([0, *(group.share for group in groups)]) * count // whole
    for group, some in zip(groups, np.diff(ends).tolist(), strict=True):
        settings = Settings(
            size=SIZE,
            seconds=group.seconds,
            samples=4,
            split=group.split,
            within=tuple(sorted(group.within)),
            shots=group.shots,
        )
        drawn = folder / group.name
        synthesize(
            drawn,
            settings,
            first_seed=FIRST_SEED,
            count=-(-some // SHARD) * SHARD,
            jobs=jobs,
            shard=SHARD,
            progress=lambda stage, *how, of=group.name: told(f"{stage} {of}", *how),
        )
        made = (clip for path in data.shards(drawn) for clip in data.read(path))
        for _, clip in zip(range(some), made, strict=False):
            yield Real(
                frames=np.array(clip.frames),
                facts=clip.facts,
                split=group.split,
                cuts=tuple(start / FPS for start in clip.starts[1:]),
            )


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


# Figures.


class _Clip:
    """A render with what was read in it."""

    def __init__(self, real: Real, seen: Read) -> None:
        self.true, self.cuts, self.split, self.seen = real.facts, real.cuts, real.split, seen
        said = {fact.name: fact.value for fact in self.true if not fact.args}
        odd = [said.get("weather"), said.get("style")]
        self.odd = [name for name in odd if name and name not in (WEATHERS[0], STYLES[0])]
        self.names = self.odd or [said.get("light") == "night" and "night" or "day"]

    def wanted(self, lines: Sequence[str]) -> dict[str, str]:
        return judging.wanted(self.true, lines, self.cuts)

    def answers(self, lines: Sequence[str]) -> dict[str, str]:
        return judging.answers(self.true, self.seen, lines, self.cuts)

    def judged(self, lines: Sequence[str], seen: Read | None = None) -> dict[str, bool]:
        """Line by line, whether what was read (here, or else in another clip) is right."""
        return judging.judge(self.true, seen or self.seen, lines, self.cuts)


# Clips that must fail, and the lines on which they must.
_SHOWN = ("colour", "kind", "side", "setting", "light", "count")
FOILS: dict[str, tuple[str, ...]] = {
    "black": (*_SHOWN, "camera", "seams", "shots", "alive"),
    "noise": (*_SHOWN, "camera", "seams", "shots", "alive"),
    "frozen": ("gravity", "contact", "time", "alive"),
    "another prompt": ("colour", "kind", "setting"),
}


def _foils(
    rulers: Rulers,
    read: Sequence[_Clip],
    frozen: Sequence[tuple[_Clip, Read]],
    lines: Sequence[str],
) -> dict[str, Any]:
    """How often what must fail is taken for right, line by line; fails: those that must."""
    width, height = SIZE
    shape = (round(SECONDS * FPS), height, width, 3)
    noise = np.random.default_rng(FIRST_SEED).integers(0, 256, shape, np.uint8)
    blank = {"black": np.zeros(shape, np.uint8), "noise": noise}
    shown = {name: judging.read(rulers, frames, lines) for name, frames in blank.items()}
    judged = {
        **{name: [clip.judged(lines, seen) for clip in read] for name, seen in shown.items()},
        "frozen": [clip.judged(lines, seen) for clip, seen in frozen],
        "another prompt": [
            clip.judged(lines, other.seen)
            for clip, other in zip(read, metrics.shifted(read), strict=True)
            if clip is not other
        ],
    }
    return {
        name: {"fails": list(FOILS[name])}
        | {
            line: {key: row[key] for key in ("right", "count", "share")}
            for line, row in metrics.tally(some).items()
        }
        for name, some in judged.items()
    }


def _apart(read: Sequence[_Clip], lines: Sequence[str]) -> dict[str, Any]:
    """The share of right answers by day, at night, and in each weather and style."""
    names = dict.fromkeys(("day", "night", *WEATHERS[1:], *STYLES[1:]))
    found = {}
    for name in names:
        some = [clip for clip in read if name in clip.names]
        if some:
            shares = metrics.tally(clip.judged(lines) for clip in some)
            found[name] = {"clips": len(some)} | {
                line: {key: row[key] for key in ("right", "count", "share")}
                for line, row in shares.items()
            }
    return found


def _line(line: str, read: Sequence[_Clip]) -> dict[str, Any]:
    pairs = [
        (right[line], clip.answers((line,))[line], clip.split)
        for clip in read
        if line in (right := clip.wanted((line,)))
    ]
    alarms = [a for clip in read if (a := _alarm(line, clip)) is not None]
    seen = [right == got for right, got, split in pairs if split is None]
    held = [right == got for right, got, split in pairs if split is not None]
    good = metrics.share(sum(seen) + sum(held), len(pairs))
    cried = metrics.share(sum(alarms), len(alarms))
    required = REQUIRED.get(line, LEAST_RIGHT)
    reached = len(pairs) >= FEWEST and good["share"] >= required
    return {
        **good,
        "seen": metrics.share(sum(seen), len(seen)),
        "held out": metrics.share(sum(held), len(held)),
        "false alarms": {"cried": cried.pop("right"), **cried},
        "confusion": metrics.confusion((right, got) for right, got, _ in pairs),
        "required": required,
        "used": reached and (not alarms or cried["share"] <= MOST_ALARMS),
    }


def _alarm(line: str, clip: _Clip) -> bool | None:
    """Whether something was read that is not there; None where this clip cannot tell."""
    if line in metrics.LINES:
        return None if clip.cuts else _false(line, asked(clip.true), clip.seen.reading)
    right = clip.wanted((line,))
    if not right or (line == "camera" and right[line] != "static"):
        return None
    return clip.answers((line,)) != right  # nothing is wrong with it


def _false(line: str, what: Asked, reading: Reading) -> bool | None:
    if line == "colour":
        return bool({s.color for s in reading.things} - {t.color for t in what.things})
    if line == "kind":
        return bool({s.kind for s in reading.things} - {t.kind for t in what.things})
    if line.startswith("second"):
        return len(reading.things) > 1 if len(what.things) == 1 else None
    if line == "count":
        return sum(s.count for s in reading.things) > what.count
    if line == "binding":
        asks = "binding" in metrics.wanted(what)
        return metrics.answers(what, reading)["binding"] == metrics.SWAPPED if asks else None
    if line in ("setting", "light", "weather", "style"):
        return getattr(reading, line) not in (None, getattr(what, line))
    still = {t.color for t in what.things if t.motion == "rests"}
    if line == "motion":
        seen = [s.motion for s in reading.things if s.color in still]
        return any(motion != "rests" for motion in seen) if seen else None
    if any(t.motion is None or t.motion in TO_A_SIDE for t in what.things):
        return None
    return any(s.motion in TO_A_SIDE for s in reading.things)
