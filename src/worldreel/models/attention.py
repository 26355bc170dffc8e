"""Attention over sections of tokens, and rotary positions in time, rows and columns.

Rotation pairs channel i of a head with channel i + d/2. Public weights pair neighbours; `wan.py`
permutes them when it loads, which leaves every score as it was.

Shapes: B batch, N M tokens, H heads, D width, d width of a head.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from worldreel.models import processor, rowwise
from worldreel.models.rowwise import rotate

_CACHED = 1 << 20  # scores at a time: 2 MiB of bf16, about what a core keeps at hand


# What this processor and its library of products can do.
_FUSES = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
_TILES = processor.multiplier() == "amx"


class Linear(nn.Linear):
    """A linear layer that computes in its input's dtype, whatever its weights are stored in."""

    def forward(self, input: Tensor, *, gelu: bool = False) -> Tensor:
        """The layer's output, or its GELU by the tanh approximation."""
        return product(input, self.weight.to(input.dtype), self.bias, gelu=gelu)


def product(x: Tensor, weight: Tensor, bias: Tensor | None, *, gelu: bool = False) -> Tensor:
    """x weight^T + bias in the dtype of x and weight, or its GELU by the tanh approximation."""
    bias = None if bias is None else bias.to(x.dtype)
    free = rowwise.unrecorded()
    if free and _FUSES and x.device.type == "cpu" and x.dtype == torch.bfloat16:
        # bias and GELU within the product: half the time of three passes, and one rounding
        then = ("gelu", [], "tanh") if gelu else ("none", [], "")
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, *then)
    y = functional.linear(x, weight, bias)
    if not gelu:
        return y
    if free:
        return torch.ops.aten.gelu_(y, approximate="tanh")
    return functional.gelu(y, approximate="tanh")


def with_gelu(layer: nn.Module, x: Tensor) -> Tensor:
    """The GELU of a layer's output: within its product, unless a hook adds to that output (a LoRA
    beside the weights)."""
    if layer._forward_hooks:
        return functional.gelu(layer(x), approximate="tanh")
    return layer(x, gelu=True)


def in_tiles(x: Tensor) -> bool:
    """Whether products of x are taken in tiles (bf16 on a CPU that has AMX): several times as fast
    as elsewhere, so that a pass over memory costs more than the products that it saves."""
    return _TILES and x.device.type == "cpu" and x.dtype == torch.bfloat16


class RMSNorm(nn.Module):
    """Root-mean-square norm over the last axis, in fp32 (Zhang and Sennrich, 1910.07467)."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return rowwise.rms_norm(x, self.weight, self.eps)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(d)) v for B H N d; mask (B, M), True where a key may be seen.

    On a CPU, the fused kernel's backward is several times slower in bf16 than plain products
    (`_InParts`), and its forward twice as slow where bf16 is not multiplied in tiles.
    """
    bias = None if mask is None else mask[:, None, None, :]
    recorded = torch.is_grad_enabled() and (q.requires_grad or k.requires_grad or v.requires_grad)
    if q.device.type == "cpu" and recorded:
        return _InParts.apply(q, k, v, bias)
    if q.device.type == "cpu" and q.dtype == torch.bfloat16 and not in_tiles(q):
        return _attend_in_parts(q, k, v, bias)
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)


