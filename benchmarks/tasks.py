"""What each task gives, in pictures and figures: a row per task in docs/tasks.md.

    python benchmarks/tasks.py [--count 12] [--steps 20] [--out runs/tasks] [--write]

Every task is made of the same real scenes, of seeds that no training saw, so that the truth is
known: the prompt is a scene's caption, and the pictures and clips that are given are its render,
through the compressor once, as a perfect model would have made them.

seam      how much neighbouring frames differ where the new meets the given (for a part of the
          picture: neighbouring columns and rows at its edges), over the median of all others; the
          worst of a clip's seams, the median of the clips. Beside it the same of the render, and
          of what the compressor gives back of it, at the same place.
motion    clips in which what is new changes within latents at least half as much as the render.
kept      PSNR of the frames that stand for a given picture, and of the compressor alone.
colour, kind, setting    how often the rulers read them as the prompt says.

OUT/tasks.json has every clip; a run that was stopped goes on after the last whole task. --write
puts the page and a strip of each task's first clip into docs. Needs MuJoCo.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from worldreel.engine import Engine, load
from worldreel.eval import judging, probes
from worldreel.eval.cases import FRAMES, SIZE, cases, renders
from worldreel.eval.probes import Rulers
from worldreel.media import Video
from worldreel.output import whole_file
from worldreel.progress import silent
from worldreel.stream import stream
from worldreel.world.facts import Fact
from worldreel.world.scene import FPS

DOCS = Path(__file__).parents[1] / "docs"
FIRST_SEED = 120_000
GROUP = 4  # frames of a latent
MIDDLE = FRAMES // 2  # of a render: where it is measured for a seam that it has no frame for
LINES = ("colour", "kind", "setting")
LEAST = 0.5  # of 255: neighbours that differ less count as that much
STILL = 0.3  # of 255: a render that changes less rests, and says nothing of motion
SHOWN, COLOURS, BAR = 6, 256, 3  # frames of a strip, its palette, and pixels of its bar
NEW, GIVEN = (214, 120, 40), (150, 150, 150)  # colours of the bar
LARGEST = 1_500_000  # bytes of all strips
REGION = (48, 16, 48, 48)
SQUARE = (32, 112)  # columns of a render that are given where its sides are painted
OTHER = 0.9  # the strength of an edit

Frames = np.ndarray  # F H W 3 uint8
Span = tuple[int, int | None]  # of rows or columns
ALL: Span = (0, None)


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """A scene, and a model that is asked for it. other: the caption of another, for edits."""

    engine: Engine
    prompt: str
    facts: tuple[Fact, ...]
    real: Frames
    other: str
    other_facts: tuple[Fact, ...]
    seed: int
    steps: int | None = None

    @property
    def asked(self) -> dict[str, Any]:
        return {"seed": self.seed, "num_inference_steps": self.steps}

    @cached_property
    def again(self) -> Frames:
        """What the compressor gives back of the render."""
        return self.engine.decode(self.engine.encode(self.real))[0]

    @property
    def small(self) -> dict[str, Any]:
        return self.asked | {"size": SIZE}

    def clip(self, first: int = 0, stop: int = FRAMES, columns: Span = ALL) -> Video:
        """A part of the render as a clip that the model might have made: with latents."""
        latents = self.engine.encode(self.real[first:stop, :, slice(*columns)])
        about = {
            "request": {"prompt": self.prompt, "seed": self.seed},
            "latents": {"space": self.engine.space, "hidden": 0, "decoded": True},
        }
        return Video(self.engine.decode(latents)[0], FPS, latents, about)


@dataclass(frozen=True, kw_only=True)
class Seam:
    """A place along an axis (0 time, 1 down, 2 across) where the new meets the given: between
    at - 1 and at, 0 where a ring closes. rows, columns: where it is looked at."""

    at: int
    axis: int = 0
    rows: Span = ALL
    columns: Span = ALL


@dataclass(frozen=True, kw_only=True)
class Task:
    """new: the half-open span of frames that are painted; hidden: frames of the first latent that
    are not shown; kept: (from, to, frame of the render) of pictures that are given."""

    name: str
    command: str
    make: Callable[[Given], Frames]
    new: tuple[int, int] = (0, FRAMES)
    hidden: int = 0
    rows: Span = ALL
    columns: Span = ALL
    seams: tuple[Seam, ...] = ()
    kept: tuple[tuple[int, int, int], ...] = ()
    moves: bool = True
    other: bool = False  # judged by the other prompt


def _stream(given: Given) -> Frames:
    made = stream(given.engine, given.prompt, seconds=4, **given.small)
    return np.concatenate([chunk.frames for chunk in made])


def _edges(x: int, y: int, width: int, height: int) -> tuple[Seam, ...]:
    rows, columns = (y, y + height), (x, x + width)
    across = (Seam(at=at, axis=2, rows=rows) for at in (x, x + width))
    down = (Seam(at=at, axis=1, columns=columns) for at in (y, y + height))
    return (*across, *down)


_X, _Y, _WIDE, _HIGH = REGION
TASKS = (
    Task(
        name="text to video",
        command="generate PROMPT",
        make=lambda g: g.engine.generate(g.prompt, seconds=2, **g.small).frames,
    ),
    Task(
        name="text to image",
        command="generate PROMPT -o still.png",
        make=lambda g: g.engine.generate(g.prompt, num_frames=1, **g.small).frames,
        new=(0, 1),
        moves=False,
    ),
    Task(
        name="image to video",
        command="generate PROMPT --image first.png",
        make=lambda g: g.engine.generate(
            g.prompt, seconds=2, image=g.real[0], **g.small
        ).frames,
        new=(1, FRAMES),
        hidden=GROUP - 1,
        seams=(Seam(at=1),),
        kept=((0, 1, 0),),
    ),
    Task(
        name="first and last frame",
        command="generate PROMPT --image first.png --last-image last.png",
        make=lambda g: g.engine.generate(
            g.prompt, seconds=2, image=g.real[0], last_image=g.real[-1], **g.small
        ).frames,
        new=(1, FRAMES - GROUP + 1),
        hidden=GROUP - 1,
        seams=(Seam(at=1), Seam(at=FRAMES - GROUP + 1)),
        kept=((0, 1, 0), (FRAMES - GROUP + 1, FRAMES, FRAMES - 1)),
    ),
    Task(
        name="keyframes",
        command="generate PROMPT --keyframe 8f:a.png --keyframe 16f:b.png",
        make=lambda g: g.engine.generate(
            g.prompt,
            seconds=2,
            keyframes=[("8f", g.real[8]), ("16f", g.real[16])],
            **g.small,
        ).frames,
        seams=tuple(Seam(at=at) for at in (8, 12, 16, 20)),
        kept=((8, 12, 8), (16, 20, 16)),
    ),
    Task(
        name="extend",
        command="extend clip.mp4 --seconds 1",
        make=lambda g: g.engine.extend(g.clip(0, 12), seconds=1, **g.asked).frames,
        new=(12, FRAMES),
        seams=(Seam(at=12),),
    ),
    Task(
        name="extend, before",
        command="extend clip.mp4 --seconds 1 --before",
        make=lambda g: g.engine.extend(g.clip(12), seconds=1, before=True, **g.asked).frames,
        new=(0, 12),
        seams=(Seam(at=12),),
    ),
    Task(
        name="connect",
        command="connect a.mp4 b.mp4 --seconds 8f",
        make=lambda g: g.engine.connect(
            g.clip(0, 8), g.clip(16), num_frames=8, **g.asked
        ).frames,
        new=(8, 16),
        seams=(Seam(at=8), Seam(at=16)),
    ),
    Task(
        name="loop of a prompt",
        command="loop PROMPT --seconds 2",
        make=lambda g: g.engine.loop(g.prompt, seconds=2, **g.small).frames,
        seams=(Seam(at=0),),
    ),
    Task(
        name="loop of a clip",
        command="loop clip.mp4 --seconds 8f",
        make=lambda g: g.engine.loop(clip=g.clip(0, 16), num_frames=8, **g.asked).frames,
        new=(16, FRAMES),
        seams=(Seam(at=16), Seam(at=0)),
    ),
    Task(
        name="fill, missing frames",
        command="fill clip.mp4 --time 8f:16f",
        make=lambda g: g.engine.fill(g.clip(), time="8f:16f", **g.asked).frames,
        new=(8, 16),
        seams=(Seam(at=8), Seam(at=16)),
    ),
    Task(
        name="fill, a region",
        command=f"fill clip.mp4 --region {_X},{_Y},{_WIDE},{_HIGH}",
        make=lambda g: g.engine.fill(g.clip(), region=REGION, **g.asked).frames,
        rows=(_Y, _Y + _HIGH),
        columns=(_X, _X + _WIDE),
        seams=_edges(*REGION),
    ),
    Task(
        name="fill, a larger frame",
        command=f"fill square.mp4 --canvas {SIZE[0]}x{SIZE[1]}+{SQUARE[0]}+0",
        make=lambda g: g.engine.fill(
            g.clip(columns=SQUARE),
            canvas=f"{SIZE[0]}x{SIZE[1]}+{SQUARE[0]}+0",
            **g.asked,
        ).frames,
        seams=tuple(Seam(at=at, axis=2) for at in SQUARE),
    ),
    Task(
        name="retake",
        command="retake clip.mp4 --time 8f:16f",
        make=lambda g: g.engine.retake(
            g.clip(), time="8f:16f", num_inference_steps=g.steps
        ).frames,
        new=(8, 16),
        seams=(Seam(at=8), Seam(at=16)),
    ),
    Task(
        name="edit",
        command=f"edit clip.mp4 OTHER-PROMPT --strength {OTHER:g}",
        make=lambda g: g.engine.edit(g.clip(), g.other, strength=OTHER, **g.asked).frames,
        other=True,
    ),
    Task(
        name="stream",
        command="stream PROMPT --seconds 4",
        make=_stream,
        new=(0, 2 * FRAMES),
        seams=(Seam(at=24), Seam(at=36)),
    ),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="marble")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--world", default="small")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--only", nargs="*", help="names of tasks")
    parser.add_argument("--out", type=Path, default=Path("runs/tasks"))
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    engine = load(asked.model)
    about = {
        "model": engine.settings.name,
        "weights": engine.space,
        "count": asked.count,
        "first_seed": asked.first_seed,
        "world": asked.world,
        "size": list(SIZE),
        "frames": FRAMES,
        "steps": asked.steps or engine.settings.steps,
    }
    held = opened(asked.out / "tasks.json", about)
    wanted = [t for t in TASKS if not asked.only or t.name in asked.only]
    missing = [task for task in wanted if task.name not in held["tasks"]]
    if missing:
        rulers = probes.load()
        scenes = given(engine, asked)
        for task in missing:
            made = measured(task, scenes, rulers, strip=asked.out / f"{slug(task)}.png")
            held["tasks"][task.name] = made
            write_json(asked.out / "tasks.json", held)
            print(f"{task.name}: {json.dumps(made['summary'])}", flush=True)
    if asked.write:
        publish(held, asked.out, DOCS)


def opened(file: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """What an earlier run of the same has; a SystemExit where it is another's."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        return {"about": dict(about), "tasks": {}}
    held = json.loads(file.read_text("utf-8"))
    odd = [name for name, value in about.items() if held["about"].get(name) != value]
    if odd:
        raise SystemExit(f"{file} is of another {odd[0]}: give another --out, or remove it")
    return held


