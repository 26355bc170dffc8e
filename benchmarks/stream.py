"""What a long video costs, and whether it stays as it began.

    python benchmarks/stream.py work [--size 144x80] [--steps 12] [--lengths 8,60] [--write]
    python benchmarks/stream.py look [--seconds 60] [--steps 12] [--paces 6,3,0.1,0 ...] [--write]
    python benchmarks/stream.py drift [--count 12] [--seconds 60] [--out runs/drift] [--write]

`work`: each length in a process of its own, as the command line makes it, parts and mp4 included:
processor seconds of a second of video (the lower quartile, and not of the clock, so that a busy
machine says nearly the same), operations, and the peak of memory. In brackets the ratio to the
first length.

`look`: a few prompts at several paces (window, advance, context level, anchor, and lag where it is
not all steps); how the last fifth of a video differs from its first in colour (of the scale -1..1,
the channel that moved most), contrast and sharpness (ratios); how much the picture changes from
frame to frame within a latent, between latents and between groups; and what the rulers of seams and
drift say of stretches of two seconds. --sheets FOLDER puts contact sheets there.

`drift`: one video of each of many scenes' captions, of seeds that no training saw: its last fifth
against its first in colour, contrast, sharpness and the number of things that the rulers see.
OUT/NUMBER.json has each video's figures: a run that was stopped goes on after the last that is
there. Needs MuJoCo.

--write puts the tables into docs/stream.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from worldreel.course import Pace
from worldreel.engine import Engine, load
from worldreel.eval import metrics, probes
from worldreel.eval.drift import drift, sharpness
from worldreel.eval.look import look
from worldreel.eval.seams import seams
from worldreel.output import whole_file
from worldreel.parts import parts_of
from worldreel.stream import Stream, stream

PAGE = Path(__file__).parents[1] / "docs/stream.md"
PROMPTS = (
    "a yellow cube rests in a meadow at noon",
    "a red ball rolls to the left across a wooden table",
    "a blue cone on a snowfield at sunset, the camera orbits",
)
STRETCH = 24  # frames that the rulers look at: two seconds, as they were calibrated
PLACES = 6  # stretches of a video
SHOWN = 8  # frames of each video on a sheet
FIRST_SEED = 120_000  # of the scenes whose captions are streamed for a long time
LOOKS = 3  # stretches of a fifth in which things are counted


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("work", "look", "drift", "child"))
    parser.add_argument("--size", default="144x80")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--lengths", default="8,60")
    parser.add_argument("--paces", nargs="*", default=[_named(Pace())])
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--model", default="marble", help="of `drift`")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--world", default="small")
    parser.add_argument("--out", type=Path, default=Path("runs/drift"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if given.what == "child":
        print(json.dumps(_child(given)))
        return
    lines = list({"work": work, "look": looks, "drift": drifts}[given.what](given))
    if given.write:
        length = "" if given.what == "work" else f" {given.seconds:g}"
        text, mark = PAGE.read_text(), f"<!-- {given.what} {given.size}{length} -->\n"
        if mark not in text:
            sys.exit(f"{PAGE} has no place for this table: {mark.strip()}")
        head, _, rest = text.partition(mark)
        _, end, tail = rest.partition("<!-- end -->")
        PAGE.write_text(head + mark + "\n" + "\n".join(lines) + "\n\n" + end + tail)


def _say(line: str) -> str:
    print(line, flush=True)
    return line


# Work and memory.


def work(given: argparse.Namespace) -> Iterator[str]:
    yield _say(f"{given.size}, {given.steps} steps, torch {torch.__version__}, 1 thread:")
    yield _say("")
    yield _say(
        "| video | processor seconds of a second | its last fifth to its first | GFLOP of the third"
        " and of the last second | peak, MiB | of it loaded |"
    )
    yield _say("|---" * 6 + "|")
    first: dict[str, float] = {}
    for seconds in given.lengths.split(","):
        asked = ["--size", given.size, "--steps", str(given.steps), "--seconds", seconds]
        command = [sys.executable, __file__, "child", *asked]
        one = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        first = first or one
        cells = [
            f"{seconds} s",
            f"{one['cpu']:.3f} ({one['cpu'] / first['cpu']:.2f})",
            f"{one['last']:.2f}",
            f"{one['early']:.2f}, {one['late']:.2f}",
            f"{one['peak']:.0f} ({one['peak'] / first['peak']:.3f})",
            f"{one['loaded']:.0f}",
        ]
        yield _say("| " + " | ".join(cells) + " |")


def _child(given: argparse.Namespace) -> dict[str, float]:
    """One video, as the command line makes it, in this process; a group is a second.

    Operations are counted in two groups alone, which are not timed: counting takes time.
    """
    torch.set_num_threads(1)
    one = _stream(load(), PROMPTS[0], given, Pace())
    total, loaded, spent, counted = one.course.num_groups, _memory(), [], []
    with tempfile.TemporaryDirectory() as folder:
        with parts_of(one, Path(folder)) as parts:
            chunks = one.chunks()
            for index in range(total):
                began = time.process_time()
                if index in (1, total - 1):
                    with FlopCounterMode(display=False) as counter:
                        parts.add(next(chunks))
                    counted.append(counter.get_total_flops() / 1e9)
                else:
                    parts.add(next(chunks))
                    spent.append(time.process_time() - began)
            parts.join(Path(folder) / "a.mp4")
    spent = spent[1:]  # the first is the window: two seconds, and what is done once
    some = max(1, len(spent) // 5)
    return {
        "cpu": float(np.percentile(spent, 25)),
        "last": float(np.percentile(spent[-some:], 25) / np.percentile(spent[:some], 25)),
        "early": counted[0],
        "late": counted[1],
        "peak": _memory(),
        "loaded": loaded,
    }


def _memory() -> float:
    """MiB at the highest so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def _stream(
    model: Engine, prompt: str, given: argparse.Namespace, pace: Pace, seed: int = 0
) -> Stream:
    return stream(
        model,
        prompt,
        seconds=given.seconds,
        pace=pace,
        size=given.size,
        num_inference_steps=given.steps,
        seed=seed,
    )


