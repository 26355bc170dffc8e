"""The net that names a camera's move: trained on renders alone, from seeds, by one command.

    python -m recipes.moves

Renders of seeds from 7,010,000 on, every move alike, in the plain core of the world; each clip also
mirrored and backwards. They are kept in `--out`, so that a second run takes a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from worldreel.data import clip as clips
from worldreel.eval import camera, probes
from worldreel.eval.camera import Moves
from worldreel.eval.known import CORE
from worldreel.eval.look import look
from worldreel.world.act import stage_scene
from worldreel.world.render import render
from worldreel.world.scene import CAMERAS, OTHER_SIDE

FIRST_SEED = 7_010_000
SIZE = (144, 80)
SHARD = 33
# What a move becomes when its clip is shown backwards; of others nothing is said.
BACKWARDS = {
    **{move: OTHER_SIDE[move] for move in CAMERAS if move in OTHER_SIDE},
    "static": "static", "tilt_up": "tilt_down", "tilt_down": "tilt_up", "dolly_in": "dolly_out",
    "dolly_out": "dolly_in",
}  # fmt: skip


def renders(out: Path, count: int) -> Iterator[tuple[np.ndarray, str]]:
    """Clips (F H W 3 uint8) and the moves of their cameras."""
    for first in range(0, count, SHARD):
        path = out / f"shard-moves-{first}"
        if not path.with_suffix(".json").exists():
            moves = [CAMERAS[i % len(CAMERAS)] for i in range(first, min(first + SHARD, count))]
            takes = [
                stage_scene(
                    FIRST_SEED + first + i,
                    size=SIZE,
                    within=(CORE - set(CAMERAS)) | {move},
                    story="travels" if move == "follow" else None,
                )
                for i, move in enumerate(moves)
            ]
            drawn = render(takes, size=SIZE)
            assert isinstance(drawn, list)
            frames = np.stack([one.frames for one in drawn])
            clips.put(path, {"frames": frames}, {"moves": moves})
            print(f"rendered {first + len(moves)}/{count}", file=sys.stderr, flush=True)
        arrays, about = clips.get(path)
        yield from zip(np.array(arrays["frames"]), about["moves"], strict=True)


def examples(out: Path, count: int) -> tuple[Tensor, Tensor]:
    """Features (N INPUTS) and moves (N, index into CAMERAS); a frozen clip is one of a static."""
    rulers = probes.load()
    given, named = [], []
    for number, (frames, move) in enumerate(renders(out, count)):
        here = camera.features(look(rulers, frames))
        given += [here, camera.mirrored(here)]
        named += [move, OTHER_SIDE.get(move, move)]
        if move in BACKWARDS:
            back = camera.reversed_(here)
            given += [back, camera.mirrored(back)]
            named += [BACKWARDS[move], OTHER_SIDE.get(BACKWARDS[move], BACKWARDS[move])]
        if (number + 1) % 50 == 0:
            print(f"looked at {number + 1}/{count}", file=sys.stderr, flush=True)
    return torch.stack(given), torch.tensor([CAMERAS.index(move) for move in named])


def train(given: Tensor, named: Tensor, steps: int, seed: int) -> Moves:
    """The net, from nothing."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    net = Moves()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.05)
    at = [torch.nonzero(named == i)[:, 0] for i in range(len(CAMERAS))]
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / steps)
        pick = torch.cat([own[torch.randint(len(own), (16,), generator=rng)] for own in at])
        x = given[pick].unflatten(1, (-1, 4))
        # Another pace, bands and things that are not seen, and what flow is wrong by.
        pace = 0.75 + 0.5 * torch.rand((len(x), 1, 1), generator=rng)
        x = torch.cat([x[..., :3] * pace, x[..., 3:]], 2)
        x = x + 0.03 * torch.randn(x.shape, generator=rng)
        x = x * (torch.rand((*x.shape[:2], 1), generator=rng) > 0.08)
        total = functional.cross_entropy(net(x.flatten(1)), named[pick], label_smoothing=0.02)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        if step % 500 == 0 or step == steps - 1:
            print(f"{step + 1}/{steps}  {float(total.detach()):.3f}", file=sys.stderr, flush=True)
    return net


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m recipes.moves", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, default=Path("runs/moves"), help="for renders")
    parser.add_argument("--weights", type=Path, default=camera.PACKAGED)
    parser.add_argument("--count", type=int, default=495, help="clips")
    parser.add_argument("--steps", type=int, default=3000)
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    given, named = examples(chosen.out, chosen.count)
    net = train(given, named, chosen.steps, seed=0)
    provenance = {
        "recipe": "recipes/moves.py",
        "clips": chosen.count,
        "first seed": FIRST_SEED,
        "steps": chosen.steps,
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    camera.save(chosen.weights, net, provenance=provenance)
    print(json.dumps({"weights": str(chosen.weights), **provenance}))


if __name__ == "__main__":
    main()