def write_json(file: Path, held: Mapping[str, Any]) -> None:
    with whole_file(file) as part:
        part.write_text(json.dumps(held, ensure_ascii=False, indent=1) + "\n", "utf-8")


def given(engine: Engine, asked: argparse.Namespace) -> list[Given]:
    """The scenes, each with its render; the other prompt is the next scene's."""
    made = cases(asked.count, asked.first_seed, silent, asked.world)
    said = [one.prompts["en"] for one in made]
    drawn = renders([one.take for one in made], silent)
    return [
        Given(
            engine=engine,
            prompt=own.text,
            facts=tuple(own.facts),
            real=real,
            other=other.text,
            other_facts=tuple(other.facts),
            seed=one.number,
            steps=asked.steps,
        )
        for one, own, other, real in zip(made, said, [*said[1:], said[0]], drawn, strict=True)
    ]


def measured(
    task: Task, scenes: Sequence[Given], rulers: Rulers | None, *, strip: Path
) -> dict[str, Any]:
    """A task's figures, of each scene and of all, and the strip of the first."""
    clips = []
    for place, scene in enumerate(scenes):
        frames = task.make(scene)
        clips.append(figures(task, scene, frames, rulers))
        if not place:
            with whole_file(strip) as part:
                drawn(task, frames).save(part, "PNG", optimize=True)
    return {"command": task.command, "summary": summary(clips), "clips": clips}


