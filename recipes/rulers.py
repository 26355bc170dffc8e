"""The rulers of the examiner: trained on renders alone, from seeds, by one command.

    worldreel world render --out runs/data/clips --count 2048 --seed 3000000 --size 144x80
    worldreel world render --out runs/data/stills --count 2048 --seed 3100000 --size 144x80 --still
    python -m recipes.rulers --clips runs/data/clips --clips runs/data/stills

Clips of the folders teach the eye and the sense of motion; renders of its own, of seeds from
2,900,000 on, add held-out pairs in every shape, so that no ruler is biased against what a model is
asked to compose. Frames are softened, blurred and made noisy, as a compressor does. No model's
output is ever shown to them. Calibration (`worldreel eval calibrate`) uses seeds from 5,100,000 on.
The parts are kept in the folder of the renders once they are trained, the eye while it is: the same
command again goes on from there, and --only trains one part, so that they may run side by side.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from worldreel.data import clip as clips
from worldreel.eval import lessons, probes, tracks, wear
from worldreel.eval.eye import OF_A_FRAME, Eye, frames_to_eye
from worldreel.eval.metrics import RESTS
from worldreel.eval.probes import MOTIONS, PACKAGED, Motion, Rulers, features, mirrored, save
from worldreel.eval.shape import Shape
from worldreel.output import whole_file
from worldreel.world.facts import Fact
from worldreel.world.scene import Scene

OWN_WEIGHT = 2.5  # how much oftener than others the eye is shown a clip of its own renders
SAVED = 50  # steps after which the eye is kept


def loss(eye: nn.Module, b: lessons.Batch) -> tuple[Tensor, dict[str, float]]:
    with torch.autocast("cpu", torch.bfloat16):
        seen = eye(b.x.contiguous(memory_format=torch.channels_last))
    there = (b.owner > 0).float()
    away = (seen.middle.float() - b.middle()).abs().sum(1)
    # A cell of a kind's map is two of the others: of a thing where any of these is.
    kind = functional.max_pool2d(b.kind[:, None].float(), 2)[:, 0].long()
    say = b.say()
    say_kind = functional.max_pool2d(say[:, None], 2)[:, 0]
    parts = {
        "thing": functional.binary_cross_entropy_with_logits(
            seen.thing.float(), there, weight=say, pos_weight=torch.tensor(1.5)
        ),
        "color": _named(seen.color, b.color, say),
        "middle": (away * there * say).sum() / (there * say).sum().clamp_min(1),
        "kind": _named(seen.kind, kind, say_kind),
    }
    for place, name in enumerate(OF_A_FRAME):
        logits = getattr(seen, name).float()
        parts[name] = functional.cross_entropy(logits, b.frame[:, place])
    total = sum((WEIGHTS.get(name, 0.2) * value for name, value in parts.items()), torch.zeros(()))
    return total, {name: float(value.detach()) for name, value in parts.items()}


def _named(logits: Tensor, names: Tensor, say: Tensor) -> Tensor:  # N names h w, N h w twice
    """Cross-entropy where there are names (not -1), each cell with its say."""
    each = functional.cross_entropy(logits.float(), names, ignore_index=-1, reduction="none")
    return (each * say).sum() / (say * (names >= 0)).sum().clamp_min(1)


WEIGHTS = {"thing": 1.0, "color": 0.5, "middle": 0.8, "kind": 0.4}


def train_eye(
    sources: Sequence[lessons.Shown],
    weights: Sequence[float],
    steps: int,
    seed: int,
    kept: Path,
    start: Path | None,
) -> Eye:
    """The eye, begun as `_begun` says, or gone on with from what is kept of a run that stopped."""
    torch.manual_seed(seed)
    eye = Eye()
    _begun(eye, start)
    optimizer = torch.optim.AdamW(eye.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.01)
    first = 0
    if kept.exists():
        held = torch.load(kept, weights_only=True)
        eye.load_state_dict(held["eye"])
        optimizer.load_state_dict(held["optimizer"])
        first = held["step"]
    began = time.monotonic()
    for step in range(first, steps):
        rate = min(1, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        optimizer.param_groups[0]["lr"] = 3e-3 * rate
        rng = np.random.default_rng([seed, step])  # so that a run that goes on sees the same
        total, parts = loss(eye, lessons.batch(sources, weights, rng))
        optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(eye.parameters(), 1.0)
        optimizer.step()
        last = step == steps - 1
        if (step + 1) % SAVED == 0 or last:
            held = {"eye": eye.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            with whole_file(kept) as part:
                torch.save(held, part)
        if step % 25 == 0 or last:
            said = "  ".join(f"{name} {value:.3f}" for name, value in parts.items())
            passed = time.monotonic() - began
            print(f"eye {step + 1}/{steps}  {said}  {passed:.0f} s", file=sys.stderr, flush=True)
    return eye


def _begun(net: nn.Module, start: Path | None) -> None:
    """Begin a net from an earlier one, as far as its parts fit, or from nothing."""
    if start is not None:
        own, old = net.state_dict(), torch.load(start, weights_only=True)
        fits = {k: v for k, v in old.items() if k in own and v.shape == own[k].shape}
        net.load_state_dict(own | fits)


def train_shape(
    sources: Sequence[lessons.Shown], steps: int, seed: int, start: Path | None
) -> Shape:
    """The sense of shape, begun as `_begun` says."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = Shape()
    _begun(net, start)
    where = lessons.sightings(sources)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02)
    began = time.monotonic()
    for step in range(steps):
        rate = min(1, (step + 1) / 30) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        optimizer.param_groups[0]["lr"] = 2e-3 * rate
        x, kind = lessons.views(where, rng)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(x.contiguous(memory_format=torch.channels_last))
        total = functional.cross_entropy(logits.float(), kind, label_smoothing=0.05)
        optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0 or step == steps - 1:
            right = float((logits.argmax(1) == kind).float().mean())
            said = f"{float(total.detach()):.3f}  right {right:.3f}"
            passed = time.monotonic() - began
            print(f"shape {step + 1}/{steps}  {said}  {passed:.0f} s", file=sys.stderr, flush=True)
    return net


