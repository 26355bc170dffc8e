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

from worldreel.models.attention import in_tiles

_PAIRED = 2048  # places of all frames: below, sums of weights cost more than products saved
CACHED = 1 << 14  # places of a frame that are worked on together
_NORMED = 1 << 12  # and that are normed together


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
        fresh = not past.knows(self)
        past.hold(self, room, self.depth)
        few = room.shape[1] < 4 or room.shape[2] * room.shape[3] * (room.shape[1] - 2) < _PAIRED
        if few or room.device.type != "cpu" or self.kernel_size != (3, 3, 3) or in_tiles(room):
            return self.through(room)
        return self._in_pairs(room, fresh)

    def through(self, frames: Tensor) -> Tensor:
        """Convolve frames as they are, past included: B T H W C to B T-depth H W C'."""
        bias = None if self.bias is None else self.bias.to(frames.dtype)
        first = frames.permute(0, 4, 1, 2, 3)
        out = self._conv_forward(first, self.weight.to(frames.dtype), bias)
        return out.permute(0, 2, 3, 4, 1).contiguous()

    def _in_pairs(self, frames: Tensor, fresh: bool) -> Tensor:
        """`through`, 3x3x3, with two thirds of the products: four convolutions of planes give two
        frames (Winograd's F(2,3) in time; Lavin and Gray, 1509.09308).

        An odd frame goes first by itself; a clip's first one (fresh) has nothing before it. Some
        pairs at a time, so that what is between stays in the cache.
        """
        b, t, h, w, _ = frames.shape
        odd, pairs = t % 2, (t - 2) // 2
        taps = self.weight.to(frames.dtype).unbind(2)  #                      3 of C' C 3 3
        bias = None if self.bias is None else self.bias.to(frames.dtype)
        out = frames.new_empty(b, t - 2, h, w, self.out_channels)
        if odd and fresh:
            out[:, 0] = _planes(frames[:, 2], taps[2], bias)
        elif odd:
            out[:, :1] = self.through(frames[:, :3])
        # sums of weights in fp32, rounded once
        ends, middle = taps[0].float() + taps[2], taps[1].float()
        summed, opposed = (x.mul_(0.5).to(taps[0].dtype) for x in (ends + middle, ends - middle))
        even, other = frames[:, odd::2], frames[:, odd + 1 :: 2]  #           b pairs+1 h w c
        first, second = out[:, odd::2], out[:, odd + 1 :: 2]
        size = max(1, CACHED // (b * h * w))
        for start in range(0, pairs, size):
            part, after = slice(start, start + size), slice(start + 1, start + size + 1)
            d0, d1 = even[:, part][:, : pairs - start], other[:, part][:, : pairs - start]
            d2, d3 = even[:, after], other[:, after]
            y0, y1 = first[:, part], second[:, part]
            m = _planes(d1 + d2, summed, bias)
            n = _planes(d2 - d1, opposed)
            torch.add(m, n, out=y0)
            torch.sub(m, n, out=y1)
            del m, n
            y0 += _planes(d0 - d2, taps[0])
            y1 -= _planes(d1 - d3, taps[2])
        return out


def _planes(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A 3x3 convolution of every plane of ... H W C by C' C 3 3."""
    planes = x.reshape(-1, *x.shape[-3:]).permute(0, 3, 1, 2)
    out = functional.conv2d(planes, weight, bias, padding=1)
    return out.permute(0, 2, 3, 1).reshape(*x.shape[:-1], -1)


class ActiveConv(nn.Module):
    """Root-mean-square norm over channels, SiLU and a causal convolution, in one shared room."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.norm = nn.Parameter(torch.ones(width))
        self.conv = CausalConv(width, out, (3, 3, 3))

    def forward(self, x: Tensor, past: Past) -> Tensor:
        return self.conv.over(self.activated(x, past), past)

    def activated(self, x: Tensor, past: Past) -> Tensor:
        """What the convolution goes over, in its room: x is not needed any more."""
        room = past.room(self.conv, x, self.conv.depth)
        now = room[:, self.conv.depth :]
        normed(x, self.norm, out=now, silu=True)
        return room


def normed(x: Tensor, weight: Tensor, *, out: Tensor | None = None, silu: bool = False) -> Tensor:
    """x, B T H W C, over its root mean square along the last axis, times a weight; zeros stay.

    silu: the SiLU of that. In fp32, rounded once (Zhang and Sennrich, 1910.07467); on a CPU some
    places at a time, so that what is between stays in the cache.
    """
    out = torch.empty_like(x) if out is None else out
    weight = weight.float()
    few = _NORMED if x.device.type == "cpu" else x[0].numel()
    for clip, made in zip(x, out, strict=True):
        places = clip.flatten(0, 2).split(few), made.view(-1, x.shape[-1]).split(few)
        for part, into in zip(*places, strict=True):
            y = part.float()
            root = torch.linalg.vector_norm(y, dim=-1, keepdim=True)
            root = root.clamp_min_(1e-12).mul_(x.shape[-1] ** -0.5)
            y = (y / root if y is part else y.div_(root)).mul_(weight)
            into.copy_(functional.silu(y, inplace=True) if silu else y)
    return out
