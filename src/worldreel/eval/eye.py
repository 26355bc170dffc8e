"""The eye of the rulers: a small convolutional net that finds things in a frame, and names them.

It is trained on renders alone (`recipes/rulers.py`), reads one frame at a time and knows nothing
of the model that it judges. Frames are brought to one width first, at which a thing has one size
whatever the clip's: the world is framed so that every clip shows the same width of it.

Shapes: N frames, H W pixels at the eye's width; maps are at half of it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from worldreel.eval.known import COLORS, KINDS, LIGHTS, SETTINGS, STYLES, WEATHERS

WIDTH = 144  # pixels
_STEP = 8  # sides are multiples of it
_GROUPS = 8


REACH = 10  # cells of a map that a `middle` of 1 is long
SURE = (
    0.4  # logit: a cell is of a thing where the eye is surer (chosen on renders of seed 4,600,000)
)
OF_A_FRAME = {"setting": SETTINGS, "light": LIGHTS, "weather": WEATHERS, "style": STYLES}


class Sight(NamedTuple):
    """Logits: whether a pixel is of a thing, of which colour and kind; how far it is to the middle
    of its thing (right, down, in REACH cells); and of the whole frame its setting, light, weather
    and style (0 none that it knows; then the names of OF_A_FRAME)."""

    thing: Tensor  #   N H/2 W/2
    color: Tensor  #   N colors H/2 W/2
    middle: Tensor  #  N 2 H/2 W/2
    kind: Tensor  #    N kinds H/4 W/4
    setting: Tensor  # N 1+settings
    light: Tensor  #   N 1+lights
    weather: Tensor  # N 1+weathers
    style: Tensor  #   N 1+styles


def setting_shares(sight: Sight) -> Tensor:  # settings, shares of a clip's frames
    """How much a clip looks like each of SETTINGS."""
    return sight.setting.softmax(1).mean(0)[1:]


def _active(width: int) -> nn.Module:
    return nn.Sequential(nn.GroupNorm(_GROUPS, width), nn.SiLU())


class _Block(nn.Module):
    """Two 3x3 convolutions beside a skip; the second starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_active(width), nn.Conv2d(width, width, 3, padding=1))
        self.active = _active(width)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.active(self.first(x)))


class Eye(nn.Module):
    """Down to an eighth of the size and up to a half, with skips between."""

    def __init__(self, widths: tuple[int, int, int] = (32, 48, 128)) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.into = nn.Conv2d(3, fine, 5, stride=2, padding=2)
        self.fine = nn.Sequential(nn.SiLU(), nn.Conv2d(fine, fine, 3, padding=1))
        self.down_quarter = nn.Sequential(
            nn.SiLU(), nn.Conv2d(fine, middle, 3, stride=2, padding=1)
        )
        self.middle = _Block(middle)
        self.down_eighth = nn.Sequential(
            _active(middle), nn.Conv2d(middle, coarse, 3, stride=2, padding=1)
        )
        self.coarse = nn.Sequential(_Block(coarse), _Block(coarse))
        self.up_quarter = nn.Conv2d(coarse, middle, 1)
        self.back_middle = _Block(middle)
        self.up_half = nn.Sequential(_active(middle), nn.Conv2d(middle, fine, 1))
        # Where borders are is in the fine maps, which would be lost in a sum.
        self.detail = _active(fine)
        self.pixel = nn.Sequential(
            nn.Conv2d(2 * fine, fine, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(fine, fine, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(fine, 3 + len(COLORS), 1),
        )
        self.kind = nn.Sequential(_active(middle), nn.Conv2d(middle, len(KINDS), 1))
        # Weather and style are in the grain, setting and light in the whole.
        self.known = [1 + len(names) for names in OF_A_FRAME.values()]
        self.frame = nn.Linear(2 * coarse + 2 * middle + fine, sum(self.known))

    def forward(self, x: Tensor) -> Sight:  #                          N 3 H W, in -1..1
        a = self.into(x)
        a = a + self.fine(a)  #                                    N . H/2 W/2
        b = self.middle(self.down_quarter(a))  #                       N . H/4 W/4
        c = self.coarse(self.down_eighth(b))  #                        N . H/8 W/8
        grain = torch.cat([a.mean((2, 3)), b.mean((2, 3)), b.amax((2, 3))], 1)
        b = self.back_middle(b + _doubled(self.up_quarter(c)))
        pixel = self.pixel(torch.cat([self.detail(a), _doubled(self.up_half(b))], 1))
        kind = self.kind(b)
        whole = self.frame(torch.cat([c.mean((2, 3)), c.amax((2, 3)), grain], 1))
        return Sight(pixel[:, 0], pixel[:, 3:], pixel[:, 1:3], kind, *whole.split(self.known, 1))

    def both_ways(self, x: Tensor) -> Sight:  #                    N 3 H W, in -1..1
        """What is seen in frames and in their mirror images, averaged: a twin is seen as its twin,
        and what was missed by a hair on one side is asked again."""
        here, there = self(x), self(x.flip(3))
        there = there._replace(
            thing=there.thing.flip(2),
            color=there.color.flip(3),
            middle=there.middle.flip(3) * there.middle.new_tensor([-1, 1])[:, None, None],
            kind=there.kind.flip(3),
        )
        return Sight(*((a + b) / 2 for a, b in zip(here, there, strict=True)))


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")


def seen_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns at which a frame of this size is looked at."""
    rows = max(1, math.floor(height * WIDTH / width / _STEP + 0.5))
    return rows * _STEP, WIDTH


def frames_to_eye(frames: np.ndarray) -> Tensor:  # F H W 3 uint8 -> F 3 H W at the eye's width
    """Frames as the eye takes them: -1..1, brought to its width."""
    x = rearrange(torch.from_numpy(np.ascontiguousarray(frames)), "f h w c -> f c h w")
    size = seen_size(*x.shape[2:])
    x = x.float() / 127.5 - 1
    if size != tuple(x.shape[2:]):
        x = functional.interpolate(x, size=size, mode="bilinear", antialias=True)
    return x.contiguous(memory_format=torch.channels_last)
