"""Wan's causal video autoencoders, 2.1 and 2.2, in one class: pixels to latents and back.

The first frame is a latent by itself, four frames are each of the others: F = 1 + 4(T - 1). All
that looks through time is causal (`streaming.py`), so a clip in pieces equals a clip whole.
2.1: 16 channels, 8x8 in space. 2.2: 48 channels, 16x16 in space, the first 2x2 of it by folding
pixels into channels, with shortcuts of plain averages and copies around every stage.

Shapes: B batch, F frames, T latents, H W pixels, h w latents' height and width, C channels.
Activations are B T H W C. Pixels are -1 to 1. For inference only.

Source: Wan, 2503.20314, section 4.1, and the public weights' own code.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from worldreel.models.attention import Linear, attend, in_tiles
from worldreel.models.presets import WanVaePreset
from worldreel.models.streaming import CACHED, ActiveConv, CausalConv, Past, normed

ABREAST = 4  # frames that go through the decoder's last stages together: one latent's


class PlaneConv(nn.Conv2d):
    """A convolution of each frame: B T H W C to B T H' W' C'. Computes in its input's type."""

    def __init__(self, width: int, out: int, *, stride: int = 1) -> None:
        super().__init__(width, out, 3, stride=stride, padding=1 if stride == 1 else 0)
        last = self.weight.data.contiguous(memory_format=torch.channels_last)
        self.weight = nn.Parameter(last)

    def forward(self, input: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(input.dtype)
        planes = input.flatten(0, 1).permute(0, 3, 1, 2)
        out = self._conv_forward(planes, self.weight.to(input.dtype), bias)
        return out.permute(0, 2, 3, 1).contiguous().unflatten(0, input.shape[:2])


class ResBlock(nn.Module):
    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.first = ActiveConv(width, out)
        self.second = ActiveConv(out, out)
        self.across = Linear(width, out) if width != out else None

    def forward(self, x: Tensor, past: Past) -> Tensor:
        h = self.first(x, past)
        room = self.second.activated(h, past)
        del h  # before there is another of its size
        h = self.second.conv.over(room, past)
        return h.add_(x if self.across is None else self.across(x))


class FrameAttention(nn.Module):
    """Every place of a frame attends to all places of the same frame, with one head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.Parameter(torch.ones(width))
        self.qkv = Linear(width, 3 * width)
        self.out = Linear(width, width)

    def forward(self, x: Tensor, past: Past) -> Tensor:
        tokens = rearrange(normed(x, self.norm), "b t h w c -> (b t) 1 (h w) c")
        q, k, v = self.qkv(tokens).chunk(3, dim=-1)
        return x + self.out(attend(q, k, v)).view(x.shape)


class Down(nn.Module):
    """Half the size in space and, if it has `time`, half the frames; the first passes by."""

    def __init__(self, width: int, *, time: bool) -> None:
        super().__init__()
        self.space = PlaneConv(width, width, stride=2)
        self.time = CausalConv(width, width, (3, 1, 1), stride=2) if time else None

    def forward(self, x: Tensor, past: Past) -> Tensor:
        x = self.space(functional.pad(x, (0, 0, 0, 1, 0, 1)))
        if self.time is None:
            return x
        if past.begun:
            return self.time(x, past)
        past.hold(self.time, x, self.time.depth)
        return x if x.shape[1] == 1 else torch.cat([x[:, :1], self.time.through(x)], dim=1)


