"""Causal convolutions in time that go on: a clip in pieces gives what it gives whole.

What the next piece still needs of the last one, two frames for each layer, is held by a `Past`
that the caller passes. A layer's input is written straight behind those frames, into one buffer
that all layers share: nothing is joined, and nothing that was seen earlier is kept.

Shapes: B batch, T frames, H W height and width, C channels. Activations are B T H W C, the layout
in which convolutions are fastest on CPUs and GPUs alike (channels last). For inference only: what
is written into a shared buffer has no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Past:
    """What a stream has seen: the last input frames of each causal layer, and shared room.

    A fresh one stands before the first frame. One serves one clip, in one direction, of one size
    and type. `begun`: the first piece is done; whoever feeds the pieces says so.
    """

    def __init__(self) -> None:
        self.begun = False
        self._held: dict[nn.Module, Tensor] = {}
        self._shared: Tensor | None = None

    def knows(self, layer: nn.Module) -> bool:
        return layer in self._held

    def room(self, layer: nn.Module, x: Tensor, depth: int) -> Tensor:
        """Room for x behind the `depth` frames before it: B depth+T H W C, with x's type.

        The frames before are in it already, zeros if there are none; x is the caller's to write.
        The room is the next layer's as soon as `hold` was called.
        """
        shape = (x.shape[0], depth + x.shape[1], *x.shape[2:])
        size = math.prod(shape)
        if self._shared is None or self._shared.numel() < size:
            self._shared = x.new_empty(size)
        room = self._shared[:size].view(shape)
        if layer in self._held:
            room[:, :depth] = self._held[layer]
        else:
            room[:, :depth] = 0
        return room

    def hold(self, layer: nn.Module, room: Tensor, depth: int) -> None:
        """Keep the last `depth` frames that a layer has seen."""
        last = room[:, room.shape[1] - depth :]
        if layer in self._held:
            self._held[layer].copy_(last)
        else:
            self._held[layer] = last.clone()


class CausalConv(nn.Conv3d):
    """A convolution over the present and `kernel[0] - 1` frames of past: B T H W C to B T H W C'.

    In space it is padded to the same size. Computes in its input's type, whatever its weights are
    stored in. Weights lie channels last, as its input does.
    """

    def __init__(self, width: int, out: int, kernel: Sequence[int], *, stride: int = 1) -> None:
        t, h, w = kernel
        padding = (0, h // 2, w // 2)
        super().__init__(width, out, (t, h, w), stride=(stride, 1, 1), padding=padding)
        last = self.weight.data.contiguous(memory_format=torch.channels_last_3d)
        self.weight = nn.Parameter(last)
        self.depth = t - stride  # frames of past that a piece of whole strides needs

    def forward(self, x: Tensor, past: Past) -> Tensor:
        room = past.room(self, x, self.depth)
        room[:, self.depth :] = x
        return self.over(room, past)

    def over(self, room: Tensor, past: Past) -> Tensor:
        """Convolve what was written into a room that `Past.room` gave for this layer."""
        past.hold(self, room, self.depth)
        return self.through(room)

    def through(self, frames: Tensor) -> Tensor:
        """Convolve frames as they are, past included: B T H W C to B T-depth H W C'."""
        bias = None if self.bias is None else self.bias.to(frames.dtype)
        first = frames.permute(0, 4, 1, 2, 3)
        out = self._conv_forward(first, self.weight.to(frames.dtype), bias)
        return out.permute(0, 2, 3, 4, 1).contiguous()


class ActiveConv(nn.Module):
    """Root-mean-square norm over channels, SiLU and a causal convolution, in one shared room."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.norm = nn.Parameter(torch.ones(width))
        self.conv = CausalConv(width, out, (3, 3, 3))

    def forward(self, x: Tensor, past: Past) -> Tensor:
        room = past.room(self.conv, x, self.conv.depth)
        now = room[:, self.conv.depth :]
        normed(x, self.norm, out=now)
        functional.silu(now, inplace=True)
        return self.conv.over(room, past)


def normed(x: Tensor, weight: Tensor, *, out: Tensor | None = None) -> Tensor:
    """x over its root mean square along the last axis, times a weight; zeros stay zeros.

    The root is taken in fp32 (Zhang and Sennrich, 1910.07467).
    """
    root = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
    root = root.clamp_min_(1e-12).mul_(x.shape[-1] ** -0.5)
    out = torch.div(x, root, out=torch.empty_like(x) if out is None else out)
    return out.mul_(weight.to(x.dtype))
