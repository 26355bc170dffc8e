"""The canvas: what of a video is known, and how free each latent is to change.

    text to video       blank(shape)
    image to video      keep(blank(shape), still)
    extend              keep(blank(shape), tail(clip, k))
    extend backward     keep(blank(shape), head(clip, k), at=-k)
    connect a and b     keep(keep(blank(shape), tail(a, k)), head(b, k), at=-k)
    seamless loop       ring(shape)
    fill, inpaint       keep(blank(shape), clip, where=mask)
    restyle             loosen(clip, strength)
    with a character    refer(canvas, picture)

Every task is one of these; training draws its canvas from the same constructors (`random`). A
canvas is latents only: it knows no pixels, no words and no network.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil, floor

import torch
from einops import rearrange, reduce, repeat
from torch import Generator, Tensor

from worldreel import flow
from worldreel.errors import RequestError

Shape = tuple[int, int, int, int, int]  # B C T H W


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvas:
    """What is known, and how free it is: 1 = paint it, 0 = keep it, between = repaint lightly."""

    known: Tensor  # B C T H W, clean latents, zero where nothing is known
    freedom: Tensor  # B 1 T H W, in [0, 1]
    ring: bool = False  # the last latent is followed by the first
    references: tuple[Tensor, ...] = ()  # each B C 1 H W, clean: shown to the network, not moved

    def __post_init__(self) -> None:
        if self.known.ndim != 5 or not self.known.is_floating_point():
            raise ValueError(
                f"known is {self.known.dtype} {tuple(self.known.shape)}; give B C T H W floats"
            )
        b, c, t, h, w = self.known.shape
        if self.freedom.shape != (b, 1, t, h, w) or not self.freedom.is_floating_point():
            raise ValueError(
                f"freedom is {self.freedom.dtype} {tuple(self.freedom.shape)}; beside this known"
                f" give floats of shape {(b, 1, t, h, w)}"
            )
        for reference in self.references:
            if reference.shape != (b, c, 1, h, w):
                raise ValueError(
                    f"a reference has shape {tuple(reference.shape)}; beside this known give"
                    f" {(b, c, 1, h, w)}"
                )
        _check_freedom(self.freedom)

    @property
    def shape(self) -> Shape:
        """B C T H W."""
        b, c, t, h, w = self.known.shape
        return b, c, t, h, w

    @property
    def kept(self) -> Tensor:
        """B 1 T H W, True where the latent cannot move."""
        return self.freedom == 0


def _check_freedom(freedom: Tensor) -> None:
    if not ((freedom >= 0) & (freedom <= 1)).all():
        raise RequestError(
            f"freedom runs from {freedom.min():g} to {freedom.max():g}; it must lie between 0"
            " (keep) and 1 (paint): check the strength"
        )
    most = reduce(freedom, "b 1 t h w -> b t", "max")
    least = reduce(torch.where(freedom > 0, freedom, 2.0), "b 1 t h w -> b t", "min")
    mixed = (least < most).nonzero()
    if len(mixed):
        clip, latent = mixed[0].tolist()
        raise RequestError(
            f"latent frame {latent} of clip {clip} has latents of freedom {least[clip, latent]:g}"
            f" and {most[clip, latent]:g}; one latent frame takes 0 and at most one other value:"
            " use one strength in all of it, or keep the rest"
        )


# Constructors.


def blank(
    shape: Shape,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Canvas:
    """Nothing is known, all is painted: text to video, and with T = 1 text to image."""
    b, c, t, h, w = shape
    known = torch.zeros(b, c, t, h, w, dtype=dtype, device=device)
    return Canvas(known=known, freedom=torch.ones(b, 1, t, h, w, device=device))


def ring(
    shape: Shape,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Canvas:
    """A blank canvas on which time wraps round: a seamless loop."""
    return replace(blank(shape, dtype=dtype, device=device), ring=True)


def keep(
    canvas: Canvas,
    latents: Tensor,  # B C t H W, or 1 C t H W for all clips
    *,
    at: int = 0,
    where: Tensor | None = None,  # B 1 T H W or 1 1 T H W, bool
    strength: float | Tensor = 1.0,
) -> Canvas:
    """Put latents on the canvas from latent `at` on, held by `strength` = 1 - freedom.

    A negative `at` counts from the end: `at=-k` ends k latents at the last one. `where` marks what
    is held with True, and latents are then as long as the canvas. A strength below 1 leaves the
    latents some freedom; it has the shapes that `flow.level` takes.
    """
    assert latents.ndim == 5, "latents are B C T H W"
    first = at + canvas.shape[2] if at < 0 else at
    span = slice(first, first + latents.shape[2])
    _check_kept(canvas, latents, span, where)
    known, freedom = canvas.known.clone(), canvas.freedom.clone()
    held = 1 - flow.level(strength, torch.ones_like(freedom[:, :, span]))  # B 1 t H W
    here = torch.ones_like(held, dtype=torch.bool) if where is None else where
    known[:, :, span] = torch.where(here, latents.to(known), known[:, :, span])
    freedom[:, :, span] = torch.where(here, held.to(freedom), freedom[:, :, span])
    return replace(canvas, known=known, freedom=freedom)


def _check_kept(canvas: Canvas, latents: Tensor, span: slice, where: Tensor | None) -> None:
    b, c, t, h, w = canvas.shape
    n = latents.shape[2]
    if latents.shape not in ((b, c, n, h, w), (1, c, n, h, w)):
        raise RequestError(
            f"latents of shape {tuple(latents.shape)} do not fit a canvas of {canvas.shape}: they"
            " may differ in length only, so resize or crop them first"
        )
    if not 0 <= span.start < span.stop <= t or (where is not None and n != t):
        raise RequestError(
            f"latents {span.start} to {span.stop} do not fit a canvas of {t}: they must lie between"
            " its first and its last, and with a mask be just as long"
        )
    if where is not None and (
        where.dtype != torch.bool or where.shape not in ((b, 1, t, h, w), (1, 1, t, h, w))
    ):
        raise RequestError(
            f"the mask is {where.dtype} {tuple(where.shape)}; a canvas of {canvas.shape} takes"
            f" booleans of shape {(b, 1, t, h, w)}, True where latents are kept"
        )


def loosen(clip: Tensor, strength: float | Tensor) -> Canvas:
    """A clip that may change all over, as far as `strength` = freedom: restyle, remix."""
    b, c, t, h, w = clip.shape
    free = torch.ones(b, 1, t, h, w, device=clip.device)
    return Canvas(known=clip, freedom=flow.level(strength, free))


def refer(canvas: Canvas, latents: Tensor) -> Canvas:
    """Show the network more latents, B C n H W: n pictures of a character, or an earlier shot."""
    return replace(canvas, references=canvas.references + latents.split(1, dim=2))


def head(clip: Tensor, k: int) -> Tensor:
    """The first k latents of a clip, B C k H W."""
    if not 1 <= k <= clip.shape[2]:
        raise RequestError(f"{k} latents were asked of a clip of {clip.shape[2]}")
    return clip[:, :, :k]


def tail(clip: Tensor, k: int) -> Tensor:
    """The last k latents of a clip, B C k H W."""
    return clip[:, :, clip.shape[2] - head(clip, k).shape[2] :]


# What the sampler and the trainer ask of a canvas.


def levels(canvas: Canvas, sigma: float | Tensor) -> Tensor:
    """The level of every latent, B 1 T H W; sigma is (), (T,), (B, 1) or (B, T)."""
    return flow.level(sigma, canvas.freedom)


def start(canvas: Canvas, noise: Tensor, sigma: float | Tensor = 1.0) -> Tensor:
    """The latents that a sampler starts from, or (sigma < 1) a training example; B C T H W."""
    return flow.noised(canvas.known, canvas.freedom, sigma, noise)


# Pixels and seconds to latents.


def latent_span(
    start_s: float,
    stop_s: float,
    *,
    fps: float,
    frames_per_latent: int,
    T: int,
    first_frame: bool = False,
) -> tuple[int, int]:
    """The half-open span of latents that holds a half-open span of seconds.

    The ends go to the nearest frame (at least one frame remains), then outwards to whole latents.
    With `first_frame` latent 0 is a single frame.
    """
    missing = frames_per_latent - 1 if first_frame else 0
    num_frames = T * frames_per_latent - missing
    if not 0 <= start_s < stop_s < (num_frames + 0.5) / fps:
        raise RequestError(
            f"the span from {start_s:g} s to {stop_s:g} s does not lie within a clip of"
            f" {num_frames / fps:g} s; give a start before the stop, both within the clip"
        )
    f0, f1 = round(start_s * fps), round(stop_s * fps)
    if f0 == f1:
        f0 = min(floor(start_s * fps), num_frames - 1)
        f1 = f0 + 1
    return (f0 + missing) // frames_per_latent, ceil((f1 + missing) / frames_per_latent)


def latent_mask(
    pixel_mask: Tensor,
    *,
    stride: tuple[int, int, int] = (4, 16, 16),
    first_frame: bool = False,
) -> Tensor:
    """F H W True where pixels are to change -> 1 1 T H W, True where any pixel of a latent is.

    What `keep` wants is the contrary: `where=~latent_mask(...)`. With `first_frame` latent 0 is a
    single frame; for a picture give a stride of 1 in time.
    """
    f, h, w = stride
    if first_frame:
        pixel_mask = torch.cat([repeat(pixel_mask[:1], "1 h w -> f h w", f=f - 1), pixel_mask])
    if pixel_mask.ndim != 3 or any(n % s for n, s in zip(pixel_mask.shape, stride, strict=True)):
        raise RequestError(
            f"a mask of {tuple(pixel_mask.shape)} (frames, height, width) does not divide into"
            f" latents of {stride}: resize or pad it to multiples"
        )
    free = rearrange(pixel_mask.bool(), "(t f) (y h) (x w) -> 1 1 t y x (f h w)", f=f, h=h, w=w)
    return free.any(dim=-1)  # 1 1 T H W


# Training's canvases. A draw is given clean latents, the strength (1.0, or B 1) with which latents
# are held, and a generator; it chooses which latents those are, for all clips of the batch alike.

Draw = Callable[[Tensor, float | Tensor, Generator], Canvas]


def _between(low: int, high: int, generator: Generator) -> int:
    """A whole number from low to high, both included."""
    drawn = torch.randint(low, high + 1, (), generator=generator, device=generator.device)
    return int(drawn)


def _ends(clean: Tensor, first: int, last: int, strength: float | Tensor) -> Canvas:
    """The first and the last so many latents are held, either of which may be none."""
    canvas = loosen(clean, 1.0)
    if first:
        canvas = keep(canvas, head(clean, first), strength=strength)
    if last:
        canvas = keep(canvas, tail(clean, last), at=-last, strength=strength)
    return canvas


def _connect(clean: Tensor, strength: float | Tensor, generator: Generator) -> Canvas:
    first = _between(1, clean.shape[2] - 2, generator)
    return _ends(clean, first, _between(1, clean.shape[2] - 1 - first, generator), strength)


def _keyframes(clean: Tensor, strength: float | Tensor, generator: Generator) -> Canvas:
    num_latents = clean.shape[2]
    places = torch.randperm(num_latents, generator=generator, device=generator.device).tolist()
    canvas = loosen(clean, 1.0)
    for at in places[: _between(1, min(4, num_latents - 1), generator)]:
        canvas = keep(canvas, clean[:, :, at : at + 1], at=at, strength=strength)
    return canvas


def _span(clean: Tensor, strength: float | Tensor, generator: Generator) -> Canvas:
    missing = _between(1, clean.shape[2] - 1, generator)
    first = _between(0, clean.shape[2] - missing, generator)
    where = torch.ones(1, 1, *clean.shape[2:], dtype=torch.bool, device=clean.device)
    where[:, :, first : first + missing] = False
    return keep(loosen(clean, 1.0), clean, where=where, strength=strength)


def _window(clean: Tensor, before: int, generator: Generator) -> tuple[int, int]:
    """A stream's window in a clip, with at least `before` latents of it before the window."""
    room = clean.shape[2] - before
    fitting = [n for n in WINDOWS if n <= room] or [room]
    length = fitting[_between(0, len(fitting) - 1, generator)]
    start = _between(before, clean.shape[2] - length, generator)
    return start, start + length


