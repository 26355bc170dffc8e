"""marble's compressor: pixels to latents and back, 16x16 in space and 4 in time.

A closed-form PCA of patches is the skip path; learned nets beside it start from zero. Every
convolution stays within a latent's four frames (they are folded into the channels); one causal
2x1x1 at latent rate in the decoder links what is drawn of a latent to the one before it. Where two
latents meet, what little they disagree in is faded out over the later one's frames (`joined`). So
a latent reaches its own four frames and the next eight, by construction.

Shapes: B batch, F frames, T = F/4 latents, H W pixels, C latent channels. Pixels are -1 to 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from worldreel.models.presets import CompressorPreset

FRAMES = 4  # per latent
# What two latents disagree in, of a scale of 2, is faded out below the first of these, and left as
# it is above twice that: a thing's edge that moved. Chosen on reconstructions and on marble's clips
# (docs/decisions/0005-latents-are-joined.md).
_SLIGHT = 0.1
_FADES = (0.6, 0.4, 0.2, 0.0)  # of it, taken from each frame of the later latent
STRIDE = 16  # pixels per latent, both ways
_PATCH = 3 * FRAMES * STRIDE * STRIDE


class Conv(nn.Conv2d):
    """A convolution that computes in its input's dtype, whatever its weights are stored in."""

    def forward(self, input: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(input.dtype)
        return self._conv_forward(input, self.weight.to(input.dtype), bias)


def _from_zero(conv: Conv) -> Conv:
    """A convolution that starts by adding nothing."""
    for p in conv.parameters():
        nn.init.zeros_(p)
    return conv


class ResBlock(nn.Module):
    """Two 3x3 convolutions beside a skip; the second starts at zero. No norms: none are needed
    beside a skip path that is already right, and they would tie a frame to its whole picture."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Conv(width, width, 3, padding=1)
        self.second = _from_zero(Conv(width, width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(functional.silu(x))
        return x + self.second(functional.silu(h))


class Encoder(nn.Module):
    def __init__(self, p: CompressorPreset) -> None:
        super().__init__()
        self.into = Conv(3 * FRAMES * 16, p.fine, 3, padding=1)
        self.fine = nn.Sequential(*(ResBlock(p.fine) for _ in range(p.encoder_blocks[0])))
        self.down = Conv(p.fine * 16, p.coarse, 1)
        self.coarse = nn.Sequential(*(ResBlock(p.coarse) for _ in range(p.encoder_blocks[1])))
        self.out = _from_zero(Conv(p.coarse, p.channels, 1))

    def forward(self, x: Tensor) -> Tensor:  #                     BT 12 H W
        x = self.fine(self.into(functional.pixel_unshuffle(x, 4)))  #    BT w H/4 W/4
        x = self.coarse(self.down(functional.pixel_unshuffle(x, 4)))  #  BT w H/16 W/16
        return self.out(x)


class Decoder(nn.Module):
    def __init__(self, p: CompressorPreset) -> None:
        super().__init__()
        self.here = Conv(p.channels, p.coarse, 1)
        self.before = Conv(p.channels, p.coarse, 1, bias=False)  # the causal link
        self.coarse = nn.Sequential(*(ResBlock(p.coarse) for _ in range(p.decoder_blocks[0])))
        self.up = Conv(p.coarse, p.fine * 16, 1)
        self.fine = nn.Sequential(*(ResBlock(p.fine) for _ in range(p.decoder_blocks[1])))
        self.out = _from_zero(Conv(p.fine, 3 * FRAMES * 16, 3, padding=1))
        self.flow = _from_zero(Conv(p.fine, 2 * FRAMES, 3, padding=1)) if p.moves else None

    def forward(self, z: Tensor, past: Tensor) -> tuple[Tensor, Tensor | None]:
        """Two of BT C H/16 W/16 to pixels BT 12 H W, and where they come from, in cells of four
        pixels right and down: BT 8 H/4 W/4, each frame's own two together."""
        x = self.coarse(self.here(z) + self.before(past))
        x = self.fine(functional.pixel_shuffle(self.up(x), 4))  #  BT w H/4 W/4
        flow = None if self.flow is None else self.flow(x)
        return functional.pixel_shuffle(self.out(x), 4), flow


def moved(video: Tensor, flow: Tensor) -> Tensor:
    """Frames N 3 H W, each pixel taken from where the flow says (N 2 H/4 W/4: right and down, in
    cells of four pixels)."""
    n, _, h, w = video.shape
    across, down = functional.interpolate(flow, (h, w), mode="bilinear").unbind(1)
    x = (torch.arange(w, device=video.device) + 0.5 + 4 * across) * (2 / w) - 1
    y = (torch.arange(h, device=video.device)[:, None] + 0.5 + 4 * down) * (2 / h) - 1
    where = torch.stack([x, y], dim=-1)  #                          N H W 2
    return functional.grid_sample(video, where, padding_mode="border", align_corners=False)


def joined(x: Tensor, last: Tensor | None) -> Tensor:
    """Drawn frames B 3 4T H W with latents that meet: a jump that is no motion is faded out.

    Frames of a latent are drawn together, and two latents never quite agree: still ground jumps
    every four frames. From one frame to the next should happen, where latents meet, what happens
    just before and just after; what is more, and slight, the later frames lose again bit by bit.
    Video codecs do so in space, where blocks meet (List et al., 2003, 10.1109/TCSVT.2003.815175).
    last: the two frames before, as drawn; None: nothing is before the first.
    """
    frames = x.unflatten(2, (-1, FRAMES))  #                         B 3 T 4 H W
    ends = frames[:, :, :-1, -2:]
    if last is None:
        if frames.shape[2] == 1:
            return x
        first, frames = frames[:, :, :1], frames[:, :, 1:]
    else:
        first, ends = frames[:, :, :0], torch.cat([last[:, :, None], ends], dim=2)
    before, after = ends.unbind(3), frames[:, :, :, :2].unbind(3)  # twice B 3 T H W each
    jump = after[0] - before[1]
    jump = jump - (before[1] - before[0] + after[1] - after[0]) / 2
    jump = jump * (2 - jump.abs().amax(1, keepdim=True) / _SLIGHT).clamp(0, 1)
    fades = torch.tensor(_FADES, dtype=x.dtype, device=x.device)[:, None, None]
    return torch.cat([first, frames - fades * jump[:, :, :, None]], dim=2).flatten(2, 3)


class Compressor(nn.Module):
    """See the module's docstring.

    `basis`, `mean`, `scale`: the PCA and its deviations; `shift`, `spread`: what latents had per
    channel before they were normalised. Latents come out normalised; nobody else knows a scale.
    """

    basis: Tensor
    mean: Tensor
    scale: Tensor
    shift: Tensor
    spread: Tensor
    reach = 3  # latents' worth of frames that one latent touches: its own and the next two
    first_frame = False  # latent 0 is like any other: F = 4T
    frames, stride = FRAMES, STRIDE

    def __init__(self, preset: CompressorPreset, *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.preset = preset
        self.dtype = dtype
        c = preset.channels
        self.register_buffer("basis", torch.zeros(c, _PATCH))
        self.register_buffer("mean", torch.zeros(_PATCH))
        self.register_buffer("scale", torch.ones(c))
        self.register_buffer("shift", torch.zeros(c))
        self.register_buffer("spread", torch.ones(c))
        self.encoder = Encoder(preset)
        self.decoder = Decoder(preset)

    @property
    def stats(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation per channel that latents had before they were normalised: C each."""
        return self.shift, self.spread

    @torch.no_grad()
    def fit(self, video: Tensor, weight: Tensor | None = None) -> Compressor:
        """The skip path in closed form: PCA of 4x16x16 patches of B 3 F H W pixels.

        weight: how much pixels count, B 1 F H W; a patch counts as its pixels do on average. Most
        patches of most videos stand: without it few directions are left for what moves.
        """
        split = "b c (t f) (h p) (w q) -> (b t h w) (c f p q)"
        sides = {"f": FRAMES, "p": STRIDE, "q": STRIDE}
        patches = rearrange(video, split, **sides).double()
        count = torch.ones(len(patches), 1, dtype=torch.double, device=patches.device)
        if weight is not None:
            count = rearrange(weight, split, **sides).double().mean(1, keepdim=True)
        count = count / count.mean()
        mean = (patches * count).mean(0)
        self.mean.copy_(mean)
        centred = patches - mean
        values, vectors = torch.linalg.eigh((centred * count).T @ centred / len(centred))
        order = values.argsort(descending=True)[: self.preset.channels]
        basis = vectors[:, order].T
        values = (centred @ basis.T).square().mean(0)  # latents are of deviation 1, unweighted
        # the sign of an eigenvector is free: fix it, so that the same data gives the same weights
        basis *= basis.gather(1, basis.abs().argmax(1, keepdim=True)).sign()
        self.basis.copy_(basis)
        self.scale.copy_(values.clamp_min(1e-8).sqrt())
        return self

    def encode(self, video: Tensor) -> Tensor:
        """Pixels B 3 F H W to normalised latents B C F/4 H/16 W/16."""
        b, _, f, h, w = video.shape
        if f % FRAMES or h % STRIDE or w % STRIDE or not f:
            raise ValueError(
                f"{f} frames of {h}x{w}: frames must be a multiple of {FRAMES}, sides of {STRIDE}"
            )
        folded = rearrange(video, "b c (t f) h w -> (b t) (c f) h w", f=FRAMES)
        patches = rearrange(folded, "n k (h p) (w q) -> n h w (k p q)", p=STRIDE, q=STRIDE).float()
        z = (patches - self.mean) @ self.basis.T / self.scale
        x = folded.to(self.dtype).contiguous(memory_format=torch.channels_last)
        z = rearrange(z, "n h w c -> n c h w") + self.encoder(x).float()
        z = (z - self.shift[:, None, None]) / self.spread[:, None, None]
        return rearrange(z, "(b t) c h w -> b c t h w", b=b)

    def decode(self, latents: Tensor, *, past: Tensor | None = None, ring: bool = False) -> Tensor:
        """Normalised latents B C T h w to pixels B 3 4T H W, not clamped.

        past: the one or two latents before the first (B C 1|2 h w); the first of all stands for its
        own past. On a ring the last are before the first.
        """
        parts = self.stream(latents, chunk=latents.shape[2], past=past, ring=ring)
        return torch.cat(list(parts), dim=2)

    def stream(
        self,
        latents: Tensor,
        *,
        chunk: int = 3,
        past: Tensor | None = None,
        ring: bool = False,
    ) -> Iterator[Tensor]:
        """Decode a few latents at a time: the same pixels as `decode`, in bounded memory."""
        past = latents[:, :, -2:] if ring else past
        last = None
        if past is not None:
            # as many at once as later: sums over a smaller batch may round otherwise
            times = min(chunk, latents.shape[2])
            old, own = (x.expand(-1, -1, times, -1, -1) for x in (past[:, :, :1], past[:, :, -1:]))
            last = self._drawn(own, old)[:, :, FRAMES - 2 : FRAMES]
        previous = latents[:, :, :1] if past is None else past[:, :, -1:]
        for start in range(0, latents.shape[2], chunk):
            part = latents[:, :, start : start + chunk]
            x = self._drawn(part, torch.cat([previous.to(part.dtype), part[:, :, :-1]], dim=2))
            previous, last, x = part[:, :, -1:], x[:, :, -2:].clone(), joined(x, last)
            yield x

    def _drawn(self, latents: Tensor, before: Tensor) -> Tensor:
        """Latents B C T h w, each after the one before it, as frames that are not joined yet."""
        b = latents.shape[0]
        z, old = (
            rearrange(x.float(), "b c t h w -> (b t) c h w") * self.spread[:, None, None]
            + self.shift[:, None, None]
            for x in (latents, before)
        )
        patches = (rearrange(z, "n c h w -> n h w c") * self.scale) @ self.basis + self.mean
        skip = rearrange(
            patches, "n h w (k p q) -> n k (h p) (w q)", k=3 * FRAMES, p=STRIDE, q=STRIDE
        )
        fast = torch.channels_last
        z = z.to(self.dtype).contiguous(memory_format=fast)
        old = old.to(self.dtype).contiguous(memory_format=fast)
        drawn, flow = self.decoder(z, old)
        x = rearrange(skip + drawn.float(), "n (c f) h w -> (n f) c h w", f=FRAMES)
        if flow is not None:
            x = moved(x, rearrange(flow.float(), "n (f c) h w -> (n f) c h w", f=FRAMES))
        return rearrange(x, "(b t f) c h w -> b c (t f) h w", b=b, f=FRAMES)

    def flops_per_pixel(self) -> float:
        """Floating-point operations to decode one pixel of one frame (2 per multiply-add)."""
        p = self.preset
        ends = 192 + 2 * FRAMES * p.moves
        fine = 16 * (18 * p.fine**2 * p.decoder_blocks[1] + 9 * p.fine * ends)
        coarse = 18 * p.coarse**2 * p.decoder_blocks[0] + p.coarse * (2 * p.channels + 16 * p.fine)
        return 2 * (fine + coarse + p.channels * _PATCH) / (FRAMES * STRIDE * STRIDE)