class DoubledConv(PlaneConv):
    """A convolution of frames of twice the size, in which each pixel stands four times.

    Of nine weights four see the same pixel: sums of weights on frames as they are give the same,
    each place of 2x2 by 2x2 weights of its own (Shi et al., 1609.05158), with 4/9 of the products.
    """

    def forward(self, input: Tensor) -> Tensor:
        return self._enlarged(input) if in_tiles(input) else self._fewer(input)

    def _enlarged(self, input: Tensor) -> Tensor:
        """For processors on which products are cheap, and passes over frames are not."""
        b, t, h, w, _ = input.shape
        out = input.new_empty(b * t, 2 * h, 2 * w, self.out_channels)
        bias = None if self.bias is None else self.bias.to(input.dtype)
        planes, size = input.flatten(0, 1).permute(0, 3, 1, 2), max(1, CACHED // (4 * h * w))
        for start in range(0, b * t, size):
            wide = functional.interpolate(planes[start : start + size], scale_factor=2.0)
            done = self._conv_forward(wide, self.weight.to(input.dtype), bias)
            out[start : start + size] = done.permute(0, 2, 3, 1)
        return out.unflatten(0, (b, t))

    def _fewer(self, input: Tensor) -> Tensor:
        weight = _folded(_folded(self.weight.float(), 2), 4)  #   q p O I 2 2
        weight = weight.transpose(0, 1).flatten(0, 2).to(input.dtype)
        weight = weight.contiguous(memory_format=torch.channels_last)
        bias = None if self.bias is None else self.bias.to(input.dtype).repeat(4)
        b, t, h, w, _ = input.shape
        out = input.new_empty(b * t, h, 2, w, 2, self.out_channels)
        size = max(1, CACHED // (4 * h * w)) if input.device.type == "cpu" else b * t
        planes = input.flatten(0, 1).permute(0, 3, 1, 2)
        for start in range(0, b * t, size):
            part = slice(start, start + size)
            every = functional.conv2d(planes[part], weight, bias, padding=1).permute(0, 2, 3, 1)
            every = every.unflatten(-1, (2, 2, -1))  #             N h+1 w+1 p q O
            for p, q in product(range(2), range(2)):
                out[part, :, p, :, q] = every[:, p : p + h, q : q + w, p, q]
        return out.view(b, t, 2 * h, 2 * w, -1)


def _folded(weight: Tensor, axis: int) -> Tensor:
    """Three weights along an axis as two, for either of the two pixels that one becomes."""
    a, b, c = weight.unbind(axis)
    return torch.stack([torch.stack([a, b + c], axis), torch.stack([a + b, c], axis)])


class Up(nn.Module):
    """Twice the size in space and, if it has `time`, twice the frames; the first passes by."""

    def __init__(self, width: int, out: int, *, time: bool) -> None:
        super().__init__()
        self.time = CausalConv(width, 2 * width, (3, 1, 1)) if time else None
        self.space = DoubledConv(width, out)

    def forward(self, x: Tensor, past: Past) -> Tensor:
        lead = 0 if past.begun else 1
        if self.time is not None and x.shape[1] > lead:
            twice = self.time(x[:, lead:], past)
            twice = rearrange(twice, "b t h w (k c) -> b (t k) h w c", k=2)
            x = torch.cat([x[:, :1], twice], dim=1) if lead else twice
        return self.space(x)


def _averaged(x: Tensor, out: int, frames: int, side: int, *, first: bool) -> Tensor:
    """The encoder's shortcut: means over 'frames' and side x side places and groups of channels."""
    if first and frames > 1:  # a clip's first frame is alone in its group: zeros fill it up
        x = functional.pad(x, (0, 0, 0, 0, 0, 0, frames - 1, 0))
    x = rearrange(x, "b (t f) (h p) (w q) c -> b t h w (c f p q)", f=frames, p=side, q=side)
    return x.unflatten(-1, (out, -1)).mean(-1)


def _add_copies(x: Tensor, wide: Tensor, frames: int, *, first: bool) -> Tensor:
    """The decoder's shortcut: add copies of x's places and channels to what is wider by two."""
    step = x.shape[-1] // wide.shape[-1]  # channels of x for one of the wider
    each = 4 * frames // step  # copies of one channel of x
    for f, p, q in product(range(frames), range(2), range(2)):
        copy = x[..., (4 * f + 2 * p + q) // each :: step]
        start = f
        if first and frames > 1:  # of the first frame, the last copy alone is a frame
            start = f - (frames - 1)
            if start < 0:
                start, copy = start + frames, copy[:, 1:]
        wide[:, start::frames, p::2, q::2] += copy
    return wide


class Stage(nn.Module):
    """Blocks of one width, and a change of size after them."""

    def __init__(self, width: int, out: int, blocks: int, resample: Down | Up | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResBlock(out if i else width, out) for i in range(blocks))
        self.resample = resample

    def forward(self, x: Tensor, past: Past) -> Tensor:
        for block in self.blocks:
            x = block(x, past)
        return x if self.resample is None else self.resample(x, past)


class Encoder(nn.Module):
    """Pixels, folded by the patch, to means and log variances of latents: B T h w 2C."""

    def __init__(self, p: WanVaePreset) -> None:
        super().__init__()
        self.residual = p.residual
        widths = [p.encoder * m for m in (1, *p.widths)]
        halving = [*p.temporal, None]
        self.into = CausalConv(3 * p.patch**2, widths[0], (3, 3, 3))
        self.stages = nn.ModuleList(
            Stage(a, b, p.blocks, None if time is None else Down(b, time=time))
            for a, b, time in zip(widths, widths[1:], halving, strict=False)
        )
        self.middle = _middle(widths[-1])
        self.out = ActiveConv(widths[-1], 2 * p.channels)

    def forward(self, x: Tensor, past: Past) -> Tensor:
        x = self.into(x, past)
        for stage in self.stages:
            before, x = x, stage(x, past)
            if self.residual:
                side = before.shape[2] // x.shape[2]
                down = stage.resample
                frames = 2 if isinstance(down, Down) and down.time is not None else 1
                x += _averaged(before, x.shape[-1], frames, side, first=not past.begun)
        for layer in self.middle:
            x = layer(x, past)
        return self.out(x, past)


class Decoder(nn.Module):
    """Latents B T h w C to pixels, folded by the patch."""

    def __init__(self, p: WanVaePreset) -> None:
        super().__init__()
        self.residual = p.residual
        widths = [p.decoder * m for m in (p.widths[-1], *reversed(p.widths))]
        doubling = [*reversed(p.temporal), None]
        self.into = CausalConv(p.channels, widths[0], (3, 3, 3))
        self.middle = _middle(widths[0])
        stages, width = [], widths[0]
        for out, time in zip(widths[1:], doubling, strict=True):
            after = out if p.residual else out // 2
            up = None if time is None else Up(out, after, time=time)
            stages.append(Stage(width, out, p.blocks + 1, up))
            width = after
        self.stages = nn.ModuleList(stages)
        self.out = ActiveConv(widths[-1], 3 * p.patch**2)

    def forward(self, x: Tensor, past: Past) -> Tensor:
        x = self.into(x, past)
        for layer in self.middle:
            x = layer(x, past)
        for stage in self.stages[:-2]:
            x = self._through(cast(Stage, stage), x, past)
        # what comes near the full size is most of the memory: it is made some frames at a time
        last = cast(Stage, self.stages[-2]).resample
        abreast = ABREAST if isinstance(last, Up) and last.time is None else x.shape[1]
        lead = x.shape[1] % abreast
        parts = x.split([lead] * (lead > 0) + [abreast] * (x.shape[1] // abreast), dim=1)
        return torch.cat([self._last(part, past) for part in parts], dim=1)

    def _last(self, x: Tensor, past: Past) -> Tensor:
        for stage in self.stages[-2:]:
            x = self._through(cast(Stage, stage), x, past)
        return self.out(x, past)

    def _through(self, stage: Stage, x: Tensor, past: Past) -> Tensor:
        before, x = x, stage(x, past)
        up = stage.resample
        if self.residual and isinstance(up, Up):
            frames = 1 if up.time is None else 2
            x = _add_copies(before, x, frames, first=not past.begun)
        return x


def _middle(width: int) -> nn.ModuleList:
    return nn.ModuleList([ResBlock(width, width), FrameAttention(width), ResBlock(width, width)])


class WanVae(nn.Module):
    """See the module's docstring. Latents come out normalised; nobody else knows a scale.

    frames, stride: frames of a latent (but the first), pixels of a latent's side.
    """

    first_frame = True  # latent 0 is one frame: F = 1 + 4(T - 1)
    shift: Tensor
    spread: Tensor

    def __init__(self, preset: WanVaePreset, *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        p = self.preset = preset
        self.dtype = dtype
        self.frames, self.stride = p.frames, p.stride
        # on the CPU even where weights are described alone ("meta"): they are no weights
        self.register_buffer("shift", torch.tensor(p.mean, device="cpu"))
        self.register_buffer("spread", torch.tensor(p.deviation, device="cpu"))
        self.encoder = Encoder(p)
        self.moments = Linear(2 * p.channels, 2 * p.channels)
        self.latents = Linear(p.channels, p.channels)
        self.decoder = Decoder(p)

    @property
    def stats(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation per channel that latents had before they were normalised: C each."""
        return self.shift, self.spread

    @property
    def reach(self) -> int:
        """Latents' worth of frames that one latent touches: its own and those after it."""
        p, wide = self.preset, 1 + 2 + 2 * 4  # into, and the two blocks of the middle
        for time in (*reversed(p.temporal), False):
            wide += 4 * (p.blocks + 1)
            wide = 2 * (wide + 2) if time else wide
        return -(-(wide + 2) // self.frames)

    @torch.no_grad()
    def encode(self, video: Tensor, *, chunk: int = 2, past: Past | None = None) -> Tensor:
        """Pixels B 3 F H W to normalised latents B C T h w, fp32: the most likely, not drawn.

        chunk: latents that are encoded together, which bounds the memory. past: the clip goes on
        from another, whose `Past` was given to this method too; then F = 4T.
        """
        past = Past() if past is None else past
        _, _, f, h, w = video.shape
        alone = 0 if past.begun else 1
        if f < 1 or (f - alone) % self.frames or h % self.stride or w % self.stride:
            raise ValueError(
                f"{f} frames of {h}x{w}: frames must be {alone} more than a multiple of "
                f"{self.frames}, sides multiples of {self.stride}"
            )
        parts, start = [], 0
        while start < f:
            lead = 0 if past.begun else 1
            stop = min(f, start + lead + self.frames * (chunk - lead))
            piece = rearrange(
                video[:, :, start:stop].to(self.dtype),
                "b c f (h q) (w r) -> b f h w (c r q)",
                q=self.preset.patch,
                r=self.preset.patch,
            )
            mean, _ = self.moments(self.encoder(piece, past)).chunk(2, dim=-1)
            parts.append(mean.float())
            past.begun, start = True, stop
        z = (torch.cat(parts, dim=1) - self.shift) / self.spread
        return rearrange(z, "b t h w c -> b c t h w")

    def decode(self, latents: Tensor, *, chunk: int = 2, past: Past | None = None) -> Tensor:
        """Normalised latents B C T h w to pixels B 3 F H W, fp32, clamped as Wan does."""
        b, _, t, h, w = latents.shape
        f = self.frames * t - (0 if past is not None and past.begun else self.frames - 1)
        video = latents.new_empty((b, 3, f, self.stride * h, self.stride * w), dtype=torch.float32)
        done = 0
        for part in self.stream(latents, chunk=chunk, past=past):
            video[:, :, done : done + part.shape[2]] = part
            done += part.shape[2]
        return video

    def stream(
        self,
        latents: Tensor,
        *,
        chunk: int = 2,
        past: Past | None = None,
        uint8: bool = False,
    ) -> Iterator[Tensor]:
        """Decode a few latents at a time, in bounded memory: the same pixels as `decode`.

        past: what this stream has seen; with the one of an earlier call it goes on from there.
        uint8: pictures B f H W 3 in bytes instead of pixels B 3 f H W in fp32.
        """
        past = Past() if past is None else past
        for start in range(0, latents.shape[2], chunk):
            yield self._piece(latents[:, :, start : start + chunk], past, uint8)

    @torch.no_grad()
    def _piece(self, latents: Tensor, past: Past, uint8: bool) -> Tensor:
        z = rearrange(latents.float(), "b c t h w -> b t h w c") * self.spread + self.shift
        folded = self.decoder(self.latents(z.to(self.dtype)), past)
        past.begun = True
        p = self.preset.patch
        pixels = rearrange(folded, "b f h w (c r q) -> b f (h q) (w r) c", q=p, r=p).float()
        pixels = pixels.clamp_(-1, 1)
        if uint8:
            return pixels.mul_(127.5).add_(127.5).round_().to(torch.uint8)
        return rearrange(pixels, "b f h w c -> b c f h w")
