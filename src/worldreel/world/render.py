"""Draws a take: a batched ray-caster in plain torch, the same code on CPU and GPU.

Every pixel is one ray, or several at edges where `samples` asks for it: the nearest solid
(`solids`, `beams`) or the setting behind (`settings`), lit by one sun with soft shadows and by the
sky (`lights`), with one reflection (`tracing`). Takes of one setting share their batches.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from worldreel.errors import RequestError, SceneError
from worldreel.world import styles, tracing, weather
from worldreel.world.beams import BUNDLE, regrouped
from worldreel.world.scene import Take
from worldreel.world.settings import SETTINGS, SKY, Setting
from worldreel.world.tracing import Numbers, trace
from worldreel.world.weather import WEATHER, Weather

MAX_SIDE = 4096  # pixels
_EDGE = 0.055  # a step in 0..1 between neighbours that is worth more samples
_TILE = math.isqrt(BUNDLE)  # pixels on a side of what is one bundle of rays
_ROW = 1024  # rays at edges that are drawn in one row


@dataclass(frozen=True, kw_only=True)
class Render:
    """The frames of a take, and with `truth` what each pixel is. A still has F = 1.

    The sky is where depth is inf; there and on the ground ids is 0. depth is measured along the
    camera's forward axis, normals are in the world, flow is how far in pixels (right, down) what
    a pixel shows moves until the next frame, by its surface's motion and the camera's.
    """

    frames: np.ndarray  # (F, H, W, 3) uint8, sRGB
    ids: np.ndarray | None = None  # (F, H, W) int64, the owner, 0 for ground and sky
    depth: np.ndarray | None = None  # (F, H, W) float32, metres
    normals: np.ndarray | None = None  # (F, H, W, 3) float32, unit, 0 in the sky
    flow: np.ndarray | None = None  # (F, H, W, 2) float32, 0 in the last frame


@overload
def render(
    takes: Take,
    *,
    size: tuple[int, int],
    samples: int = 1,
    truth: bool = False,
    device: str | torch.device = "cpu",
) -> Render: ...
@overload
def render(
    takes: Sequence[Take],
    *,
    size: tuple[int, int],
    samples: int = 1,
    truth: bool = False,
    device: str | torch.device = "cpu",
) -> list[Render]: ...
def render(
    takes: Take | Sequence[Take],
    *,
    size: tuple[int, int],
    samples: int = 1,
    truth: bool = False,
    device: str | torch.device = "cpu",
) -> Render | list[Render]:
    """Draw one take, or many at once, which gives the same frames and is faster.

    size: (width, height) in pixels. samples: rays per pixel at edges; 1 is fastest.
    """
    width, height = _checked_size(size)
    if not isinstance(samples, int) or not 1 <= samples <= 64:
        raise RequestError(f"samples must be 1 to 64, not {samples!r}")
    one = isinstance(takes, Take)
    batch = [takes] if one else list(takes)
    device = torch.device(device)

    made: list[Render | None] = [None] * len(batch)
    with torch.inference_mode():
        kinds = [(take.scene.setting, take.scene.weather) for take in batch]
        for kind in dict.fromkeys(kinds):
            places = [i for i, own in enumerate(kinds) if own == kind]
            group = [_unmirrored(batch[i]) for i in places]
            drawn = _draw(group, (width, height), samples, truth, device)
            for i, result in zip(places, drawn, strict=True):
                made[i] = _mirrored(result) if batch[i].scene.mirrored else result
    return made[0] if one else made  # type: ignore[return-value]


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    try:
        width, height = size
    except (TypeError, ValueError):
        raise RequestError(f"size must be (width, height), not {size!r}") from None
    for side in (width, height):
        if not isinstance(side, int | np.integer) or not 1 <= side <= MAX_SIDE:
            raise RequestError(f"a side must be 1 to {MAX_SIDE} pixels, not {side!r}")
    return int(width), int(height)


def _unmirrored(take: Take) -> Take:
    """A mirrored take as its twin: drawn and then flipped, textures and all are exact mirrors."""
    if not take.scene.mirrored:
        return take
    sign = np.array([-1, 1, 1], np.float32)
    both = sign[:, None] * sign[None, :]
    look = take.look * sign  # in the camera's axes right is swapped too, so right stays right
    look = look * sign[:, None]
    return dataclasses.replace(
        take,
        position=take.position * sign,
        rotation=take.rotation * both,
        velocity=take.velocity * sign,
        eye=take.eye * sign,
        look=look,
    )


def _mirrored(made: Render) -> Render:
    sign = np.array([-1, 1, 1], np.float32)
    changes: dict[str, Any] = {}
    for f in dataclasses.fields(made):
        value = getattr(made, f.name)
        if value is not None:
            value = np.ascontiguousarray(np.flip(value, axis=2))
            if f.name in ("normals", "flow"):
                value = value * sign[: value.shape[-1]]
            changes[f.name] = value
    return Render(**changes)


@dataclass(frozen=True)
class _Picture:
    """A picture's pixels in the order that they are traced in: square by square, P in all.

    Squares at the right and the lower rim repeat its last pixels.
    """

    size: tuple[int, int]
    column: Tensor  # (P,) float
    row: Tensor  # (P,) float
    pixel: Tensor  # (P,) in reading order
    place: Tensor  # (W * H,) of each pixel in this order

    @classmethod
    def of(cls, size: tuple[int, int], device: torch.device) -> _Picture:
        width, height = size
        across, down = (-(-side // _TILE) for side in size)
        squares = torch.arange(across * down * BUNDLE, device=device).view(down, across, _TILE, -1)
        place = rearrange(squares, "down across y x -> (down y) (across x)")
        pixel = torch.empty_like(squares.view(-1))
        column = torch.arange(across * _TILE, device=device).clamp(max=width - 1)
        row = torch.arange(down * _TILE, device=device).clamp(max=height - 1)
        pixel[place.flatten()] = (row[:, None] * width + column).flatten()
        return cls(
            size=size,
            column=(pixel % width).float(),
            row=torch.div(pixel, width, rounding_mode="floor").float(),
            pixel=pixel,
            place=place[:height, :width].flatten(),
        )

    def points(
        self, which: Tensor, offset: tuple[Tensor | float, Tensor | float] = (0.5, 0.5)
    ) -> tuple[Tensor, Tensor]:
        """Picture points from -1 to 1 (right, up) of pixels, and a place in the pixel."""
        width, height = self.size
        u = (self.column[which] + offset[0]) * (2 / width) - 1
        return u, 1 - (self.row[which] + offset[1]) * (2 / height)

    def read(self, plane: Tensor) -> Tensor:
        """(B, P, ...) -> (B, H, W, ...)."""
        return plane[:, self.place].unflatten(1, self.size[::-1])


def _draw(
    takes: Sequence[Take],
    size: tuple[int, int],
    samples: int,
    truth: bool,
    device: torch.device,
) -> Iterator[Render]:
    """Takes of one setting and weather, none of them mirrored."""
    name = takes[0].scene.setting
    if name not in SETTINGS:
        raise SceneError(f"unknown setting {name!r}: one of {', '.join(SETTINGS)}")
    setting, kind = SETTINGS[name], WEATHER[takes[0].scene.weather]
    numbers = tracing.pack(takes, size, device)
    points = np.stack([weather.points(take.scene, kind) for take in takes])
    points = torch.from_numpy(points).to(device)
    owner = np.repeat(np.arange(len(takes)), [take.num_frames for take in takes])
    owner = torch.from_numpy(owner).to(device)
    picture = _Picture.of(size, device)
    rays = torch.arange(len(picture.pixel), device=device)

    parts: list[tuple[np.ndarray, ...]] = []
    step = max(1, tracing.most(device) // len(rays))
    for some in torch.arange(len(owner), device=device).split(step):
        part = numbers.of(some)
        seen = trace(part, setting, kind, *picture.points(rays.expand(len(some), -1)))
        linear = seen.color
        if samples > 1:
            linear = _smoothed(linear, seen.index, part, setting, kind, picture, samples)
        linear, t = picture.read(linear), picture.read(seen.t)
        if kind.fall:
            linear = weather.draw(linear, t, kind.fall, points[owner[some]], part.camera, part.air)
        planes = [(linear.sqrt() * 255 + 0.5).to(torch.uint8), picture.read(seen.index)]
        if truth:
            planes += [t, picture.read(seen.normal)]
        parts.append(tuple(plane.cpu().numpy() for plane in planes))

    whole = [np.concatenate(planes) for planes in zip(*parts, strict=True)]
    start = 0
    for take in takes:
        stop = start + take.num_frames
        frames, index, *known = (plane[start:stop] for plane in whole)
        ids = np.concatenate([[0], take.owner])[index.astype(np.int64)]
        frames = styles.apply(take.scene.style, frames, ids, seed=take.scene.seed)
        yield _with_truth(take, size, frames, index, *known) if truth else Render(frames=frames)
        start = stop


def _smoothed(
    linear: Tensor,
    index: Tensor,
    numbers: Numbers,
    setting: Setting,
    kind: Weather,
    picture: _Picture,
    samples: int,
) -> Tensor:
    """Linear colours (B, P, 3) with the pixels at edges drawn again, by several rays each."""
    seen, which = picture.read(linear.sqrt()), picture.read(index)
    edge = torch.zeros_like(which, dtype=torch.bool)
    for axis, side in ((1, edge.shape[1]), (2, edge.shape[2])):
        if side < 2:
            continue
        a, b = (seen.narrow(axis, i, side - 1) for i in (0, 1))
        step = (a - b).abs().amax(-1) > _EDGE
        step |= which.narrow(axis, 0, side - 1) != which.narrow(axis, 1, side - 1)
        edge.narrow(axis, 0, side - 1).logical_or_(step)
        edge.narrow(axis, 1, side - 1).logical_or_(step)

    # A row's rays are few pixels with all their samples side by side, so that bundles are narrow.
    pixels = max(BUNDLE, _ROW // samples // BUNDLE * BUNDLE)
    place, row = regrouped(edge.flatten(1)[:, picture.pixel], pixels)
    if len(row) == 0:
        return linear
    offsets = [((i + 0.5) / samples, _reversed_bits(i)) for i in range(samples)]
    across, down = torch.tensor(offsets, device=linear.device).unbind(-1)
    u, v = picture.points(place[..., None] % linear.shape[1], (across, down))
    color = trace(numbers.of(row), setting, kind, u.flatten(1), v.flatten(1)).color
    out = linear.clone()
    out.view(-1, 3)[place] = color.unflatten(1, (-1, samples)).mean(2)
    return out


def _reversed_bits(i: int) -> float:
    """The van der Corput sequence from the middle of its cell: 4 samples are a rotated grid."""
    value, share = 0.125, 0.5
    while i:
        value, share, i = value + share * (i & 1), share / 2, i >> 1
    return value % 1


def _with_truth(
    take: Take,
    size: tuple[int, int],
    frames: np.ndarray,
    index: np.ndarray,
    t: np.ndarray,
    normal: np.ndarray,
) -> Render:
    """index: (F, H, W) float, place in the take plus one; t: (F, H, W) along the unit ray."""
    width, height = size
    index = index.astype(np.int64)
    owner = np.concatenate([[0], take.owner])
    open_sky = t >= SKY
    rise = float(np.tan(np.radians(take.fov) / 2))
    spread = np.array([rise * width / height, rise])
    u = (np.arange(width) + 0.5) * (2 / width) - 1
    v = 1 - (np.arange(height) + 0.5) * (2 / height)
    axes = np.broadcast_arrays(u * spread[0], v[:, None] * spread[1], 1.0)
    view = np.stack(axes, -1)  # (H, W, 3) in the camera's axes, forward 1
    norm = np.linalg.norm(view, axis=-1)
    depth = np.where(open_sky, np.inf, t / norm)

    flow = np.zeros((*index.shape, 2), np.float32)
    for f in range(take.num_frames - 1):
        # The sky is a point so far off that only a turn of the camera moves it.
        away = np.where(open_sky[f], 1e12, depth[f])[..., None]
        point = take.eye[f] + (view * away) @ take.look[f].astype(np.float64)
        mask = index[f] > 0
        body = index[f][mask] - 1
        turned = take.rotation[f + 1] @ take.rotation[f].swapaxes(-1, -2).astype(np.float64)
        own = point[mask] - take.position[f, body]
        point[mask] = take.position[f + 1, body] + np.einsum("pij,pj->pi", turned[body], own)
        then = (point - take.eye[f + 1]) @ take.look[f + 1].T.astype(np.float64)
        place = then[..., :2] / np.maximum(then[..., 2:], 1e-6) / spread
        flow[f] = (place - view[..., :2] / spread) * [width / 2, -height / 2]
    return Render(
        frames=frames,
        ids=owner[index],
        depth=depth.astype(np.float32),
        normals=np.where(open_sky[..., None], 0, normal).astype(np.float32),
        flow=flow,
    )