# Motion.


@dataclass(frozen=True, kw_only=True)
class Moves:
    """Things that were seen in clips, and how each moves in the world: N things."""

    moments: Tensor  # N MOMENTS 5
    flow: Tensor  #    N bands .
    about: Tensor  #   N kinds+settings
    motion: Tensor  #  N, index into MOTIONS


def moves(folders: Sequence[Path], most: int, eye: Eye) -> Moves:
    """Tracks of things in the folders' clips, with what the record says of them: as they are, and
    as the eye sees them, in a softened clip, too. Each is also shown backwards and frozen."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    eye = eye.requires_grad_(False).eval()
    moments, flow, about, motion = [], [], [], []
    began = time.monotonic()
    done = 0
    for clip in islice(_moving(folders), most):
        named = motions(clip.facts)
        x = frames_to_eye(np.array(clip.frames))
        soft = wear.softened(x, rng)
        truly = lessons.seen_truly(np.array(clip.ids), Scene.from_json(clip.scenes[0]))
        with torch.inference_mode():
            sharp, seen = eye.both_ways(x), eye.both_ways(soft)
        for shown, sight in ((x, truly), (x, sharp), (soft, seen)):
            back = tracks.background(shown, sight)
            for track in tracks.tracks(sight):
                if track.color not in named:
                    continue
                here, what = tracks.moments(track), named[track.color]
                still = here[:1].expand_as(here) + 0.003 * torch.randn_like(here)
                undone = {**OTHER_WAY, "rests": "rests"}.get(what, "moves")
                moments += [here, here.flip(0), still]
                flow += [back, tracks.turned(back), tracks.stilled(back)]
                about += [probes.about(track, sight)] * 3
                motion += [MOTIONS.index(m) for m in (what, undone, "rests")]
        done += 1
        if done % 50 == 0:
            passed = time.monotonic() - began
            print(f"tracks {done}/{most}  {passed:.0f} s", file=sys.stderr, flush=True)
    return Moves(
        moments=torch.stack(moments),
        flow=torch.stack(flow),
        about=torch.stack(about),
        motion=torch.tensor(motion),
    )


def _moving(folders: Sequence[Path]) -> Iterator[clips.Clip]:
    """The clips of the folders, of all of them in turn; no stills."""
    shards = [clips.shards(folder) for folder in folders]
    for paths in zip_longest(*shards):
        for path in filter(None, paths):
            yield from (clip for clip in clips.read(path) if len(clip.frames) > 1)


def motions(facts: Sequence[Fact]) -> dict[str, str]:
    """The motion of the things of each colour, as the rulers name it; of those alike, the first's.

    One that lands on another falls.
    """
    by = {(fact.name, *fact.args): fact.value for fact in facts}
    named: dict[str, str] = {}
    for i in (fact.args[0] for fact in facts if fact.name == "color"):
        plain = {**RESTS, "stacks": "falls"}.get(by.get(("action", i), ""), "moves")
        named.setdefault(by["color", i], by.get(("direction", i), plain))
    return named


def train_motion(seen: Moves, steps: int, seed: int) -> Motion:
    """The sense of motion, from nothing."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    net = Motion()
    inputs = features(seen.moments, seen.flow, seen.about)
    other = features(*mirrored(seen.moments, seen.flow), seen.about)
    swap = torch.tensor([MOTIONS.index(SIDES.get(m, m)) for m in MOTIONS])
    inputs = torch.cat([inputs, other])
    motion = torch.cat([seen.motion, swap[seen.motion]])
    net.mean.copy_(inputs.mean(0))
    net.spread.copy_(inputs.std(0).clamp_min(1e-3))
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 2e-3 * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        pick = torch.randint(len(inputs), (256,), generator=rng)
        x = inputs[pick]
        x = x + 0.05 * net.spread * torch.randn(x.shape, generator=rng)
        x = x * (torch.rand(x.shape, generator=rng) > 0.05)
        total = functional.cross_entropy(net(x), motion[pick], label_smoothing=0.02)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        if step % 500 == 0 or step == steps - 1:
            print(f"motion {step + 1}/{steps}  {float(total.detach()):.3f}", file=sys.stderr)
    return net