# How it looks.


def _named(pace: Pace) -> str:
    lag = f",{pace.lag}" if pace.lag else ""
    return f"{pace.window},{pace.advance},{pace.context_level:g},{pace.anchor}{lag}"


def _pace(name: str) -> Pace:
    window, advance, level, anchor, *lag = name.split(",")
    return Pace(
        window=int(window),
        advance=int(advance),
        context_level=float(level),
        anchor=int(anchor),
        lag=int(lag[0]) if lag else None,
    )


def looks(given: argparse.Namespace) -> Iterator[str]:
    model, rulers = load(), probes.load()
    yield _say(
        f"{len(PROMPTS)} videos of {given.seconds:g} s at {given.size}, {given.steps} steps: means,"
        " and in brackets the worst."
    )
    yield _say("")
    heads = "window, advance, level, anchor, lag|colour|contrast|sharpness|change|smooth|steady"
    yield _say(f"| {heads.replace('|', ' | ')} |")
    yield _say("|---" * 7 + "|")
    for name in given.paces:
        rows, sheet = [], []
        for seed, prompt in enumerate(PROMPTS):
            one = _stream(model, prompt, given, _pace(name), seed)
            frames = np.concatenate([chunk.frames for chunk in one])
            rows.append(_figures(frames, one, rulers))
            at = np.linspace(0, len(frames) - 1, SHOWN).round().astype(int)
            sheet.append(np.concatenate(list(frames[at]), axis=1))
        if given.sheets:
            given.sheets.mkdir(exist_ok=True)
            Image.fromarray(np.concatenate(sheet)).save(given.sheets / f"{name}.png")
        yield _say(f"| {name.replace(',', ', ')} | " + " | ".join(_cells(rows)) + " |")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of one video; change: within a latent, between latents, between groups; the rulers' verdicts:
    of the first stretch, and the share of the others."""

    colour: float
    contrast: float
    sharpness: float
    change: tuple[float, float, float]
    smooth: tuple[float, float]
    steady: tuple[float, float]


def _figures(frames: np.ndarray, one: Stream, rulers: probes.Rulers) -> Figures:
    fifth = len(frames) // 5
    first, last = (_measured(part) for part in (frames[:fifth], frames[-fifth:]))
    made, change = one.course, np.abs(np.diff(frames.astype(np.float32), axis=0)).mean((1, 2, 3))
    after = np.arange(1, len(frames))  # the frame that each change leads to
    kind = (after % made.frames_per_latent == 0).astype(int)
    kind[[made.frames_per_latent * made.group(i)[0] - 1 for i in range(1, made.num_groups)]] = 2
    within, between, groups = (float(change[kind == k].mean()) for k in range(3))
    starts = np.linspace(0, len(frames) - STRETCH, PLACES).round().astype(int)
    views = [look(rulers, frames[i : i + STRETCH]) for i in starts]
    smooth = [float(seams(view).value == "smooth") for view in views]
    steady = [float(drift(view).value == "steady") for view in views]
    return Figures(
        colour=float(np.abs(last[:3] - first[:3]).max()),
        contrast=float(last[3] / first[3]),
        sharpness=float(last[4] / first[4]),
        change=(within, between, groups),
        smooth=(smooth[0], mean(smooth[1:])),
        steady=(steady[0], mean(steady[1:])),
    )


def _cells(rows: list[Figures]) -> Iterator[str]:
    """The mean over videos of each figure; in brackets the worst of a drift, the share at first."""
    yield f"{mean(r.colour for r in rows):.2f} ({max(r.colour for r in rows):.2f})"
    for name in ("contrast", "sharpness"):
        ratios = [getattr(r, name) for r in rows]
        yield f"{mean(ratios):.2f} ({max(ratios, key=lambda x: abs(np.log(x))):.2f})"
    yield ", ".join(f"{mean(r.change[k] for r in rows):.1f}" for k in range(3))
    for name in ("smooth", "steady"):
        first, others = (100 * mean(getattr(r, name)[k] for r in rows) for k in range(2))
        yield f"{others:.0f} % ({first:.0f} %)"


# How far many drift.


def drifts(given: argparse.Namespace) -> Iterator[str]:
    """Make the videos that are not there yet, and tell of all of them."""
    model, rulers = load(given.model), probes.load()
    given.out.mkdir(parents=True, exist_ok=True)
    about = {
        "model": model.settings.name,
        "weights": model.space,
        "size": given.size,
        "seconds": given.seconds,
        "steps": given.steps,
        "world": given.world,
    }
    rows = []
    for number in range(given.count):
        seed = given.first_seed + number
        file = given.out / f"{seed}.json"
        if not file.exists():
            from worldreel.eval.cases import case  # MuJoCo has no part in what `work` measures

            scene = case(seed, seed, "held_out" if number % 2 else None, given.world)
            said = scene.prompts["en"]
            one = _stream(model, said.text, given, Pace(), seed)
            found = {"prompt": said.text, "asked": metrics.asked(said.facts).count}
            made = {"about": about} | found | drifted(one, rulers)
            with whole_file(file) as part:
                part.write_text(json.dumps(made, ensure_ascii=False) + "\n", "utf-8")
            print(f"{file}: {json.dumps(made['last'])}", file=sys.stderr, flush=True)
        rows.append(json.loads(file.read_text("utf-8")))
        if rows[-1]["about"] != about:
            sys.exit(f"{file} is of {rows[-1]['about']}, not {about}: give another --out")
    yield from map(_say, drift_table(rows))


def drifted(one: Stream, rulers: probes.Rulers) -> dict[str, dict[str, Any]]:
    """Of the first and the last fifth of a stream: colour (3), contrast, sharpness, things."""
    total, parts = one.course.plan.num_frames, {"first": [], "last": []}
    fifth, seen = max(1, total // 5), 0
    for chunk in one:
        places = np.arange(seen, seen + len(chunk.frames))
        parts["first"].append(chunk.frames[places < fifth])
        parts["last"].append(chunk.frames[places >= total - fifth])
        seen += len(chunk.frames)
    found = {}
    for name, kept in parts.items():
        frames = np.concatenate(kept)
        *colour, contrast, sharp = (float(value) for value in _measured(frames))
        starts = np.linspace(0, max(0, len(frames) - STRETCH), LOOKS).round().astype(int)
        looks = [rulers.read(frames[i : i + STRETCH]) for i in dict.fromkeys(starts.tolist())]
        things = mean(sum(thing.count for thing in look.things) for look in looks)
        found[name] = {
            "colour": colour, "contrast": contrast, "sharpness": sharp, "things": things,
        }  # fmt: skip
    return found


def drift_table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Lines of Markdown: means, and in brackets the worst."""
    about = rows[0]["about"]
    yield (
        f"{len(rows)} videos of {about['seconds']:g} s at {about['size']} by {about['model']}, "
        f"{about['steps']} steps, "
        f"of captions of the {about['world']} world: the last fifth against the first, means, and "
        "in brackets the worst."
    )
    yield ""
    yield "| colour | contrast | sharpness | things asked for, first, last | as many at the end |"
    yield "|---" * 5 + "|"
    moved = [
        max(abs(b - a) for a, b in zip(r["first"]["colour"], r["last"]["colour"], strict=True))
        for r in rows
    ]
    cells = [f"{mean(moved):.2f} ({max(moved):.2f})"]
    for name in ("contrast", "sharpness"):
        ratios = [row["last"][name] / max(row["first"][name], 1e-6) for row in rows]
        worst = max(ratios, key=lambda x: abs(np.log(max(x, 1e-6))))
        cells.append(f"{mean(ratios):.2f} ({worst:.2f})")
    things = [[row["asked"], row["first"]["things"], row["last"]["things"]] for row in rows]
    cells.append(", ".join(f"{mean(column):.1f}" for column in zip(*things, strict=True)))
    stay = sum(round(first) == round(last) for _, first, last in things)
    cells.append(f"{stay} of {len(rows)}")
    yield f"| {' | '.join(cells)} |"


def _measured(frames: np.ndarray) -> np.ndarray:
    """Mean of each channel, contrast and sharpness of a stretch: 5."""
    x = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
    contrast, sharp = x.std(dim=(2, 3)).mean(), sharpness(x).mean()
    return torch.stack([*x.mean(dim=(0, 2, 3)), contrast, sharp]).numpy()


if __name__ == "__main__":
    main()
