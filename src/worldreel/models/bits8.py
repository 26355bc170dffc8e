"""Linear layers whose weights are kept in 8 bits: half of bf16, for a small change of what comes.

    quantise(block)                    every linear layer of it, in place

A row (one output) is whole numbers from -127 to 127 times a scale; it is made floating point again
when the layer computes. `benchmarks/memory.py` says how near the outputs are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from worldreel.models.attention import product

_MOST = 127
_AT_ONCE = 1 << 18  # numbers


class Linear8(nn.Module):
    """A linear layer in 8 bits. It computes in its input's type, as `attention.Linear` does."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        whole, scale = rounded(linear.weight.detach())
        self.weight = nn.Parameter(whole, requires_grad=False)
        self.scale = nn.Parameter(scale, requires_grad=False)  # rows 1, fp32
        self.bias = linear.bias

    def forward(self, input: Tensor, *, gelu: bool = False) -> Tensor:
        weight = self.weight.to(input.dtype).mul_(self.scale)
        return product(input, weight, self.bias, gelu=gelu)


def places8(rows: int, columns: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Room for a matrix in 8 bits: whole numbers, rows columns, and scales, rows 1, fp32."""
    whole = torch.empty(rows, columns, dtype=torch.int8, device=device)
    return whole, torch.empty(rows, 1, device=device)


def rounded(weight: Tensor, into: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """A matrix as whole numbers, and the scale of each row, in their `places8`.

    Some rows at a time: fp32 of all of them would be four times what stays.
    """
    rows, columns = weight.shape
    whole, scale = into or places8(rows, columns, weight.device)
    few = max(1, _AT_ONCE // columns)
    for part, out, own in zip(weight.split(few), whole.split(few), scale.split(few), strict=True):
        fine = part.float()
        own.copy_(fine.abs().amax(1, keepdim=True)).div_(_MOST).clamp_min_(1e-30)
        out.copy_((fine / own).round_())
    return whole, scale


@torch.no_grad()
def quantise(module: nn.Module) -> None:
    """Put every linear layer of a module into 8 bits, one after the other; also where it is only
    described ("meta")."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, Linear8(child))