def _attend_in_parts(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """`attend` by plain products, some queries at a time, so that scores stay in the cache.

    For bf16 on a CPU without tiles: twice as fast there as the fused kernel, which multiplies it
    no faster than fp32; with tiles it takes twice the kernel's time (`benchmarks/run.py`). Scores
    are rounded to bf16.
    """
    b, heads, n, d = q.shape
    q, keys = q * (1 / math.sqrt(d)), k.transpose(-1, -2)
    v = v.contiguous()  # once, or every product would copy it
    size = max(16, _CACHED // (b * heads * k.shape[2]))
    out = torch.empty_like(q)
    for start in range(0, n, size):
        scores = q[:, :, start : start + size] @ keys  #                   B H n M
        if bias is not None:
            scores = scores.masked_fill(~bias, -math.inf)
        torch.softmax(scores, dim=-1, out=scores)
        out[:, :, start : start + size] = scores @ v
    return out


class _InParts(torch.autograd.Function):
    """Attention with a gradient, for which scores are computed again, some heads at a time: kept
    from the forward pass they would be most of a training step's memory."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(q, k, v, bias)
        if in_tiles(q):
            return functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return _attend_in_parts(q, k, v, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, bias = ctx.saved_tensors
        b, heads, n, d = q.shape
        scale = 1 / math.sqrt(d)
        given = [x.flatten(0, 1) for x in (q * scale, k, v, grads[0])]  #     BH N|M d
        seen = None if bias is None else bias.expand(-1, heads, -1, -1).flatten(0, 1)
        found = [torch.empty(x.shape, dtype=x.dtype) for x in given[:3]]
        size = max(1, _CACHED // (n * k.shape[2]))
        for start in range(0, b * heads, size):
            part = slice(start, start + size)
            queries, keys, values, grad = (x[part] for x in given)
            scores = queries @ keys.transpose(1, 2)
            if seen is not None:
                scores = scores.masked_fill(~seen[part], -math.inf)
            weights = torch.softmax(scores, dim=-1)
            del scores
            torch.bmm(weights.transpose(1, 2), grad, out=found[2][part])
            pull = grad @ values.transpose(1, 2)
            pull = torch.ops.aten._softmax_backward_data(pull, weights, -1, weights.dtype)
            torch.bmm(pull, keys, out=found[0][part])
            torch.bmm(pull.transpose(1, 2), queries, out=found[1][part])
        found[0] *= scale
        return *(x.unflatten(0, (b, heads)) for x in found), None


def rotary(pos: Tensor, head_dim: int, theta: float = 10000.0) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every token's angles (RoFormer 2104.09864, in three axes): B N d/2.

    Of a head's d/2 pairs, d/6 (rounded down) go to rows, as many to columns, the rest to time, as
    in Wan. Computed in fp64: angles of a long stream would lose their digits in fp32.
    """
    spatial = 2 * (head_dim // 6)
    angles = []
    for axis, width in enumerate((head_dim - 2 * spatial, spatial, spatial)):
        step = torch.arange(0, width, 2, dtype=torch.float64, device=pos.device) / width
        angles.append(pos[..., axis, None].double() * theta**-step)
    angle = torch.cat(angles, dim=-1)
    return angle.cos().float(), angle.sin().float()


class SelfAttention(nn.Module):
    """Queries, keys and values of one sequence; q and k are normed across all heads, as in Wan."""

    def __init__(self, dim: int, heads: int, eps: float) -> None:
        super().__init__()
        if dim % heads or dim // heads % 2:
            raise ValueError(f"a width of {dim} does not make {heads} heads of even width")
        self.heads = heads
        self.qkv = Linear(dim, 3 * dim)
        self.out = Linear(dim, dim)
        self.norm_q = RMSNorm(dim, eps)
        self.norm_k = RMSNorm(dim, eps)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values before rotation: three times B H N d."""
        every = self.qkv(x)
        del x
        q, k, v = every.chunk(3, dim=-1)
        q, k = self.norm_q(q), self.norm_k(k)
        q, k, v = (rearrange(p, "b n (h d) -> b h n d", h=self.heads) for p in (q, k, v))
        # of its own: as a part it would hold the product of all three
        return q, k, v.contiguous()

    def merge(self, x: Tensor) -> Tensor:
        return self.out(rearrange(x, "b h n d -> b n (h d)"))


class CrossAttention(nn.Module):
    """Tokens read words. Keys and values of words are computed once and serve every step."""

    def __init__(self, dim: int, heads: int, eps: float) -> None:
        super().__init__()
        self.heads = heads
        self.q = Linear(dim, dim)
        self.kv = Linear(dim, 2 * dim)
        self.out = Linear(dim, dim)
        self.norm_q = RMSNorm(dim, eps)
        self.norm_k = RMSNorm(dim, eps)

    def read(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of words B L D: twice B H L d."""
        k, v = self.kv(words).chunk(2, dim=-1)
        k = self.norm_k(k)
        return (
            rearrange(k, "b l (h d) -> b h l d", h=self.heads),
            rearrange(v, "b l (h d) -> b h l d", h=self.heads),
        )

    def forward(self, x: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        q = rearrange(self.norm_q(self.q(x)), "b n (h d) -> b h n d", h=self.heads)
        return self.out(rearrange(attend(q, k, v, mask), "b h n d -> b n (h d)"))


def attend_ring(
    q: Tensor, k: Tensor, v: Tensor, pos_q: Tensor, pos_k: Tensor, period: int, still: int
) -> Tensor:
    """Attention on a ring of time: each query sees the nearest copy of every key.

    q, k, v: B H N d before rotation; pos: B N 3. The last `still` keys do not wrap (references).
    Queries of one time share their keys' angles, so the work is one attention per latent. At half
    the ring exactly, a key is seen in the past: the choice depends on the difference alone.
    """
    head_dim = q.shape[-1]
    out = torch.empty_like(q)
    times = pos_q[0, :, 0]
    wraps = k.shape[2] - still
    for t in torch.unique(times):
        mine = (times == t).nonzero()[:, 0]
        near = pos_k.clone()
        gap = pos_k[:, :wraps, 0] - t
        near[:, :wraps, 0] = t + torch.remainder(gap + period / 2, period) - period / 2
        near[:, :, 0] -= t  # relative to the query, so that a rolled ring has the same angles
        here = pos_q[:, mine].clone()
        here[:, :, 0] = 0
        turned = rotate(k, rotary(near, head_dim))
        out[:, :, mine] = attend(rotate(q[:, :, mine], rotary(here, head_dim)), turned, v)
    return out