def _stream(clean: Tensor, strength: float | Tensor, generator: Generator) -> Canvas:
    start, stop = _window(clean, 0, generator)
    return _ends(clean[:, :, start:stop], (stop - start) // 2, 0, strength)


def _refer(clean: Tensor, strength: float | Tensor, generator: Generator) -> Canvas:
    start, stop = _window(clean, 1, generator)
    own = _between(0, 1, generator)  # a stream's split, or any
    kept = (stop - start) // 2 if own else _between(1, stop - start - 1, generator)
    places, most = [*range(start), *range(stop, clean.shape[2])], 4
    if _between(0, 3, generator):  # a stream's anchor, mostly of one latent
        places, most = places[:start], 1 if _between(0, 3, generator) else 4
    else:  # pictures from anywhere
        order = torch.randperm(len(places), generator=generator, device=generator.device)
        places = [places[i] for i in order.tolist()]
    shown = places[: _between(1, min(most, len(places)), generator)]
    return refer(_ends(clean[:, :, start:stop], kept, 0, strength), clean[:, :, shown])


def _rectangle(clean: Tensor, generator: Generator) -> Tensor:
    """1 1 T H W, True inside a rectangle that is neither empty nor the whole picture."""
    h, w = clean.shape[3:]
    tall, wide = _between(1, h, generator), _between(1, w, generator)
    if (tall, wide) == (h, w):
        tall, wide = (h - 1, w) if h > 1 else (h, w - 1)
    y, x = _between(0, h - tall, generator), _between(0, w - wide, generator)
    inside = torch.zeros(1, 1, *clean.shape[2:], dtype=torch.bool, device=clean.device)
    inside[..., y : y + tall, x : x + wide] = True
    return inside


def _inpaint(clean: Tensor, strength: float | Tensor, generator: Generator) -> Canvas:
    return keep(loosen(clean, strength), clean, where=~_rectangle(clean, generator))


def _outpaint(clean: Tensor, strength: float | Tensor, generator: Generator) -> Canvas:
    return keep(loosen(clean, strength), clean, where=_rectangle(clean, generator))


WINDOWS = (6, 12)  # latents that a stream sees at once: it keeps the first half of them

# name: its weight, its draw, and the fewest latents that it needs in time and in a picture; those
# of no weight are a recipe's to choose: they cut a window out of the clip
DRAWS: dict[str, tuple[float, Draw, int, int]] = {
    "blank": (0.50, lambda clean, *_: loosen(clean, 1.0), 1, 1),
    "first": (0.10, lambda clean, strength, _: _ends(clean, 1, 0, strength), 2, 1),
    "extend": (0.08, lambda x, s, g: _ends(x, _between(1, x.shape[2] - 1, g), 0, s), 2, 1),
    "backward": (0.04, lambda x, s, g: _ends(x, 0, _between(1, x.shape[2] - 1, g), s), 2, 1),
    "first_and_last": (0.04, lambda clean, strength, _: _ends(clean, 1, 1, strength), 3, 1),
    "connect": (0.02, _connect, 3, 1),
    "keyframes": (0.04, _keyframes, 2, 1),
    "span": (0.04, _span, 2, 1),
    "inpaint": (0.02, _inpaint, 1, 2),
    "outpaint": (0.02, _outpaint, 1, 2),
    "loosen": (0.10, lambda clean, strength, _: loosen(clean, strength), 1, 1),
    "stream": (0.00, _stream, 2, 1),
    "refer": (0.00, _refer, 3, 1),
}

TASKS: Mapping[str, float] = {name: weight for name, (weight, *_) in DRAWS.items() if weight}
CUTS = frozenset(DRAWS) - frozenset(TASKS)  # their canvases are shorter than the clip


def random(
    clean: Tensor,
    *,
    generator: Generator,
    tasks: Mapping[str, float] = TASKS,
    soft: float = 0.25,
    ring: bool = False,
) -> Canvas:
    """A canvas to train on, for clean latents B C T H W: known = clean, one task for the batch.

    A task of CUTS knows a window of the clips, and shows latents from outside it as references.
    Which latents are kept is the same for all clips; how free the others are may differ. `tasks`
    weighs the names of DRAWS; those that the clips are too small for are left out. `soft` is the
    share in which a task that keeps latents leaves them, or what it paints, a fractional freedom;
    with `loosen` that is a fifth of the clips at the weights given here.
    """
    b, _, t, h, w = clean.shape
    if unknown := sorted(set(tasks) - set(DRAWS)):
        raise ValueError(f"unknown tasks {unknown}; the known ones are {sorted(DRAWS)}")
    names = [name for name in tasks if DRAWS[name][2] <= t and DRAWS[name][3] <= h * w]
    weights = torch.tensor([float(tasks[name]) for name in names], device=generator.device)
    if not weights.sum() > 0:
        raise ValueError(
            f"no task of {dict(tasks)} fits clips of {t} latents of {h}x{w}; give blank a weight"
        )
    name = names[int(torch.multinomial(weights, 1, generator=generator))]
    is_soft, *fractions = torch.rand(1 + b, generator=generator, device=generator.device).tolist()
    strength: float | Tensor = 1.0
    if name == "loosen" or is_soft < soft:
        strength = 0.05 + 0.9 * torch.tensor(fractions, device=clean.device)[:, None]  # B 1
    return replace(DRAWS[name][1](clean, strength, generator), ring=ring)