SIDES = {"left": "right", "right": "left"}
OTHER_WAY = {**SIDES, "toward": "away", "away": "toward"}


def _count(folder: Path) -> int:
    return sum(len(clips.get(path)[1]["clips"]) for path in clips.shards(folder))


NETS: dict[str, type[nn.Module]] = {"eye": Eye, "shape": Shape, "motion": Motion}


def _kept(file: Path, net: nn.Module, train: Callable[[], nn.Module]) -> Any:
    """A part as it was kept, or else trained now and kept."""
    if not file.exists():
        net = train()
        with whole_file(file) as part:
            torch.save(net.state_dict(), part)
    net.load_state_dict(torch.load(file, weights_only=True))
    return net


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m recipes.rulers", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--clips", type=Path, action="append", required=True, help="repeatable")
    parser.add_argument("--out", type=Path, default=Path("runs/rulers"), help="for renders")
    parser.add_argument("--weights", type=Path, default=PACKAGED)
    parser.add_argument("--steps", type=int, default=700, help="of the eye")
    parser.add_argument(
        "--start", type=Path, help="a folder whose eye.pt and shape.pt to start from"
    )
    parser.add_argument("--views", type=int, default=900, help="steps of the sense of shape")
    parser.add_argument("--most", type=int, default=2048, help="clips of each folder")
    parser.add_argument("--tracks", type=int, default=1300, help="clips that motion learns from")
    parser.add_argument("--only", choices=NETS, help="train a part alone; motion needs the eye")
    chosen = parser.parse_args(arguments)
    for folder in chosen.clips:
        if not clips.shards(folder):
            parser.error(f"{folder} holds no clips: make them with `worldreel world render`")
    began = time.monotonic()

    @functools.cache
    def shown() -> tuple[list[lessons.Shown], list[float]]:
        """What eye and shape are shown, and how often: the given clips and its own renders."""
        given = [lessons.from_folder(folder, chosen.most) for folder in chosen.clips]
        own = list(lessons.own_renders(chosen.out))
        weights = [float(len(one.frames)) for one in given]
        return given + own, weights + [OWN_WEIGHT * len(one.frames) for one in own]

    def begun(name: str) -> Path | None:
        return chosen.start / f"{name}.pt" if chosen.start else None

    kept = chosen.out / "eye-run.pt"
    parts = {
        "eye": lambda: train_eye(*shown(), chosen.steps, 0, kept, begun("eye")),
        "shape": lambda: train_shape(shown()[0], chosen.views, 0, begun("shape")),
        "motion": lambda: train_motion(
            moves(
                chosen.clips,
                chosen.tracks,
                _kept(chosen.out / "eye.pt", Eye(), parts["eye"]),
            ),
            4000,
            seed=0,
        ),
    }
    if chosen.only:
        _kept(chosen.out / f"{chosen.only}.pt", NETS[chosen.only](), parts[chosen.only])
        return
    eye, shape, motion = (
        _kept(chosen.out / f"{name}.pt", NETS[name](), train) for name, train in parts.items()
    )
    provenance = {
        "recipe": "recipes/rulers.py",
        "clips": sum(min(chosen.most, _count(folder)) for folder in chosen.clips),
        "own renders": sum(count for *_, count in lessons.OWN),
        "first seed of its own": lessons.FIRST_SEED,
        "steps": [chosen.steps, chosen.views],
        "clips of motion": chosen.tracks,
    }
    save(chosen.weights, Rulers(eye, shape, motion), provenance=provenance)
    minutes = round((time.monotonic() - began) / 60, 1)
    print(json.dumps({"weights": str(chosen.weights), "minutes": minutes, **provenance}))


if __name__ == "__main__":
    main()
