"""VACE: blocks beside a transformer's own that turn a clip to follow into hints for it.

Source: VACE, 2503.07598. Shapes: B batch, N tokens, D width, C control channels, L words, d width
of a head.
"""

from __future__ import annotations

from collections.abc import Callable

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
    """Hints for the layers that `preset.control` names, from control tokens B N C."""

    def __init__(self, preset: DitPreset, block: Callable[[DitPreset], nn.Module]) -> None:
        super().__init__()
        p = preset
        if 0 not in p.control or max(p.control) >= p.layers:
            raise ValueError(f"hints after layers {p.control} of {p.layers}: 0 must be among them")
        self.layers = p.control
        self.patch_in = Linear(p.control_channels * p.patch**2, p.dim)
        self.blocks = nn.ModuleList(block(p) for _ in p.control)
        self.hints = nn.ModuleList(Hint(p.dim, first=i == 0) for i in range(len(p.control)))

    def forward(
        self, control: Tensor, h: Tensor, through: Callable[[int, Tensor], Tensor]
    ) -> dict[int, Tensor]:
        """{layer: what is added after it}.

        h: B N D, what the transformer's first block is given. through: a block of these, by its
        number, as a function of the stream B N D alone.
        """
        dtype = control.dtype
        c = self.patch_in(control)
        hints = {}
        for i, (layer, around) in enumerate(zip(self.layers, self.hints, strict=True)):
            assert isinstance(around, Hint)
            if around.into is not None:
                c = around.into(c) + h
            c = through(i, c.float())
            hints[layer] = around.hint(c.to(dtype)).float()
        return hints