# Figures.


def figures(task: Task, scene: Given, frames: Frames, rulers: Rulers | None) -> dict[str, Any]:
    """One clip's; None for what a task has none of. rulers: None to leave words out."""
    real = scene.real
    found: dict[str, Any] = {"seed": scene.seed, "prompt": scene.prompt, "frames": len(frames)}
    if task.seams:
        theirs = [_in_render(seam) for seam in task.seams]
        found["seam"] = max(jump(frames, seam) for seam in task.seams)
        found["seam of the render"] = max(jump(real, seam) for seam in theirs)
        found["seam of the compressor"] = max(jump(scene.again, seam) for seam in theirs)
    if task.moves:
        found["motion"], found["motion of the render"] = motion(task, frames), motion(task, real)
    if task.kept:
        pairs = [_kept(scene.engine, frames, real, place) for place in task.kept]
        found["kept"], found["kept by the compressor"] = (
            float(np.mean(each)) for each in zip(*pairs, strict=True)
        )
    if rulers is not None:
        facts = scene.other_facts if task.other else scene.facts
        found["words"] = judging.judge(facts, judging.read(rulers, frames, LINES), LINES)
    return found


def jump(frames: Frames, seam: Seam) -> float:
    """How much neighbours differ at a seam, over the median of the others along its axis."""
    part = frames[:, slice(*seam.rows), slice(*seam.columns)].astype(np.float32)
    others = tuple(axis for axis in range(4) if axis != seam.axis)
    steps = np.abs(np.diff(part, axis=seam.axis)).mean(others)
    here = steps[seam.at - 1] if seam.at else np.abs(part[0] - part[-1]).mean()
    rest = np.delete(steps, seam.at - 1) if seam.at else steps
    return float(here / max(float(np.median(rest)), LEAST))


