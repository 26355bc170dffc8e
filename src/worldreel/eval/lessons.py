"""What the rulers are taught with: renders whose truth is known, and ways to spoil them.

Frames are softened, blurred, recoloured and made noisy, as a compressor does; some show nothing at
all. Each kind is shown in every setting alike, in held-out pairs too. No model's output is here.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from worldreel.data import clip as clips
from worldreel.eval import tracks
from worldreel.eval.eye import frames_to_eye, seen_size
from worldreel.eval.known import COLORS, CORE, KINDS, LIGHTS, SETTINGS
from worldreel.eval.probes import Rulers
from worldreel.eval.shape import close
from worldreel.world.act import stage_scene
from worldreel.world.render import render
from worldreel.world.scene import Scene

FIRST_SEED = 2_000_000
OWN = (  # width, height, split, how many clips
    (144, 80, "held_out", 160),
    (80, 144, "held_out", 40),
    (80, 144, None, 40),
    (96, 96, "held_out", 40),
    (96, 96, None, 40),
    (256, 144, "held_out", 24),
    (256, 144, None, 24),
    (144, 80, "held_out", 320),
)
VIEWS = 96  # of a batch
SEEN = 6  # frames of a clip in which its things are looked for
PIXELS = 48 * 144 * 80  # of a batch, at the eye's width


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """Clips of one shape with what is true of each: C clips of F frames."""

    frames: Sequence[np.ndarray]  # F H W 3 uint8 each
    ids: Sequence[np.ndarray]  #    F H W uint8 each
    scenes: list[Scene]


def from_folder(folder: Path, most: int) -> Shown:
    """The clips of a folder of shards, mapped."""
    frames, ids, scenes = [], [], []
    for path in clips.shards(folder):
        arrays, about = clips.get(path)
        frames += list(arrays["frames"])
        ids += list(arrays["ids"])
        scenes += [Scene.from_json(record["scenes"][0]) for record in about["clips"]]
        if len(frames) >= most:
            break
    return Shown(frames=frames[:most], ids=ids[:most], scenes=scenes[:most])


def own_renders(out: Path) -> Iterator[Shown]:
    """Six frames each of clips of every size, both splits; kept in `out` once they are drawn."""
    seed = FIRST_SEED
    for number, (width, height, split, count) in enumerate(OWN):
        path = out / f"shard-own-{number}"
        if not path.with_suffix(".json").exists():
            takes = [
                stage_scene(s, split=split, size=(width, height), within=CORE).at(np.s_[s % 4 :: 4])
                for s in range(seed, seed + count)
            ]
            drawn = render(takes, size=(width, height), samples=4, truth=True)
            assert isinstance(drawn, list)
            arrays = {
                "frames": np.stack([one.frames for one in drawn]),
                "ids": np.stack([np.asarray(one.ids, np.uint8) for one in drawn]),
            }
            scenes = [{"scenes": [take.scene.to_json()]} for take in takes]
            clips.put(path, arrays, {"clips": scenes})
            print(f"rendered {count} clips of {width}x{height}", file=sys.stderr, flush=True)
        arrays, about = clips.get(path)
        scenes = [Scene.from_json(record["scenes"][0]) for record in about["clips"]]
        yield Shown(frames=list(arrays["frames"]), ids=list(arrays["ids"]), scenes=scenes)
        seed += count


# Batches.


@dataclass(frozen=True, kw_only=True)
class Batch:
    x: Tensor  #       N 3 H W, -1..1
    color: Tensor  #   N H/2 W/2, -1 where there is no thing
    setting: Tensor  # N
    light: Tensor  #   N


def batch(sources: Sequence[Shown], weights: Sequence[float], rng: np.random.Generator) -> Batch:
    """Frames of one shape, of clips drawn at random, degraded as a compressor might."""
    first = sources[rng.choice(len(sources), p=np.array(weights) / sum(weights))]
    size = seen_size(*first.frames[0].shape[1:3])
    same = [s for s in sources if seen_size(*s.frames[0].shape[1:3]) == size]
    share = np.array([w for s, w in zip(sources, weights, strict=True) if s in same])
    count = max(8, PIXELS // (size[0] * size[1]))
    xs, colors, settings, lights = [], [], [], []
    for _ in range(count):
        source = same[rng.choice(len(same), p=share / share.sum())]
        c = int(rng.integers(len(source.frames)))
        f = int(rng.integers(len(source.frames[c])))
        scene = source.scenes[c]
        ids = _nearest(np.asarray(source.ids[c][f]), (size[0] // 2, size[1] // 2))
        color = np.array([-1, *(COLORS.index(t.color) for t in scene.things)])
        xs.append(frames_to_eye(np.array(source.frames[c][f : f + 1])))
        colors.append(torch.from_numpy(color[ids]))
        settings.append(1 + SETTINGS.index(scene.setting))
        lights.append(1 + LIGHTS.index(scene.light))
    made = Batch(
        x=torch.cat(xs),
        color=torch.stack(colors),
        setting=torch.tensor(settings),
        light=torch.tensor(lights),
    )
    return _nothing(_degraded(_moved(made, rng), rng), rng)


def _nearest(ids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows, columns = ((np.arange(n) + 0.5) * m / n for n, m in zip(size, ids.shape, strict=True))
    return ids[rows.astype(int)][:, columns.astype(int)]


def _moved(b: Batch, rng: np.random.Generator) -> Batch:
    """Mirrored, and a little nearer."""
    n = len(b.x)
    zoom = np.where(rng.random(n) < 0.5, 1.0, rng.uniform(0.78, 1.0, n))
    theta = np.zeros((n, 2, 3), np.float32)
    theta[:, 0, 0] = zoom * rng.choice((-1, 1), n)
    theta[:, 1, 1] = zoom
    theta[:, :, 2] = rng.uniform(-1, 1, (n, 2)) * (1 - zoom)[:, None]
    where = torch.from_numpy(theta)
    maps = 1.0 + b.color[:, None]  # outside the picture is no thing
    there = functional.affine_grid(where, list(b.x.shape), align_corners=False)
    halves = functional.affine_grid(where, list(maps.shape), align_corners=False)
    color = functional.grid_sample(maps, halves, mode="nearest", align_corners=False)[:, 0] - 1
    x = functional.grid_sample(b.x, there, padding_mode="border", align_corners=False)
    return replace(b, x=x, color=color.long())


def _degraded(b: Batch, rng: np.random.Generator) -> Batch:
    x = b.x
    size = list(x.shape[2:])
    for part in np.array_split(rng.permutation(len(x)), 4)[2:]:  # half stay sharp
        factor = float(rng.uniform(1.2, 2.5))
        small = [max(8, round(side / factor)) for side in size]
        soft = functional.interpolate(x[part], size=small, mode="bilinear", antialias=True)
        x[part] = functional.interpolate(soft, size=size, mode="bilinear")
    n = len(x)
    gain = torch.from_numpy(rng.uniform(0.9, 1.1, (n, 1, 1, 1)).astype(np.float32))
    bias = torch.from_numpy(rng.uniform(-0.06, 0.06, (n, 1, 1, 1)).astype(np.float32))
    noise = torch.from_numpy(rng.normal(size=x.shape).astype(np.float32))
    much = torch.from_numpy((rng.uniform(0, 0.3, (n, 1, 1, 1)) ** 2).astype(np.float32))
    return replace(b, x=(x * gain + bias + noise * much).clamp(-1, 1))


def _nothing(b: Batch, rng: np.random.Generator) -> Batch:
    """A tenth of the frames become noise, one colour or rubble, with nothing to be read."""
    chosen = rng.choice(len(b.x), max(1, len(b.x) // 10), replace=False)
    for i in chosen:
        rows, columns = b.x.shape[2:]
        fill = torch.from_numpy(rng.uniform(-1, 1, (3, 1, 1)).astype(np.float32))
        cell = int(rng.choice((1, 2, 4, 8, 16)))
        rough = rng.normal(size=(1, 3, -(-rows // cell), -(-columns // cell)))
        rough = torch.from_numpy(rough.astype(np.float32)) * float(rng.uniform(0, 1))
        mode = "nearest" if rng.random() < 0.5 else "bilinear"
        rough = functional.interpolate(rough, scale_factor=cell, mode=mode)[0]
        style = rng.integers(4)
        if style == 0:  # one colour, the ends of the scale more often than not
            b.x[i] = fill if rng.random() < 0.5 else float(rng.choice((-1, 1)))
        elif style == 1:  # this very frame in rubble, too small to show a thing
            tiles = functional.unfold(b.x[i : i + 1], 4, stride=4)
            tiles = tiles[:, :, rng.permutation(tiles.shape[2])]
            b.x[i] = functional.fold(tiles, (rows, columns), 4, stride=4)[0]
        else:
            b.x[i] = (fill + rough[:, :rows, :columns]).clamp(-1, 1)
        b.color[i], b.setting[i], b.light[i] = -1, 0, 0
    return b


# Close views.


@dataclass(frozen=True, kw_only=True, eq=False)
class Sighting:
    """A thing as the eye found it in one frame of a clip."""

    source: Shown
    clip: int
    frame: int
    mask: np.ndarray  # h w bool, of its largest piece


def sightings(sources: Sequence[Shown], rulers: Rulers) -> dict[tuple[str, str], list[Sighting]]:
    """Things in a few frames of each clip, by kind and setting, with the masks that the eye gives
    them; own renders count three times, as they are few."""
    found: dict[tuple[str, str], list[Sighting]] = {}
    for number, source in enumerate(sources):
        for c, scene in enumerate(source.scenes):
            kinds = {thing.color: thing.kind for thing in scene.things}
            frames = np.unique(np.linspace(0, len(source.frames[c]) - 1, SEEN).round().astype(int))
            _, sight = rulers.look(np.array(source.frames[c][frames]))
            for track in tracks.tracks(sight):
                if track.color not in kinds:
                    continue
                here = found.setdefault((kinds[track.color], scene.setting), [])
                for place in track.there.nonzero()[:, 0].tolist():
                    mask, frame = track.piece[place].numpy(), int(frames[place])
                    one = Sighting(source=source, clip=c, frame=frame, mask=mask)
                    here += [one] * (3 if number else 1)
            if (c + 1) % 200 == 0 or c + 1 == len(source.scenes):
                said = f"sightings {number + 1}/{len(sources)}  {c + 1}/{len(source.scenes)}"
                print(said, file=sys.stderr, flush=True)
    return found


def views(
    where: dict[tuple[str, str], list[Sighting]], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Close views of things (N 4 S S) and their kinds (N): every kind in every setting alike, so
    that no setting speaks for a kind."""
    found, kinds = [], []
    pairs = sorted(where)
    for number in range(VIEWS):
        kind, setting = pairs[number % len(pairs)]
        one = where[kind, setting][rng.integers(len(where[kind, setting]))]
        frames = one.source.frames[one.clip]
        x = frames_to_eye(np.array(frames[one.frame : one.frame + 1]))
        found.append(_view(x, torch.from_numpy(one.mask)[None], rng))
        kinds.append(KINDS.index(kind))
    return torch.cat(found), torch.tensor(kinds)


