"""The sense of shape: a small net that names the kind of a thing in a close view of it.

A close view is a square around one thing, at one size however far away the thing is, with its
mask as a fourth channel. Beyond the mask and a rim there is only grey: where a thing stands must
not tell what it is.

Shapes: N views, S SIDE pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from worldreel.eval.known import KINDS

SIDE = 40  # pixels of a view
ROOM = 1.4  # how much larger a view is than what is in it
RIM = 5  # cells of the mask that a rim is found with
_GROUPS = 4


class Shape(nn.Module):
    """Logits of KINDS for close views."""

    def __init__(self, widths: tuple[int, int, int] = (24, 48, 96)) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.net = nn.Sequential(
            *_layer(4, fine, 5, 1),
            *_layer(fine, middle, 3, 2),
            *_layer(middle, middle, 3, 1),
            *_layer(middle, coarse, 3, 2),
            *_layer(coarse, coarse, 3, 1),
            *_layer(coarse, coarse, 3, 2),
            nn.Flatten(),
            nn.Dropout(0.4),
            nn.Linear(coarse * (SIDE // 8) ** 2, 96),
            nn.SiLU(),
            nn.Linear(96, len(KINDS)),
        )

    def forward(self, views: Tensor) -> Tensor:  # N 4 S S -> N kinds
        return self.net(views)

    def both_ways(self, views: Tensor) -> Tensor:  # N 4 S S -> N kinds
        """Logarithms of how much each view shows each kind, asked of its mirror image, too."""
        both = self(torch.cat([views, views.flip(3)])).log_softmax(1)
        return both.unflatten(0, (2, -1)).mean(0)


def _layer(given: int, width: int, size: int, stride: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(given, width, size, stride=stride, padding=size // 2)
    return conv, nn.GroupNorm(_GROUPS, width), nn.SiLU()


def close(x: Tensor, mask: Tensor) -> Tensor:
    """Close views (N 4 S S) of one thing in each frame (N 3 H W, -1..1) by its mask (N h w)."""
    view, own, rim = cut(x, mask, SIDE, ROOM)
    return framed(view, own, rim)


def framed(view: Tensor, own: Tensor, rim: Tensor) -> Tensor:  # N 3 S S, N 1 S S twice
    """A view as the net takes it: grey beyond the rim, with the mask as a fourth channel."""
    return torch.cat([view * rim, own * 2 - 1], 1)


def cut(x: Tensor, mask: Tensor, side: int, room: float) -> tuple[Tensor, Tensor, Tensor]:
    """A square of so many pixels round one thing in each frame, `room` times as large as it: the
    picture (N 3 S S), the thing's mask and that with its rim (N 1 S S, 0..1)."""
    n, h, w = mask.shape
    rows, columns = mask.any(2), mask.any(1)
    top, left = rows.int().argmax(1), columns.int().argmax(1)
    bottom = h - rows.flip(1).int().argmax(1)
    right = w - columns.flip(1).int().argmax(1)
    large = torch.maximum(bottom - top, right - left) * room  # cells
    where = torch.zeros(n, 2, 3)
    where[:, 0, 0], where[:, 1, 1] = large / w, large / h
    where[:, 0, 2], where[:, 1, 2] = (left + right) / w - 1, (top + bottom) / h - 1
    grid = functional.affine_grid(where, [n, 1, side, side], align_corners=False)
    own = mask[:, None].float()
    rim = functional.max_pool2d(own, RIM, stride=1, padding=RIM // 2)
    maps = functional.grid_sample(torch.cat([own, rim], 1), grid, align_corners=False)
    view = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    return view, maps[:, :1], maps[:, 1:]
