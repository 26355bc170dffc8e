"""What stands between a transformer's products, with gradients, some rows at a time on a CPU.

Norms, rotations and gates take next to no arithmetic. What takes their time is
memory: each step of theirs, over all tokens, reads and writes more than a core's cache holds, and a
recorded one keeps fp32 copies for the way back. Here a few rows go through all steps while they are
in the cache, forward and back, and what is kept for the way back is the input.

Everything is computed in fp32 and rounded once. Elsewhere (GPUs, compiled blocks) the same
formulas stand as plain operations, which compilers fuse by themselves.

Shapes: B batch, N tokens, H heads, D width, d width of a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

_AT_ONCE = 1 << 16  # numbers at a time: in fp32, with what is between, a core's own cache
_SHARED = 1 << 19  # where threads share the work: they would meet too often over fewer

Gradient = Tensor | None


def used(x: Tensor) -> bool:
    """Whether to go by rows."""
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def unrecorded() -> bool:
    """Whether what is computed may be written over: no gradient and no graph needs it."""
    return not (torch.is_grad_enabled() or torch.compiler.is_compiling())


def _parts(rows: int, width: int) -> Iterator[slice]:
    size = max(1, (_AT_ONCE if torch.get_num_threads() == 1 else _SHARED) // width)
    return (slice(start, start + size) for start in range(0, rows, size))


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x, ... D, over its root mean square, times a weight D (Zhang and Sennrich, 1910.07467)."""
    if used(x):
        return _RmsNorm.apply(x, weight, eps)
    return functional.rms_norm(x.float(), x.shape[-1:], weight.float(), eps).to(x.dtype)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
    """The layer norm of x, B N D in fp32, times a weight, plus a bias, both B|1 1 D, as dtype."""
    if used(x):
        return _LayerNorm.apply(x, weight, bias, eps, dtype)
    if len(weight) == 1:  # one row for all tokens: the norm's kernel does it on its way
        return functional.layer_norm(x, x.shape[-1:], weight[0, 0], bias[0, 0], eps).to(dtype)
    return torch.addcmul(bias, functional.layer_norm(x, x.shape[-1:], eps=eps), weight).to(dtype)


def gated(x: Tensor, gate: Tensor, h: Tensor) -> Tensor:
    """x + gate h, for the stream x, B N D in fp32, gate B 1|N D and h B N D of any type; without a
    gradient in place of x."""
    if not used(x) or gate.shape[1] != 1:
        return x.addcmul_(gate, h) if unrecorded() else torch.addcmul(x, gate, h)
    return _add_gated(x, gate, h, x) if unrecorded() else _Gated.apply(x, gate, h)


def _add_gated(x: Tensor, gate: Tensor, h: Tensor, out: Tensor) -> Tensor:
    for i, part in _clips(*x.shape):
        torch.addcmul(x[i, part], _of(gate, i), h[i, part].float(), out=out[i, part])
    return out


def rotate(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Turn pairs i and i + d/2 of x, B H N d, by angles of cosine and sine B N d/2 each."""
    if used(x):
        return _Rotate.apply(x, *rope)
    cos, sin = rope[0][:, None], rope[1][:, None]
    a, b = x.float().chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).to(x.dtype)


class _RmsNorm(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        flat, w = x.reshape(-1, x.shape[-1]), weight.float()
        out = torch.empty(flat.shape, dtype=x.dtype)
        root = torch.empty(len(flat), 1)
        for part in _parts(*flat.shape):
            y = flat[part].float()
            r = torch.linalg.vector_norm(y, dim=-1, keepdim=True)
            root[part] = r.square_().div_(y.shape[-1]).add_(eps).rsqrt_()
            out[part] = (y * r).mul_(w)
        ctx.save_for_backward(flat, weight, root)
        return out.view(x.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Gradient, ...]:
        flat, weight, root = ctx.saved_tensors
        w, g = weight.float(), grads[0].reshape(flat.shape)
        to_x, to_weight = torch.empty(flat.shape, dtype=flat.dtype), torch.zeros_like(w)
        for part in _parts(*flat.shape):
            unit = flat[part].float() * root[part]
            fine = g[part].float()
            to_weight += (fine * unit).sum(0)
            fine = fine * w
            mean = (fine * unit).mean(-1, keepdim=True)
            to_x[part] = fine.addcmul_(unit, mean, value=-1).mul_(root[part])
        return to_x.view(grads[0].shape), to_weight.to(weight.dtype), None


class _LayerNorm(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, dtype: torch.dtype
    ) -> Tensor:
        b, n, d = x.shape
        out = torch.empty(x.shape, dtype=dtype)
        mean, rstd = torch.empty(b, n, 1), torch.empty(b, n, 1)
        for i, part in _clips(b, n, d):
            w, s = _of(weight, i)[0], _of(bias, i)[0]
            y, mean[i, part], rstd[i, part] = torch.native_layer_norm(x[i, part], (d,), w, s, eps)
            out[i, part] = y
        ctx.save_for_backward(x, weight, bias, mean, rstd)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Gradient, ...]:
        x, weight, bias, mean, rstd = ctx.saved_tensors
        b, n, d = x.shape
        to_x = torch.empty_like(x)
        to_weight, to_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        for i, part in _clips(b, n, d):
            fine = grads[0][i, part].float()
            to_x[i, part], of_weight, of_bias = torch.ops.aten.native_layer_norm_backward(
                fine, x[i, part], (d,), mean[i, part], rstd[i, part],
                _of(weight, i)[0], _of(bias, i)[0], [True, True, True],
            )  # fmt: skip
            _of(to_weight, i)[0] += of_weight
            _of(to_bias, i)[0] += of_bias
        return to_x, to_weight, to_bias, None, None


class _Gated(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gate: Tensor, h: Tensor) -> Tensor:
        ctx.save_for_backward(gate, h)
        return _add_gated(x, gate, h, torch.empty_like(x))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Gradient, ...]:
        gate, h = ctx.saved_tensors
        to_gate, to_h = torch.zeros_like(gate), torch.empty(h.shape, dtype=h.dtype)
        for i, part in _clips(*h.shape):
            g = grads[0][i, part]
            _of(to_gate, i)[0] += (g * h[i, part].float()).sum(0)
            to_h[i, part] = g * _of(gate, i)
        return grads[0], to_gate, to_h


class _Rotate(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Gradient, ...]:
        cos, sin = ctx.saved_tensors
        return _turned(grads[0], cos, -sin), None, None


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    b, heads, n, d = x.shape
    out = torch.empty(x.shape, dtype=x.dtype)
    for i, part in _clips(b, n, heads * d):
        left, right = x[i, :, part].float().chunk(2, dim=-1)
        c, s = _of(cos, i)[part], _of(sin, i)[part]
        out[i, :, part, : d // 2] = (left * c).addcmul_(right, s, value=-1)
        out[i, :, part, d // 2 :] = (left * s).addcmul_(right, c)
    return out


def _clips(b: int, n: int, width: int) -> Iterator[tuple[int, slice]]:
    return ((i, part) for i in range(b) for part in _parts(n, width))


def _of(x: Tensor, clip: int) -> Tensor:
    """A clip's own row, or the one of all."""
    return x[clip if len(x) > 1 else 0]
