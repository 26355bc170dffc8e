"""VACE: blocks beside a transformer's own that turn a clip to follow into hints for it.

Source: VACE, 2503.07598. Shapes: B batch, N tokens, D width, C control channels, L words, d width
of a head.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from worldreel.models.attention import Linear
from worldreel.models.presets import DitPreset


class Hint(nn.Module):
    """What stands around a block of VACE's: the way out and, of the first, the way in."""

    def __init__(self, dim: int, *, first: bool) -> None:
        super().__init__()
        self.into = Linear(dim, dim) if first else None
        self.hint = Linear(dim, dim)


class Vace(nn.Module):
    """Hints for the layers that `preset.control` names, from control tokens B N C.

    h = the transformer's stream before its first block; c = begin(control, h); then, after a layer
    of `layers`, its block goes over c and `hint` of that is added to the stream: one hint is there
    at a time.
    """

    def __init__(self, preset: DitPreset, block: Callable[[DitPreset], nn.Module]) -> None:
        super().__init__()
        p, layers = preset, preset.control
        if 0 not in layers or max(layers) >= p.layers or list(layers) != sorted(set(layers)):
            raise ValueError(
                f"hints after layers {layers} of {p.layers}: 0 must be among them, and each come"
                " once, in order"
            )
        self.layers = layers
        self.patch_in = Linear(p.control_channels * p.patch**2, p.dim)
        self.blocks = nn.ModuleList(block(p) for _ in layers)
        self.hints = nn.ModuleList(Hint(p.dim, first=i == 0) for i in range(len(layers)))

    def begin(self, control: Tensor, h: Tensor) -> Tensor:
        """VACE's stream B N D, fp32, of control tokens and what the first block is given."""
        first = self.hints[0]
        assert isinstance(first, Hint) and first.into is not None
        return (first.into(self.patch_in(control)) + h).float()

    def hint(self, place: int, c: Tensor, dtype: torch.dtype) -> Tensor:
        """What is added after a layer, by its place, B N D fp32: of the stream after its block."""
        around = self.hints[place]
        assert isinstance(around, Hint)
        return around.hint(c.to(dtype)).float()
