"""Public weights at work: their velocity on a canvas, and what they may be asked.

Three kinds differ in what they know of kept latents. TI2V-5B was trained with a level for each
token: what is kept is shown at level 0, and is exact. I2V and VACE are shown what is kept in
channels of their own (`conditions`). The others know one level for a whole clip: what is kept is
shown to them noised to that level, with the same noise at every step, and comes out as it went in;
how well the rest follows it is a matter of luck, which a note says.

Shapes: B batch, C channels, T H W latent frames, height, width, L words, E text width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from worldreel import flow, guidance, tokens
from worldreel.canvas import Canvas
from worldreel.errors import RequestError
from worldreel.flow import Velocity
from worldreel.models.dit import DiT
from worldreel.models.presets import Settings
from worldreel.models.wan_models import WanModel
from worldreel.request import Limits, Plan
from worldreel.values import parse_size

Heard = list[tuple[int | None, Tensor]]  # tokens (None: all) and the states that they read
LEAST = 1 / 1000  # the level to which their schedule is spaced: they were trained at thousandths
_LONGER = 2  # times the length of training that may be asked for
_SMALL = (832, 480)  # what models of 1280x720 were trained on too
_CAN = "wan2.2-ti2v-5b and marble can"


@dataclass(frozen=True, kw_only=True, eq=False)
class Public:
    """A public model: what it is, its transformer for low levels, and the level between the two.

    together: guidance's branches are one batch, which several processes divide. shift: what the
    folder's own scheduler says of the levels, which is told where it differs from what is used.
    """

    model: WanModel
    low: DiT | None = None
    boundary: float | None = None
    together: bool = False
    shift: float | None = None

    @property
    def sees_pixels(self) -> bool:
        """Whether it is shown what is known in channels of their own: see `conditions`."""
        return self.model.pictures in ("first", "control")

    def one_freedom(self, board: Canvas) -> float:
        """The freedom of all that may change; more than one is refused."""
        found = torch.unique(board.freedom[board.freedom > 0])
        if len(found) > 1:
            raise RequestError(
                f"{self.model.name} knows one level for a whole clip: give a strength of 1 to what"
                f" is held; {_CAN} hold it more or less"
            )
        return float(found[0]) if len(found) else 1.0

    @property
    def settings(self) -> Settings:
        m = self.model
        return Settings(
            name=m.name, steps=m.steps, guidance_scale=m.guidance[0], flow_shift=m.flow_shift,
            sampler="unipc",
        )  # fmt: skip

    def limits(self, *, patch: int, stride: int, reach: int) -> Limits:
        """What may be asked; stride and reach are its autoencoder's."""
        m, (wide, high) = self.model, parse_size(self.model.size)
        sizes = [(wide, high), (high, wide)]
        sizes += [_SMALL, _SMALL[::-1]] if (wide, high) == (1280, 720) else []
        grid = stride * patch
        side = round((wide * high) ** 0.5 / grid) * grid
        seconds = (m.frames - 1) / m.fps
        return Limits(
            name=m.name,
            fps=m.fps,
            first_frame=True,
            stride=stride,
            grid=grid,
            base_sizes={"16:9": sizes[0], "9:16": sizes[1], "1:1": (side, side)},
            default_seconds=seconds,
            max_seconds=_LONGER * seconds,
            min_side=grid,
            max_side=1920,
            default_steps=m.steps,
            default_guidance=m.guidance[0],
            context_interval=(0.0, 1.0),
            default_shift=m.flow_shift,
            reach=reach,
            trained_sizes=tuple(sizes),
            trained_seconds=m.frames / m.fps,
            from_picture=m.pictures == "first",
            references=m.pictures == "control",
        )

    def notes(self, made: Plan, *, windows: bool = False) -> list[str]:
        """What a person should know of a plan before it is painted; windows: one after another."""
        return self._levels(made.flow_shift) + self._kept(made, windows)

    def _levels(self, used: float) -> list[str]:
        if self.shift in (None, used):
            return []
        published = used == self.model.flow_shift
        return [
            f"the folder's scheduler shifts levels by {self.shift:g}; {used:g} is used, which "
            + (f"{self.model.name} was published with" if published else "was asked for")
        ]

    def _kept(self, made: Plan, windows: bool) -> list[str]:
        line, name = made.timeline, self.model.name
        ends = (0, line.num_latents - 1)
        if self.model.pictures == "" and (made.clips or line.keyframes or windows):
            return [
                f"{name} was trained on words alone: what is kept stays as it is, and the rest may"
                f" not follow it well; {_CAN}"
            ]
        within = any(k.latent not in ends for k in line.keyframes)
        if self.model.pictures == "first" and (made.clips or within or windows):
            return [
                f"{name} was trained to go on from a first picture: what it is shown of a clip, or"
                " of pictures within, it may follow less well; wan2.1-vace-14b was trained on them"
            ]
        return []