def _in_render(seam: Seam) -> Seam:
    """The same place in a render, its middle where it has none: a ring's, and beyond its end."""
    if seam.axis == 0 and not 0 < seam.at < FRAMES:
        return Seam(at=MIDDLE)
    return seam


def motion(task: Task, frames: Frames) -> float:
    """Of 255: how much what is new changes from frame to frame within latents, whose borders
    jump by themselves."""
    first, stop = task.new
    part = frames[:, slice(*task.rows), slice(*task.columns)].astype(np.float32)
    at = np.arange(first + 1, min(stop, len(frames)))
    at = at[(at + task.hidden) % GROUP != 0]
    return float(np.abs(part[at] - part[at - 1]).mean())


def _kept(
    engine: Engine, frames: Frames, real: Frames, place: tuple[int, int, int]
) -> tuple[float, float]:
    """PSNR of the frames that stand for a picture, and of as many that the compressor makes."""
    first, stop, which = place
    alone = engine.decode(engine.encode_still(real[which]))[0]
    return psnr(frames[first:stop], real[which]), psnr(alone[first - stop :], real[which])


def psnr(frames: Frames, picture: np.ndarray) -> float:
    error = np.square(frames.astype(np.float64) - picture).mean()
    return 10 * math.log10(255**2 / max(error, 1e-3))


