"""What the rulers are taught with: renders whose truth is known, and ways to spoil them.

Frames are softened, blurred, recoloured and made noisy, as a compressor does; some show nothing at
all. Each kind is shown in every setting alike, in held-out pairs too. No model's output is here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from worldreel.data import clip as clips
from worldreel.eval import tracks, wear
from worldreel.eval.eye import OF_A_FRAME, REACH, Sight, frames_to_eye, seen_size
from worldreel.eval.known import COLORS, KINDS, STYLES
from worldreel.eval.shape import ROOM, SIDE, cut, framed
from worldreel.world import styles
from worldreel.world.act import stage_scene
from worldreel.world.facts import COLOURLESS
from worldreel.world.render import Render, render
from worldreel.world.scene import Scene, Take

FIRST_SEED = 2_900_000
OWN = (  # width, height, split, how many clips
    (144, 80, "held_out", 600),
    (144, 80, None, 600),
    (144, 80, "held_out", 600),
    (144, 80, None, 600),
    (80, 144, "held_out", 60),
    (96, 96, "held_out", 60),
    (256, 144, "held_out", 40),
)
TOGETHER = 25  # clips that are drawn in one call
EVERY = 8  # a frame of so many of its own clips is drawn
MOST = 4  # things of a scene
USUAL, LOUDEST = 100, 6  # cells of a thing, and how much more those of a smaller one count at most
EMPTY = 0.12  # of the frames: shown with nothing in them
RESTYLED = 0.12  # of the frames in the plain style
SMEARED = 0.2  # of the frames of clips that are here whole
VIEWS = 96  # of a batch
DRAGGED = 2.0  # pixels of a view that a thing has moved from frame to frame, at most
CUT, WIDER = 52, 1.3  # pixels of a square that views are taken from, and how much more it shows
SEEN = 4  # frames of a clip in which its things are looked for
PIXELS = 32 * 144 * 80  # of a batch, at the eye's width


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """Clips of one shape with what is true of each: C clips of F frames, every frame or some."""

    frames: Sequence[np.ndarray]  # F H W 3 uint8 each
    ids: Sequence[np.ndarray]  #    F H W uint8 each
    scenes: list[Scene]
    whole: bool = False  # with every frame


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
    return Shown(frames=frames[:most], ids=ids[:most], scenes=scenes[:most], whole=True)


def own_renders(out: Path) -> Iterator[Shown]:
    """A few frames each of clips, many of held-out pairs; kept in `out` once they are drawn."""
    seed = FIRST_SEED
    for number, (width, height, split, count) in enumerate(OWN):
        path = out / f"shard-own-{number}"
        if not path.with_suffix(".json").exists():
            drawn(path, seed, (width, height), split, count)
        arrays, about = clips.get(path)
        scenes = [Scene.from_json(record["scenes"][0]) for record in about["clips"]]
        yield Shown(frames=list(arrays["frames"]), ids=list(arrays["ids"]), scenes=scenes)
        seed += count


def drawn(path: Path, first: int, size: tuple[int, int], split: str | None, count: int) -> None:
    """Draw and keep a few frames of each clip of the seeds from the first on."""
    made: list[Render] = []
    takes: list[Take] = []
    for start in range(first, first + count, TOGETHER):
        seeds = range(start, min(start + TOGETHER, first + count))
        some = [stage_scene(s, split=split, size=size).at(np.s_[s % EVERY :: EVERY]) for s in seeds]
        takes += some
        made += cast(list[Render], render(some, size=size, samples=4, truth=True))
        if len(takes) % (4 * TOGETHER) == 0 or len(takes) == count:
            width, height = size
            said = f"rendered {len(takes)}/{count} clips of {width}x{height}"
            print(said, file=sys.stderr, flush=True)
    arrays = {
        "frames": np.stack([one.frames for one in made]),
        "ids": np.stack([np.asarray(one.ids, np.uint8) for one in made]),
    }
    clips.put(path, arrays, {"clips": [{"scenes": [take.scene.to_json()]} for take in takes]})


# Batches.


@dataclass(frozen=True, kw_only=True)
class Batch:
    x: Tensor  #      N 3 H W, -1..1
    owner: Tensor  #  N H/2 W/2, the number of a thing, 0 where there is none
    colors: Tensor  # N 1+MOST, of each number, -1 where there is none or it cannot be seen
    kinds: Tensor  #  N 1+MOST, -1 where there is none
    frame: Tensor  #  N 4, setting, light, weather and style as the eye numbers them

    @property
    def color(self) -> Tensor:  # N H/2 W/2, -1 where there is none
        return _of(self.colors, self.owner)

    @property
    def kind(self) -> Tensor:  # N H/2 W/2, -1 where there is no thing
        return _of(self.kinds, self.owner)

    def say(self) -> Tensor:  # N H/2 W/2
        """How much each cell counts: those of a small thing more, so that all things count."""
        area = functional.one_hot(self.owner, 1 + MOST).float().sum((1, 2))  # N numbers
        more = (USUAL / area.clamp_min(1)).clamp(1, LOUDEST)
        more[:, 0] = 1
        return _of(more, self.owner)

    def middle(self) -> Tensor:  # N 2 H/2 W/2
        """How far it is to the middle of what each cell is of, in REACH cells."""
        own = functional.one_hot(self.owner, 1 + MOST).float()  # N h w numbers
        rows, columns = (torch.arange(side).float() for side in self.owner.shape[1:])
        place = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1)  # h w 2
        total = torch.einsum("nhwk,hwc->nkc", own, place)
        mean = total / own.sum((1, 2)).clamp_min(1)[..., None]
        return torch.einsum("nhwk,nkc->nchw", own, mean) / REACH - place.permute(2, 0, 1) / REACH


def _of(table: Tensor, owner: Tensor) -> Tensor:
    return table.gather(1, owner.flatten(1)).view_as(owner)


def batch(sources: Sequence[Shown], weights: Sequence[float], rng: np.random.Generator) -> Batch:
    """Frames of one shape, of clips drawn at random, degraded as a compressor might."""
    first = sources[rng.choice(len(sources), p=np.array(weights) / sum(weights))]
    size = seen_size(*first.frames[0].shape[1:3])
    same = [s for s in sources if seen_size(*s.frames[0].shape[1:3]) == size]
    share = np.array([w for s, w in zip(sources, weights, strict=True) if s in same])
    share = share / share.sum()
    shown = [_shown(same[rng.choice(len(same), p=share)], size, rng) for _ in _frames(size)]
    x, owner, colors, kinds, frame = zip(*shown, strict=True)
    made = Batch(
        x=torch.cat(x),
        owner=torch.from_numpy(np.stack(owner).astype(np.int64)),
        colors=torch.tensor(colors),
        kinds=torch.tensor(kinds),
        frame=torch.tensor(frame),
    )
    made = _moved(made, rng)
    return _nothing(replace(made, x=wear.worn(made.x, rng)), rng)


def _frames(size: tuple[int, int]) -> range:
    return range(max(8, PIXELS // (size[0] * size[1])))


def _shown(source: Shown, size: tuple[int, int], rng: np.random.Generator) -> tuple:
    """A frame of a clip and what is true of it; some plain ones are drawn in another style."""
    c = int(rng.integers(len(source.frames)))
    f = int(rng.integers(len(source.frames[c])))
    scene = source.scenes[c]
    frame, ids = np.array(source.frames[c][f : f + 1]), np.array(source.ids[c][f : f + 1])
    if source.whole and rng.random() < SMEARED:
        begin = f - f % wear.TOGETHER
        near = torch.from_numpy(np.array(source.frames[c][begin : begin + wear.TOGETHER])).float()
        frame = wear.smeared(near, rng)[f - begin][None].round().byte().numpy()
    style = scene.style
    if style == STYLES[0] and rng.random() < RESTYLED:
        style = STYLES[int(rng.integers(1, len(STYLES)))]
        frame = styles.apply(style, frame, ids, seed=int(rng.integers(1 << 31)))
    colored = style not in COLOURLESS
    colors = [COLORS.index(thing.color) if colored else -1 for thing in scene.things]
    kinds = [KINDS.index(thing.kind) for thing in scene.things]
    seen = {"setting": scene.setting, "light": scene.light, "weather": scene.weather}
    named = [1 + OF_A_FRAME[name].index(v) for name, v in (seen | {"style": style}).items()]
    rest = [-1] * (MOST - len(kinds))
    owner = _nearest(ids[0], (size[0] // 2, size[1] // 2))
    return frames_to_eye(frame), owner, [-1, *colors, *rest], [-1, *kinds, *rest], named


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
    maps = b.owner[:, None].float()  # outside the picture is no thing
    there = functional.affine_grid(where, list(b.x.shape), align_corners=False)
    halves = functional.affine_grid(where, list(maps.shape), align_corners=False)
    owner = functional.grid_sample(maps, halves, mode="nearest", align_corners=False)[:, 0]
    x = functional.grid_sample(b.x, there, padding_mode="border", align_corners=False)
    return replace(b, x=x, owner=owner.long())


def _nothing(b: Batch, rng: np.random.Generator) -> Batch:
    """A share of the frames becomes one with nothing to be read."""
    count = max(1, round(EMPTY * len(b.x)))
    for i in rng.choice(len(b.x), count, replace=False):
        b.x[i] = wear.nothing(b.x[i], rng)
        b.owner[i], b.frame[i] = 0, 0
    return b


# Close views.


@dataclass(frozen=True, kw_only=True)
class Sightings:
    """Things as a perfect eye finds them in frames: squares round them, with their truth. N of
    them, somewhat larger than a close view; alike: those of each kind and setting."""

    squares: Tensor  # N 5 CUT CUT uint8: the picture, the mask, and that with its rim
    kinds: Tensor  #   N
    alike: tuple[Tensor, ...]


def sightings(sources: Sequence[Shown]) -> Sightings:
    """Things in a few frames of each clip, wherever there is enough of them to be seen."""
    squares, kinds, alike = [], [], {}
    for source in sources:
        for c, scene in enumerate(source.scenes):
            frames = np.unique(np.linspace(0, len(source.frames[c]) - 1, SEEN).round().astype(int))
            x = frames_to_eye(np.array(source.frames[c][frames]))
            owner = _owners(np.array(source.ids[c][frames]))
            for number, thing in enumerate(scene.things, start=1):
                mask = owner == number
                there = mask.sum((1, 2)) >= tracks.LEAST
                if not there.any():
                    continue
                view, *maps = cut(x[there], mask[there], CUT, ROOM * WIDER)
                whole = torch.cat([view * 0.5 + 0.5, *maps], 1)
                place = alike.setdefault((thing.kind, scene.setting), [])
                place += range(len(kinds), len(kinds) + len(whole))
                kinds += [KINDS.index(thing.kind)] * len(whole)
                squares.append((whole * 255).round().to(torch.uint8))
    return Sightings(
        squares=torch.cat(squares),
        kinds=torch.tensor(kinds),
        alike=tuple(torch.tensor(alike[pair]) for pair in sorted(alike)),
    )


def _owners(ids: np.ndarray) -> Tensor:  # F H W -> F h w
    """The number of the thing that each cell of the eye's maps is of."""
    rows, columns = seen_size(*ids.shape[1:])
    size = (rows // 2, columns // 2)
    return torch.from_numpy(np.stack([_nearest(one, size) for one in ids]).astype(np.int64))


def seen_truly(ids: np.ndarray, scene: Scene) -> Sight:
    """What a perfect eye would see of things in frames (F H W): its logits are 9 or -9."""
    frames, owner = len(ids), _owners(ids)
    rest = [-1] * (MOST - len(scene.things))
    colors = [-1, *(COLORS.index(thing.color) for thing in scene.things), *rest]
    kinds = [-1, *(KINDS.index(thing.kind) for thing in scene.things), *rest]
    true = Batch(
        x=torch.zeros(0),
        owner=owner,
        colors=torch.tensor([colors] * frames),
        kinds=torch.tensor([kinds] * frames),
        frame=torch.zeros(0),
    )
    names = (true.color, len(COLORS)), (true.kind[:, ::2, ::2], len(KINDS))
    color, kind = (
        18 * functional.one_hot(named + 1, count + 1)[..., 1:].permute(0, 3, 1, 2).float() - 9
        for named, count in names
    )
    wholes = []
    for name, values in OF_A_FRAME.items():
        own = torch.tensor([1 + values.index(getattr(scene, name))] * frames)
        wholes.append(18 * functional.one_hot(own, 1 + len(values)).float() - 9)
    return Sight(18 * (owner > 0).float() - 9, color, true.middle(), kind, *wholes)


def views(where: Sightings, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Close views of things (N 4 S S) and their kinds (N): every kind in every setting alike, so
    that no setting speaks for a kind. A little turned, stretched, softened and recoloured."""
    sort = rng.permutation(max(VIEWS, len(where.alike)))[:VIEWS] % len(where.alike)
    groups = [where.alike[i] for i in sort]
    pick = torch.stack([group[int(rng.integers(len(group)))] for group in groups])
    squares = where.squares[pick].float() / 255
    turn = rng.uniform(-0.12, 0.12, VIEWS)
    warp = np.stack([np.cos(turn), -np.sin(turn), np.sin(turn), np.cos(turn)], 1).reshape(-1, 2, 2)
    warp = warp * rng.uniform(0.85, 1.15, (VIEWS, 1, 1)) * rng.uniform(0.93, 1.07, (VIEWS, 1, 2))
    warp[:, :, 0] *= rng.choice((-1, 1), (VIEWS, 1))
    theta = np.concatenate([warp / WIDER, np.zeros((VIEWS, 2, 1))], 2).astype(np.float32)
    grid = functional.affine_grid(
        torch.from_numpy(theta), [VIEWS, 1, SIDE, SIDE], align_corners=False
    )
    seen = functional.grid_sample(squares, grid, padding_mode="border", align_corners=False)
    x, own, rim = seen[:, :3] * 2 - 1, seen[:, 3:4], seen[:, 4:]
    x = _softened(_dragged(x, rng), rng)
    much = rng.uniform(-1, 1, (VIEWS, 1, 1, 1)).clip(0).astype(np.float32)
    x = wear.sharpened(x, torch.from_numpy(much))  # half of them
    gain, bias, much = (
        torch.from_numpy(rng.uniform(low, high, (VIEWS, 1, 1, 1)).astype(np.float32))
        for low, high in ((0.8, 1.2), (-0.1, 0.1), (0, 0.2))
    )
    x = x * gain + bias + much**2 * torch.from_numpy(rng.normal(size=x.shape).astype(np.float32))
    # The hue says nothing of a kind: shown in another, it cannot be learnt by heart.
    order = torch.from_numpy(rng.permuted(np.tile(np.arange(3), (VIEWS, 1)), axis=1))
    x = x.gather(1, order[:, :, None, None].expand_as(x))
    return framed(x, _frayed(own, rng), rim), where.kinds[pick]


def _softened(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Half of some views with less detail, and a third in patches as a compressor's."""
    parts = np.array_split(rng.permutation(len(x)), 6)
    for part in parts[3:]:
        size = [round(SIDE / float(rng.uniform(1.1, 2.6)))] * 2
        small = functional.interpolate(x[part], size=size, mode="bilinear", antialias=True)
        x[part] = functional.interpolate(small, size=[SIDE] * 2, mode="bilinear")
    for part in parts[2:4]:
        x[part] = wear.patched(x[part], int(rng.choice(wear.BLOCKS)), rng)
    return x


def _dragged(x: Tensor, rng: np.random.Generator) -> Tensor:
    """A quarter of some views mixed with what they were a little before and after: where the thing
    was in the frames that a compressor holds together."""
    part = rng.permutation(len(x))[: -(-len(x) // 4)]
    way = rng.uniform(-DRAGGED, DRAGGED, (len(part), 2)) * 2 / SIDE
    mean = torch.zeros_like(x[part])
    for when in np.arange(wear.TOGETHER) - rng.integers(wear.TOGETHER):
        theta = np.tile(np.eye(2, 3), (len(part), 1, 1))
        theta[:, :, 2] = way * when
        where = torch.from_numpy(theta.astype(np.float32))
        grid = functional.affine_grid(where, list(mean.shape), align_corners=False)
        mean += functional.grid_sample(x[part], grid, padding_mode="border", align_corners=False)
    much = rng.uniform(0.1, wear.MIXED, (len(part), 1, 1, 1)).astype(np.float32)
    x[part] = x[part].lerp(mean / wear.TOGETHER, torch.from_numpy(much))
    return x


def _frayed(own: Tensor, rng: np.random.Generator) -> Tensor:  # N 1 S S
    """Masks as an eye that errs finds them: a little larger or smaller, with ragged borders."""
    n = len(own)
    rough = torch.from_numpy(rng.normal(size=(n, 1, SIDE // 4, SIDE // 4)).astype(np.float32))
    rough = functional.interpolate(rough, scale_factor=4, mode="bilinear")
    level = functional.avg_pool2d(own, 5, stride=1, padding=2)
    much, least = (
        torch.from_numpy(rng.uniform(low, high, (n, 1, 1, 1)).astype(np.float32))
        for low, high in ((0, 0.12), (0.3, 0.55))
    )
    return (level + much * rough > least).float()
