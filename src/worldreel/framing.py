"""Where a result's parts stand in the picture: its size, a clip's place in it, what may change.

Pixels count from the top left of the clip; on a larger canvas the clip has a place of its own.
"""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from worldreel.errors import RequestError
from worldreel.values import Region, Size, parse_aspect, parse_canvas, parse_region, parse_size

if TYPE_CHECKING:
    from worldreel.request import Limits, Request

WIDEST_MISFIT = 1.25  # an aspect may be missed by this factor, no more
NEARLY = 1.03  # by so much for a size that training saw


@dataclasses.dataclass(frozen=True, kw_only=True)
class Framing:
    """Region and mask are in the pixels of the clip; where there are both, both must hold."""

    size: Size
    place: Size = (0, 0)  # of the clip that lies under
    region: Region | None = None
    mask: Any = dataclasses.field(default=None, compare=False)  # 1|F H W, True: it may change
    partly: bool = False  # a part of the picture stays as it is


def frame(request: Request, clips: list[Any], limits: Limits) -> tuple[Framing, list[str]]:
    """The size of the result and what of it may change, and a note when a clip was moved."""
    size, place, notes = _size(request, clips, limits), (0, 0), []
    if request.canvas is not None:
        size, place, notes = _canvas(request, limits)
    region, mask = _region(request), _mask(request)
    return Framing(
        size=size,
        place=place,
        region=region,
        mask=mask,
        partly=not (request.canvas is region is mask is None),
    ), notes


def _size(request: Request, clips: list[Any], limits: Limits) -> Size:
    """The size of all clips, or what was asked for."""
    for clip in clips:
        if clip.size != clips[0].size:
            raise RequestError(
                "clips of one size go together: {} is {}x{}, {} is {}x{}; to have one fitted "
                "to the other, put its .reel away".format(
                    clips[0].name, *clips[0].size, clip.name, *clip.size
                )
            )
    size = asked_size(request, limits)
    if clips and size not in (None, clips[0].size):
        raise RequestError(
            "{} is {}x{} and stays so: leave the size out, or paint round it with a canvas "
            "(`fill --canvas`)".format(clips[0].name, *clips[0].size)
        )
    return clips[0].size if clips else size or limits.base_sizes[limits.default_aspect]


def asked_size(request: Request, limits: Limits) -> Size | None:
    """The size that a request asks for, if it does."""
    if request.aspect is not None:
        return _aspect_size(parse_aspect(request.aspect), request.aspect, limits)
    return None if request.size is None else size_of(request.size, limits)


def size_of(size: object, limits: Limits) -> Size:
    """A size that the model can make; the refusal names the nearest."""
    width, height = parse_size(size)
    fits = _on_grid(width, limits), _on_grid(height, limits)
    if fits != (width, height):
        raise RequestError(
            f"{limits.name} cannot make {width}x{height}: its sides are multiples of {limits.grid} "
            f"from {_on_grid(0, limits)} to {_on_grid(10**9, limits)}; "
            f"the nearest size is {fits[0]}x{fits[1]}"
        )
    return fits


def nearest_size(width: int, height: int, limits: Limits) -> Size:
    """The size that a clip of another is fitted to: the next on the grid, or one of its aspect."""
    half = limits.grid // 2
    if all(limits.min_side - half <= n < limits.max_side + half for n in (width, height)):
        return _on_grid(width, limits), _on_grid(height, limits)
    return _aspect_size(Fraction(width, height), f"{width}:{height}", limits)


def _aspect_size(aspect: Fraction, said: str, limits: Limits) -> Size:
    wide, high = limits.base_sizes[limits.default_aspect]

    def area(size: Size) -> float:
        return abs(math.log(size[0] * size[1] / (wide * high)))

    def shape(size: Size) -> float:
        return abs(math.log(size[0] / size[1] / aspect))

    def misfit(size: Size) -> float:
        return shape(size) + area(size)

    known = [size for size in limits.trained_sizes if shape(size) < math.log(NEARLY)]
    if known:
        return min(known, key=area)
    for name, size in limits.base_sizes.items():
        if parse_aspect(name) == aspect:
            return size

    sides = range(_on_grid(0, limits), _on_grid(10**9, limits) + 1, limits.grid)
    best = min(((w, _on_grid(round(w / aspect), limits)) for w in sides), key=misfit)
    if shape(best) > math.log(WIDEST_MISFIT):
        raise RequestError(
            f"an aspect of {said} is too narrow for {limits.name}: "
            f"the nearest size is {best[0]}x{best[1]}"
        )
    return best


def _on_grid(side: int, limits: Limits) -> int:
    """The nearest side that the grid and the limits hold."""
    grid = limits.grid
    least, most = -(-limits.min_side // grid) * grid, limits.max_side // grid * grid
    return min(max(grid * math.floor(side / grid + 0.5), least), most)


def _canvas(request: Request, limits: Limits) -> tuple[Size, Size, list[str]]:
    """The size of a larger canvas, where the clip stands on it, and a note when it was moved."""
    asked, place = parse_canvas(request.canvas)
    size, (width, height) = size_of(asked, limits), request.under.size
    if size[0] < width or size[1] < height or size == (width, height):
        raise RequestError(
            f"a canvas of {size[0]}x{size[1]} is not larger than {request.under.name}, which is "
            f"{width}x{height}"
        )
    room = size[0] - width, size[1] - height
    x, y = place or (room[0] / 2, room[1] / 2)
    if x > room[0] or y > room[1]:
        raise RequestError(
            f"{request.under.name} would hang over the edge at {x:g},{y:g}: up to "
            f"{room[0]},{room[1]} it stands within {size[0]}x{size[1]}"
        )
    on = (
        limits.grid * math.floor(x / limits.grid + 0.5),
        limits.grid * math.floor(y / limits.grid + 0.5),
    )
    if on == (x, y):
        return size, on, []
    return (
        size,
        on,
        [
            f"{request.under.name} stands at {on[0]},{on[1]}, not at {x:g},{y:g}: "
            f"its place is a multiple of {limits.grid} pixels"
        ],
    )


def _region(request: Request) -> Region | None:
    if request.region is None:
        return None
    x, y, width, height = parse_region(request.region)
    wide, high = request.under.size
    if x + width > wide or y + height > high:
        raise RequestError(
            f"the region {x},{y},{width},{height} does not lie within {request.under.name}, "
            f"which is {wide}x{high}"
        )
    return x, y, width, height


def _mask(request: Request) -> Any:
    """F H W or 1 H W, True where the clip may change."""
    if request.mask is None:
        return None
    frames, high, wide = request.mask.shape
    width, height = request.under.size
    name, length = request.under.name, request.under.num_frames
    if (wide, high) != (width, height):
        raise RequestError(
            f"the mask is {wide}x{high}, and {name} is {width}x{height}: give one of that size"
        )
    if frames not in (1, length):
        raise RequestError(
            f"the mask is {frames} frames long, and {name} is {length}: give one as long, or a "
            "picture"
        )
    if not request.mask.any():
        raise RequestError("the mask is black, so that nothing may change: paint that white")
    return request.mask