def summary(clips: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Medians of seams, means of PSNR, shares of clips; only what there is."""
    found: dict[str, Any] = {}
    for name in ("seam", "seam of the render", "seam of the compressor"):
        if name in clips[0]:
            found[name] = round(median(clip[name] for clip in clips), 2)
    for name in ("kept", "kept by the compressor"):
        if name in clips[0]:
            found[name] = round(float(np.mean([clip[name] for clip in clips])), 1)
    moving = [clip for clip in clips if clip.get("motion of the render", 0) > STILL]
    if moving:
        enough = sum(2 * clip["motion"] >= clip["motion of the render"] for clip in moving)
        found["moves"] = [enough, len(moving)]
    for line in LINES:
        read = [clip["words"][line] for clip in clips if line in clip.get("words", ())]
        if read:
            found[line] = [sum(read), len(read)]
    return found


# The page.


def slug(task: Task) -> str:
    return task.name.replace(",", "").replace(" ", "-")


def drawn(task: Task, frames: Frames) -> Image.Image:
    """Some frames side by side; the bar below tells painted frames from given ones."""
    at = np.linspace(0, len(frames) - 1, min(SHOWN, len(frames))).round().astype(int)
    height, width = frames.shape[1:3]
    bars = np.empty((len(at), BAR, width, 3), np.uint8)
    for place, frame in enumerate(at):
        bars[place] = NEW if task.new[0] <= frame < task.new[1] else GIVEN
    columns = np.concatenate([frames[at], bars], axis=1)
    sheet = Image.fromarray(np.concatenate(list(columns), axis=1))
    return sheet.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def publish(held: Mapping[str, Any], strips: Path, docs: Path) -> None:
    """The page, and the strips beside it; a SystemExit where these are too large together."""
    found = [task for task in TASKS if task.name in held["tasks"]]
    pictures = {slug(task): (strips / f"{slug(task)}.png").read_bytes() for task in found}
    total = sum(map(len, pictures.values()))
    if total > LARGEST:
        raise SystemExit(f"the strips have {total:,} bytes, more than {LARGEST:,}")
    (docs / "tasks").mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        (docs / f"tasks/{name}.png").write_bytes(picture)
    (docs / "tasks.md").write_text("\n".join(page(held)) + "\n", "utf-8")


def page(held: Mapping[str, Any]) -> Iterator[str]:
    about = held["about"]
    width, height = about["size"]
    yield "<!-- Written by `python benchmarks/tasks.py --write`. -->"
    yield ""
    yield "# What each task gives"
    yield ""
    yield (
        f"{about['model']}, {about['count']} clips of each task at {width}x{height}, "
        f"{about['steps']} steps; scenes of the {about['world']} world, seeds from "
        f"{about['first_seed']:,} up, that no training saw (`python benchmarks/tasks.py --count "
        f"{about['count']} --world {about['world']} --steps {about['steps']} --write`, which says "
        "in its first lines how each figure is taken). Given pictures and clips are renders of the "
        "prompt's own scene, so that the truth is known; clips went through the compressor once. "
        "The strips are of the first clip, not chosen; under a painted frame the bar is orange."
    )
    yield ""
    yield (
        "Seam: 1 where nothing shows; in brackets the render's at the same place and the "
        "compressor's, which no model can be below. Moves: clips that move at least half as much "
        "as the render, of those whose render moves. Kept: PSNR in dB of what stands for a given "
        "picture, in brackets of the compressor alone. Colour, kind, setting: read back by the "
        "rulers, of those that the prompt states."
    )
    yield ""
    heads = ("task", "seam", "moves", "kept", *LINES, "first clip")
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for task in TASKS:
        if task.name in held["tasks"]:
            yield f"| {' | '.join(_cells(task, held['tasks'][task.name]['summary']))} |"


def _cells(task: Task, found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{task.name}<br>`{task.command}`"
    seam = "{seam:.1f} ({seam of the render:.1f}, {seam of the compressor:.1f})"
    yield seam.format_map(found) if "seam" in found else ""
    yield "{} of {}".format(*found["moves"]) if "moves" in found else ""
    kept = "{kept:.1f} ({kept by the compressor:.1f})"
    yield kept.format_map(found) if "kept" in found else ""
    for line in LINES:
        yield "{} of {}".format(*found[line]) if line in found else ""
    yield f"![{task.name}](tasks/{slug(task)}.png)"


if __name__ == "__main__":
    main()
