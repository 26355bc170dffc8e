"""The rulers of the examiner: trained on renders alone, from seeds, by one command.

    worldreel world render --out runs/data/small --count 3072 --seed 200000 --samples 4
    python -m recipes.rulers --clips runs/data/small

Clips of the folder teach the eye and the sense of motion; renders of its own, of seeds from
2,000,000 on, add the other sizes and the held-out pairs, so that no ruler is biased against what
a model is asked to compose. Frames are softened, blurred and made noisy, as a compressor does. No
model's output is ever shown to them. Calibration (`worldreel eval calibrate`) uses seeds from
5,100,000 on (5,000,000 to 5,000,299 chose among rulers).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from worldreel.data import clip as clips
from worldreel.eval import lessons, tracks
from worldreel.eval.eye import Eye
from worldreel.eval.probes import MOTIONS, PACKAGED, Motion, Rulers, features, mirrored, save
from worldreel.eval.shape import Shape
from worldreel.world.facts import Fact

# How often the eye is shown the folder, then each of its own; the last are for shapes alone.
WEIGHTS = (6, 3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0)


def loss(eye: nn.Module, b: lessons.Batch) -> tuple[Tensor, dict[str, float]]:
    with torch.autocast("cpu", torch.bfloat16):
        seen = eye(b.x.contiguous(memory_format=torch.channels_last))
    thing = functional.binary_cross_entropy_with_logits(
        seen.thing.float(), (b.color >= 0).float(), pos_weight=torch.tensor(3.0)
    )
    parts = {
        "thing": thing,
        "color": functional.cross_entropy(seen.color.float(), b.color, ignore_index=-1),
        "setting": functional.cross_entropy(seen.setting.float(), b.setting),
        "light": functional.cross_entropy(seen.light.float(), b.light),
    }
    total = parts["thing"] + 0.5 * parts["color"] + 0.2 * (parts["setting"] + parts["light"])
    return total, {name: float(value.detach()) for name, value in parts.items()}


def train_eye(
    sources: Sequence[lessons.Shown], weights: Sequence[float], steps: int, seed: int
) -> Eye:
    """The eye, from nothing."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    eye = Eye()
    optimizer = torch.optim.AdamW(eye.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.01)
    began = time.monotonic()
    for step in range(steps):
        rate = min(1, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        optimizer.param_groups[0]["lr"] = 3e-3 * rate
        total, parts = loss(eye, lessons.batch(sources, weights, rng))
        optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(eye.parameters(), 1.0)
        optimizer.step()
        if step % 25 == 0 or step == steps - 1:
            said = "  ".join(f"{name} {value:.3f}" for name, value in parts.items())
            passed = time.monotonic() - began
            print(f"eye {step + 1}/{steps}  {said}  {passed:.0f} s", file=sys.stderr, flush=True)
    return eye


def train_shape(sources: Sequence[lessons.Shown], eye: Eye, steps: int, seed: int) -> Shape:
    """The sense of shape, from nothing, on what the eye finds."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = Shape()
    where = lessons.sightings(sources, Rulers(eye, net, Motion()))
    net.requires_grad_(True).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02)
    began = time.monotonic()
    for step in range(steps):
        rate = min(1, (step + 1) / 30) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        optimizer.param_groups[0]["lr"] = 2e-3 * rate
        x, kind = lessons.views(where, rng)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(x.contiguous(memory_format=torch.channels_last))
        total = functional.cross_entropy(logits.float(), kind)
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
    flow: Tensor  #    N bands 4
    motion: Tensor  #  N, index into MOTIONS


def moves(rulers: Rulers, folder: Path, most: int) -> Moves:
    """Tracks of a folder's clips as the eye sees them, with what the record says of them; each
    clip is also shown backwards and frozen."""
    torch.manual_seed(0)
    moments, flow, motion = [], [], []
    began = time.monotonic()
    done = 0
    for path in clips.shards(folder):
        for clip in clips.read(path)[: most - done]:
            named = motions(clip.facts)
            x, sight = rulers.look(np.array(clip.frames))
            back = tracks.background(x, sight)
            for track in tracks.tracks(sight):
                if track.color not in named:
                    continue
                here, what = tracks.moments(track), named[track.color]
                still = here[:1].expand_as(here) + 0.003 * torch.randn_like(here)
                undone = {**OTHER_WAY, "rests": "rests"}.get(what, "moves")
                silent = back * torch.tensor([0.0, 0, 0, 1])
                turned = back * torch.tensor([-1.0, -1, -1, 1])
                moments += [here, here.flip(0), still]
                flow += [back, turned, silent]
                motion += [MOTIONS.index(m) for m in (what, undone, "rests")]
            done += 1
            if done % 50 == 0:
                passed = time.monotonic() - began
                print(f"tracks {done}/{most}  {passed:.0f} s", file=sys.stderr, flush=True)
        if done >= most:
            break
    return Moves(moments=torch.stack(moments), flow=torch.stack(flow), motion=torch.tensor(motion))


def motions(facts: Sequence[Fact]) -> dict[str, str]:
    """The motion of the things of each colour, as the rulers name it."""
    by = {(fact.name, *fact.args): fact.value for fact in facts}
    named = {}
    for i in (fact.args[0] for fact in facts if fact.name == "color"):
        action = by.get(("action", i))
        plain = action if action in ("rests", "falls") else "moves"
        named[by["color", i]] = by.get(("direction", i), plain)
    return named


def train_motion(seen: Moves, steps: int, seed: int) -> Motion:
    """The sense of motion, from nothing."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    net = Motion()
    inputs = features(seen.moments, seen.flow)
    other = features(*mirrored(seen.moments, seen.flow))
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


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m recipes.rulers", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--clips", type=Path, default=Path("runs/data/small"))
    parser.add_argument("--out", type=Path, default=Path("runs/rulers"), help="for renders")
    parser.add_argument("--weights", type=Path, default=PACKAGED)
    parser.add_argument("--steps", type=int, default=400, help="of the eye")
    parser.add_argument("--tracks", type=int, default=1000, help="clips that motion learns from")
    chosen = parser.parse_args(arguments)
    if not clips.shards(chosen.clips):
        parser.error(f"{chosen.clips} holds no clips: make them with `worldreel world render`")
    began = time.monotonic()
    ordinary = lessons.from_folder(chosen.clips, 2048)
    sources = [ordinary, *lessons.own_renders(chosen.out)]
    eye = train_eye(sources, WEIGHTS, chosen.steps, seed=0)
    shape = train_shape(sources, eye, 7 * chosen.steps // 4, seed=0)
    seen = moves(Rulers(eye, shape, Motion()), chosen.clips, chosen.tracks)
    motion = train_motion(seen, 4000, seed=0)
    provenance = {
        "recipe": "recipes/rulers.py",
        "clips": len(ordinary.frames),
        "own renders": sum(count for *_, count in lessons.OWN),
        "first seed of its own": lessons.FIRST_SEED,
        "steps": chosen.steps,
        "tracks": len(seen.motion),
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    save(chosen.weights, Rulers(eye, shape, motion), provenance=provenance)
    print(json.dumps({"weights": str(chosen.weights), **provenance}))


if __name__ == "__main__":
    main()