def _view(x: Tensor, mask: Tensor, rng: np.random.Generator) -> Tensor:  # 1 4 S S
    """One close view, a little turned, stretched, softened and recoloured."""
    if rng.random() < 0.5:
        factor = float(rng.uniform(1.1, 1.8))
        size = list(x.shape[2:])
        small = [round(side / factor) for side in size]
        x = functional.interpolate(x, size=small, mode="bilinear", antialias=True)
        x = functional.interpolate(x, size=size, mode="bilinear")
    turn = rng.uniform(-0.12, 0.12)
    warp = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    warp = warp * rng.uniform(0.85, 1.15) * rng.uniform(0.93, 1.07, (1, 2))
    warp[:, 0] *= rng.choice((-1, 1))
    view = close(x, mask, torch.from_numpy(warp.astype(np.float32))[None])
    noise = torch.from_numpy(rng.normal(size=(3, *view.shape[2:])).astype(np.float32))
    color = view[0, :3] * float(rng.uniform(0.8, 1.2)) + float(rng.uniform(-0.1, 0.1))
    color = color + float(rng.uniform(0, 0.2)) ** 2 * noise
    # The hue says nothing of a kind: shown in another, it cannot be learnt by heart.
    return torch.cat([color[rng.permutation(3)], view[0, 3:]])[None]