def guided(
    public: Public,
    dit: DiT,
    board: Canvas,
    heard: Heard,  #                            in order of time; states are B L E
    nothing: Callable[[], Tensor],  #           B L E: what it is guided away from
    *,
    scale: float,
    noise: Tensor,
    interval: tuple[float, float] = (0.0, 1.0),
    beside: Tensor | None = None,  #            B C T H W: what is shown beside the latents
) -> Velocity:
    """The guided velocity of a canvas's latents, of the expert whose level it is.

    scale: of both experts, or each has its own where it is what the first one likes. interval: the
    levels at which it is guided; at others the branch of no words is not computed.
    """
    experts = [dit] if public.low is None else [dit, public.low]
    liked = public.model.guidance
    scales = [liked[i] if scale == liked[0] and i < len(liked) else scale for i in range(2)]
    against: Heard = []
    if any(s != 1 for s in scales[: len(experts)]):
        against = [(None, nothing())]
    fields = []
    for expert, own in zip(experts, scales, strict=False):
        said = _field(public, expert, board, heard, noise, beside)
        if own != 1 and public.together:
            pair = replace(board, known=_twice(board.known), freedom=_twice(board.freedom))
            both = [(n, torch.cat([states, against[0][1].to(states)])) for n, states in heard]
            shown = None if beside is None else _twice(beside)
            field = _field(public, expert, pair, both, _twice(noise), shown)
            said = guidance.joint(said, field, own, interval=interval)
        elif own != 1:
            field = _field(public, expert, board, against, noise, beside)
            said = guidance.cfg(said, field, own, interval=interval)
        fields.append(said)
    if public.low is None or public.boundary is None:
        return flow.instant(fields[0])
    boundary, free = public.boundary, float(board.freedom.max())

    def chosen(x: Tensor, sigma: Tensor, target: Tensor) -> Tensor:
        high = float(thousandths(sigma * free)) >= boundary - 1e-6
        return fields[0 if high else 1](x, sigma, sigma)

    return chosen


def _twice(x: Tensor) -> Tensor:
    return torch.cat([x, x])


def thousandths(level: Tensor) -> Tensor:
    """A level as public weights are told it: whole thousandths, rounded down, 0.999 at most.

    So their makers sample them. The slack is fp32's: 0.9 is 900 thousandths.
    """
    return (level.double() * 1000 + 1e-4).floor().clamp(max=999).to(level.dtype) / 1000


def _field(
    public: Public, dit: DiT, board: Canvas, heard: Heard, noise: Tensor, beside: Tensor | None
) -> Velocity:
    """The velocity with some words; those are read when it is first asked for, and then kept."""
    alike = public.model.pictures != "level"
    kept = board.kept
    if alike:
        free = public.one_freedom(board)
        board = replace(board, freedom=torch.full_like(board.freedom, free))
    box = tokens.bag(board, patch=dit.preset.patch, chunk=None)
    part = box.painted
    words: list[Any] = []
    channels = control = None
    if public.model.pictures == "control" and beside is not None:
        control = tokens.take(beside, part, box.patch)
    else:
        channels = beside

    def field(x: Tensor, sigma: Tensor, target: Tensor) -> Tensor:
        if not words:
            words.extend(dit.read([(n, states.to(x.device), None) for n, states in heard], len(x)))
        if alike:
            x = torch.where(kept, flow.noised(board.known, board.freedom, sigma, noise), x)
        seen = tokens.shown(x, board, sigma, box.patch, noise)
        seen = seen if channels is None else torch.cat([seen, channels], dim=1)
        seen = tokens.take(seen, part, box.patch)
        level = thousandths(part.level(sigma))
        v = dit(seen, level, level, part.which, part.pos, words, control=control)
        return tokens.put(v.to(x.dtype), box)

    return field
