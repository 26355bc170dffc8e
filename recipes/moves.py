"""The net that names a camera's move: trained on renders alone, from seeds, by one command.

    python -m recipes.moves --clips runs/data/clips

Renders of the plain core of the world with every camera, of the seeds in `SETS`, and clips of the
whole world (`worldreel world render`); each also mirrored and backwards. The first are kept in
`--out`, so that a second run takes less.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from worldreel.data import clip as clips
from worldreel.eval import camera, probes
from worldreel.eval.camera import Moves
from worldreel.eval.known import CORE, SETTINGS
from worldreel.eval.look import look
from worldreel.world.act import stage_scene
from worldreel.world.render import render
from worldreel.world.scene import CAMERAS, OTHER_SIDE, Scene, Take

SIZE = (144, 80)
SHARD = 30
TURNS = tuple(move for move in CAMERAS if move != "static")
# First seed, how many clips, and their story; of the first every move but none in turn.
SETS: tuple[tuple[int, int, str | None], ...] = (
    (7_010_000, 240, None),
    (7_001_000, 50, "falls"),
    (7_002_000, 50, "hits"),
    (7_003_000, 50, None),
)
# What a move becomes when its clip is shown backwards; of others nothing is said.
BACKWARDS = {
    **{move: OTHER_SIDE[move] for move in CAMERAS if move in OTHER_SIDE},
    "static": "static", "tilt_up": "tilt_down", "tilt_down": "tilt_up", "dolly_in": "dolly_out",
    "dolly_out": "dolly_in",
}  # fmt: skip


def staged(first: int, seed: int, story: str | None) -> Take:
    """The take of a seed of one of the sets."""
    if first != SETS[0][0]:
        return stage_scene(seed, size=SIZE, within=CORE | set(CAMERAS), story=story)
    move = TURNS[seed % len(TURNS)]
    within = (CORE - set(CAMERAS)) | {move}
    return stage_scene(seed, size=SIZE, within=within, story=_FOLLOWED.get(move))


_FOLLOWED = {"follow": "travels"}


def renders(out: Path) -> Iterator[tuple[np.ndarray, str]]:
    """Clips (F H W 3 uint8) and the moves of their cameras."""
    for first, count, story in SETS:
        for start in range(first, first + count, SHARD):
            path = out / f"shard-moves-{start}"
            if not path.with_suffix(".json").exists():
                seeds = range(start, min(start + SHARD, first + count))
                takes = [staged(first, seed, story) for seed in seeds]
                drawn = render(takes, size=SIZE)
                assert isinstance(drawn, list)
                frames = np.stack([one.frames for one in drawn])
                clips.put(path, {"frames": frames}, {"moves": [t.scene.camera.move for t in takes]})
                print(f"rendered {seeds[0]} to {seeds[-1]}", file=sys.stderr, flush=True)
            arrays, about = clips.get(path)
            yield from zip(np.array(arrays["frames"]), about["moves"], strict=True)


def rendered(folders: Sequence[Path], most: int) -> Iterator[tuple[np.ndarray, str]]:
    """The same of folders of clips, so many of each at most; of several shots the first alone."""
    for folder in folders:
        made = (clip for path in clips.shards(folder) for clip in clips.read(path))
        for clip in islice(made, most):
            move = Scene.from_json(clip.scenes[0]).camera.move
            yield np.array(clip.frames[: (*clip.starts[1:], len(clip.frames))[0]]), move


def examples(made: Iterable[tuple[np.ndarray, str]]) -> tuple[Tensor, Tensor]:
    """Features (N INPUTS) and moves (N, index into CAMERAS) of clips and their moves."""
    rulers = probes.load()
    given, named = [], []
    for number, (frames, move) in enumerate(made):
        for features, name in views(camera.features(look(rulers, frames)), move):
            given.append(features)
            named.append(CAMERAS.index(name))
        if (number + 1) % 50 == 0:
            print(f"looked at {number + 1}", file=sys.stderr, flush=True)
    return torch.stack(given), torch.tensor(named)


def views(here: Tensor, move: str) -> list[tuple[Tensor, str]]:
    """A clip's features and move, and those of the clip mirrored, backwards, and both."""
    found = [(here, move)]
    if move in BACKWARDS:
        found.append((camera.reversed_(here), BACKWARDS[move]))
    return found + [(camera.mirrored(x), OTHER_SIDE.get(name, name)) for x, name in found]


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
        x, setting = given[pick].split([4 * camera.GROUPS, len(SETTINGS)], 1)
        x = x.unflatten(1, (-1, 4))
        # Another pace, bands and things that are not seen, and what flow is wrong by.
        pace = 0.75 + 0.5 * torch.rand((len(x), 1, 1), generator=rng)
        x = torch.cat([x[..., :3] * pace, x[..., 3:]], 2)
        # How much texture there is must say little, or a ground unlike the world's own misleads.
        wrong = torch.tensor([0.03, 0.03, 0.03, 0.4])
        x = x + wrong * torch.randn(x.shape, generator=rng)
        x = x * (torch.rand((*x.shape[:2], 1), generator=rng) > 0.08)
        # At times the setting is not told, so that one unlike the world's own does not mislead.
        setting = setting * (torch.rand((len(x), 1), generator=rng) > 0.2)
        logits = net(torch.cat([x.flatten(1), setting], 1))
        total = functional.cross_entropy(logits, named[pick], label_smoothing=0.02)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        if step % 500 == 0 or step == steps - 1:
            print(f"{step + 1}/{steps}  {float(total.detach()):.3f}", file=sys.stderr, flush=True)
    return net


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m recipes.moves", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--clips", type=Path, action="append", default=[], help="repeatable")
    parser.add_argument("--most", type=int, default=2048, help="clips of each folder")
    parser.add_argument("--out", type=Path, default=Path("runs/moves"), help="for renders")
    parser.add_argument("--weights", type=Path, default=camera.PACKAGED)
    parser.add_argument("--steps", type=int, default=3000)
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    for folder in chosen.clips:
        if not clips.shards(folder):
            parser.error(f"{folder} holds no clips: make them with `worldreel world render`")
    made = chain(renders(chosen.out), rendered(chosen.clips, chosen.most))
    given, named = examples(made)
    net = train(given, named, chosen.steps, seed=0)
    provenance = {
        "recipe": "recipes/moves.py",
        "sets": [list(one) for one in SETS],
        "looks": len(given),
        "steps": chosen.steps,
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    camera.save(chosen.weights, net, provenance=provenance)
    print(json.dumps({"weights": str(chosen.weights), **provenance}))


if __name__ == "__main__":
    main()
