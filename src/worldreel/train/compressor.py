"""Train marble's compressor: PCA in closed form, then learned nets beside it.

Losses need no pretrained network: Charbonnier on pixels, the same on gradients at two scales, more
weight on subjects (the renderer knows where they are), the same on what changes from frame to frame
(most where one latent ends and the next begins, or each latent's four frames jump to the next), a
little KL with a fixed deviation, and scale equivariance (a latent shrunk by two decodes to the
picture shrunk by two), which keeps latents smooth enough to diffuse (Kouzelis and others,
2502.09509).
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Generator, Tensor
from torch.nn import functional

from worldreel import checkpoint, parallel
from worldreel.data import clip as clips
from worldreel.errors import MediaError, TrainingError
from worldreel.models.compressor import FRAMES, STRIDE, Compressor
from worldreel.models.presets import CompressorPreset
from worldreel.parallel import Ranks
from worldreel.train import recipe, run
from worldreel.train.log import Log, plot
from worldreel.train.optim import Ema, clip_grad_norm, optimizer, wsd


@dataclass(frozen=True, kw_only=True)
class Config:
    """data: folders of raw clips (`data.synth`); crop: latents high and wide; long: in time.

    start: a compressor of the same preset to begin from, instead of the closed form.
    borders: how much more a change between two latents weighs than one inside a latent.
    settled: what encodes stays as it is, so that latents that exist stay true: the decoder learns.
    overshoot: latents are made larger by so much at most, in half of the crops, as guidance does.
    focus: the share of crops that are laid where a subject moves, or is.
    """

    preset: CompressorPreset
    data: tuple[str, ...]
    start: str = ""
    steps: int = 3000
    batch: int = 24  # crops, over all ranks
    crop: tuple[int, int] = (5, 5)
    long: int = 2
    focus: float = 0.0
    lr: float = 2e-3
    adam_lr: float = 1e-3
    subject: float = 4.0  # weight of subjects' pixels
    swept: float = 0.0  # the same of what a subject crosses within a latent, on top
    square: float = 0.0  # weight of squared errors, which a thing that is lost is full of
    gradients: float = 0.5
    changes: float = 0.0
    borders: float = 4.0
    kl: float = 1e-4
    noise: float = 0.05  # deviation added to latents before decoding
    overshoot: float = 0.0
    settled: bool = False
    equivariance: float = 0.25  # share of the steps
    ema: float = 0.998
    decay_share: float = 0.3
    bf16: bool = True
    seed: int = 0
    save_every: float = 120.0  # seconds


class Crops:
    """Random crops of a few latents' time from raw clips that lie in memory."""

    def __init__(
        self, folders: tuple[str, ...], crop: tuple[int, int], long: int = 2, focus: float = 0.0
    ) -> None:
        self.crop, self.focus = crop, focus
        self.frames = long * FRAMES
        self.videos: list[np.ndarray] = []
        self.ids: list[np.ndarray] = []
        for folder in folders:
            for frames, ids in clips.raw(folder):
                self.videos.append(frames)
                self.ids.append(ids)
        height, width = (STRIDE * c for c in crop)
        for f, h, w, _ in {video.shape for video in self.videos} or {(0, 0, 0, 0)}:
            if h < height or w < width or 1 < f < self.frames:
                raise MediaError(
                    f"{', '.join(folders)}: {f} frames of {w}x{h}, where crops take {self.frames} "
                    f"(or a still) of {width}x{height}: render larger clips, or set a smaller crop"
                )

    def draw(
        self, n: int, generator: Generator, mine: slice = slice(None)
    ) -> tuple[Tensor, Tensor]:
        """Pixels n 3 F H W in [-1, 1] and where subjects are, n 1 F H W; `mine`: some of them."""
        height, width = (STRIDE * c for c in self.crop)
        frames = self.frames
        picks = torch.randint(len(self.videos), (n,), generator=generator).tolist()[mine]
        spots = torch.rand(n, 4, generator=generator).tolist()[mine]
        aims = torch.rand(n, 4, generator=generator).tolist()[mine] if self.focus else None
        n = len(picks)
        video = np.empty((n, frames, height, width, 3), dtype=np.uint8)
        ids = np.empty((n, frames, height, width), dtype=np.uint8)
        for i, (pick, (a, b, c, flip)) in enumerate(zip(picks, spots, strict=True)):
            v, m = self.videos[pick], self.ids[pick]
            if len(v) == 1:  # a picture is four equal frames, and the clip rests there
                v, m = np.repeat(v, frames, 0), np.repeat(m, frames, 0)
            f = int(a * (len(v) - frames + 1))
            y = int(b * (v.shape[1] - height + 1))
            x = int(c * (v.shape[2] - width + 1))
            if aims is not None and aims[i][0] < self.focus:
                y, x = _aimed(m[f : f + frames], (y, x), (height, width), aims[i][1:])
            box = np.s_[f : f + frames, y : y + height, x : x + width]
            part, mask = v[box], m[box]
            if flip < 0.5:
                part, mask = part[:, :, ::-1], mask[:, :, ::-1]
            if flip > 0.9:  # a frame held for four, as pictures on the canvas are
                part = np.repeat(part[:1], frames, 0)
                mask = np.repeat(mask[:1], frames, 0)
            video[i], ids[i] = part, mask
        pixels = rearrange(torch.from_numpy(video), "n f h w c -> n c f h w").float() / 127.5 - 1
        subject = (torch.from_numpy(ids) > 0)[:, None].float()
        return pixels, subject


def _aimed(
    ids: np.ndarray, spot: tuple[int, int], size: tuple[int, int], luck: Sequence[float]
) -> tuple[int, int]:
    """Where a crop begins that holds a pixel which subjects (ids, F H W) come to or leave, or else
    one of theirs, anywhere in it; the spot itself where there are none."""
    first, middle, last = ids[0], ids[len(ids) // 2], ids[-1]
    where = np.flatnonzero((first != middle) | (middle != last))
    if not len(where):
        where = np.flatnonzero(middle)
    if not len(where):
        return spot
    pixel = divmod(int(where[int(luck[0] * len(where))]), ids.shape[2])
    begin = (
        min(max(at - int(u * side), 0), whole - side)
        for at, u, side, whole in zip(pixel, luck[1:], size, ids.shape[1:], strict=True)
    )
    y, x = begin
    return y, x


def charbonnier(x: Tensor) -> Tensor:
    return (x.square() + 1e-4).sqrt()


def emphasis(subject: Tensor, c: Config, ranks: Ranks) -> Tensor:
    """The weights of pixels, B 1 F H W, of mean 1 over the batch of all ranks."""
    weight = 1 + (c.subject - 1) * subject
    if c.swept:
        held = rearrange(subject, "b c (t f) h w -> b c t f h w", f=FRAMES)
        crossed = held.amax(3, keepdim=True) - held.amin(3, keepdim=True)
        weight = weight + c.swept * crossed.expand_as(held).flatten(2, 3)
    mean = weight.mean()
    ranks.average([mean])
    return weight / mean


def error(out: Tensor, video: Tensor, weight: Tensor, c: Config) -> Tensor:
    """Pixels, gradients at two scales and changes, weighted: B 3 F H W twice, B 1 F H W."""
    total = (charbonnier(out - video) * weight).mean()
    if c.square:
        total = total + c.square * ((out - video).square() * weight).mean()
    if c.changes:
        # Squared: where a thing may have gone is unsure at first, and by absolute errors a decoder
        # that is unsure had best show four equal frames.
        gap = (out.diff(dim=2) - video.diff(dim=2)).square() * weight[:, :, 1:]
        between = torch.ones(gap.shape[2], device=gap.device)
        between[FRAMES - 1 :: FRAMES] = c.borders
        total = total + c.changes * (gap * (between / between.mean())[:, None, None]).mean()
    for scale in (1, 2):
        a, b, m = (
            functional.avg_pool2d(t.flatten(0, 1), scale) if scale > 1 else t.flatten(0, 1)
            for t in (out, video, weight.expand_as(video))
        )
        for axis in (-1, -2):
            gap = charbonnier(a.diff(dim=axis) - b.diff(dim=axis))
            total = total + c.gradients * (gap * m.narrow(axis, 1, gap.shape[axis])).mean()
    return total


def psnr(model: Compressor, video: Tensor, subject: Tensor) -> dict[str, float]:
    """PSNR in dB over all pixels and over subjects' pixels of B 3 F H W."""
    with torch.no_grad():
        out = model.decode(model.encode(video)).clamp(-1, 1)
    square = ((out - video) / 2).square()
    hit = subject.expand_as(square) > 0
    measures = {"psnr": square.mean()}
    if hit.any():
        measures["psnr_subject"] = square[hit].mean()
    return {name: float(-10 * error.log10()) for name, error in measures.items()}


def loss(model: Compressor, data: Crops, c: Config, step: int, ranks: Ranks) -> Tensor:
    """The loss of a step on this rank's share of its crops; all luck is of the seed and step."""
    generator = Generator().manual_seed(c.seed * 1_000_003 + step)
    mine = ranks.share_of(c.batch)
    drawn = data.draw(c.batch, generator, mine)
    video, subject = (t.to(ranks.device) for t in drawn)
    equivariant = bool(torch.rand((), generator=generator) < c.equivariance)
    mean = z = model.encode(video)
    noise = torch.randn((c.batch, *z.shape[1:]), generator=generator)[mine]
    z = z + c.noise * noise.to(z)
    if c.overshoot:
        luck = torch.rand((c.batch, 1, 1, 1, 1), generator=generator)[mine]
        z = z * (1 + c.overshoot * (2 * luck - 1).clamp_min(0)).to(z)
    target = video
    if equivariant:
        high, wide = (n // 2 * 2 for n in z.shape[-2:])
        z = functional.avg_pool3d(z[..., :high, :wide], (1, 2, 2))
        high, wide = STRIDE * high, STRIDE * wide
        target = functional.avg_pool3d(video[..., :high, :wide], (1, 2, 2))
        subject = functional.avg_pool3d(subject[..., :high, :wide], (1, 2, 2))
    result = model.decode(z)
    weight = emphasis(subject, c, ranks)
    return error(result, target, weight, c) + c.kl * 0.5 * mean.square().mean()


def main(
    name: str,
    *,
    out: str | Path,
    resume: bool = True,
    minutes: float | None = None,
    overrides: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Train a recipe's compressor into `out`/final; returns the last measures."""
    c: Config = recipe.load(name, "compressor", overrides)
    if c.settled and not c.start:
        raise TrainingError(f"{name}: a settled compressor needs a start, which is what stays")
    with parallel.start() as ranks, run.claimed(Path(out), ranks):
        step, measures = _train(name, c, Path(out), resume, minutes, ranks)
    return {"step": step, "of": c.steps, **measures, "out": str(out)}


def _train(
    name: str, c: Config, out: Path, resume: bool, minutes: float | None, ranks: Ranks
) -> tuple[int, dict[str, float]]:
    data = Crops(c.data, c.crop, c.long, c.focus)
    torch.manual_seed(c.seed)  # torch's default initialisation of convolutions
    model = Compressor(c.preset, dtype=torch.bfloat16 if c.bf16 else torch.float32)
    model.to(ranks.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    held = run.resume(out, kind="compressor-run", ranks=ranks, fresh=not resume)
    if held is None and c.start:
        earlier = checkpoint.load(c.start, kind="compressor").tensors
        measured = () if c.settled else ("shift", "spread")  # at the end
        plain = {name: getattr(model, name) for name in measured}
        checkpoint.apply(model, earlier | plain)
    elif held is None:
        video, subject = data.draw(768, Generator().manual_seed(c.seed + 1))
        model.fit(video, emphasis(subject, c, Ranks()) if c.swept else None)
    model.encoder.requires_grad_(not c.settled)
    if held is None:
        ranks.share(model.state_dict().values())
    opt = optimizer(model, lr=c.lr, adam_lr=c.adam_lr, hidden=_hidden)
    ema = Ema(model, c.ema)
    step = 0
    if held is not None:
        checkpoint.apply(model, held.tensors)
        opt.load_state_dict(held.extra["optimizer"])
        ema.load_state_dict(held.extra["ema"])
        step = held.extra["step"]
    kept = run.kept(c, held, ranks)
    if step >= c.steps and ranks.first:
        print(f"{out} has done all its {c.steps} steps", file=sys.stderr)
    saved = time.monotonic()
    measures: dict[str, float] = {}
    stop = False
    logged = Log(out, total=c.steps, step=step) if ranks.first else nullcontext()
    with run.allowed(minutes, ranks) as late, logged as log:
        while step < c.steps and not stop:
            value = loss(model, data, c, step, ranks)
            opt.zero_grad()
            value.backward()
            ranks.average(p.grad for p in model.parameters() if p.grad is not None)
            norm = clip_grad_norm(model, 1.0)
            opt.step(wsd(step, warmup=50, total=c.steps, decay_share=c.decay_share, floor=0.02))
            ema.update()
            step += 1
            stop = late()
            last = stop or step == c.steps
            if step % 20 == 0 or last:
                told = value.detach().clone()
                ranks.average([told])
                if log is not None:
                    log.write(step, loss=told.item(), norm=norm)
            if log is not None and (last or time.monotonic() - saved > c.save_every):
                extra = {"optimizer": opt.state_dict(), "ema": ema.state_dict()}
                extra |= {"step": step, "told": kept}
                config = dataclasses.asdict(c.preset)
                checkpoint.save_rolling(
                    out, step, kind="compressor-run", config=config, tensors=model.state_dict(),
                    extra=extra,
                )  # fmt: skip
                measures = _final(out, name, c, model, ema, data, step, log, ranks, kept)
                saved = time.monotonic()
        if log is not None and run.stale(out, kind="compressor", step=step):
            measures = _final(out, name, c, model, ema, data, step, log, ranks, kept)
    return step, measures


def _final(
    out: Path, name: str, c: Config, model: Compressor, ema: Ema, data: Crops, step: int, log: Log,
    ranks: Ranks, kept: Mapping[str, Any],
) -> dict[str, float]:  # fmt: skip
    """Write the average with what its latents have per channel; its measures."""
    judge = data.draw(48, Generator().manual_seed(c.seed + 999_983))
    count = 256 if step == c.steps else 64  # a glance is enough for what is trained further
    with ema.swapped():
        measures = psnr(model, *(t.to(ranks.device) for t in judge))
        told = run.provenance(
            name, log, ranks, steps=step, clips=step * c.batch, flops=step * flops(c), seed=c.seed,
            changed=kept["changed"], **measures,
        )  # fmt: skip
        measured = {} if c.settled else statistics(model, data, c.seed, count)
        checkpoint.save(
            out / "final", kind="compressor", config=dataclasses.asdict(c.preset), storage="fp16",
            tensors=model.state_dict() | measured, provenance=told,
        )  # fmt: skip
    log.write(step, **measures)
    plot(out)
    return measures


def flops(c: Config) -> float:
    """Floating-point operations of a step, by formula: three times a forward pass."""
    p = c.preset
    fine = 16 * (18 * p.fine**2 * p.encoder_blocks[0] + 9 * 192 * p.fine)
    coarse = 18 * p.coarse**2 * p.encoder_blocks[1] + p.coarse * (16 * p.fine + p.channels)
    cell = FRAMES * STRIDE * STRIDE
    encode = 2 * (fine + coarse + 3 * cell * p.channels)  # of a latent, from its pixels
    decode = Compressor(p).flops_per_pixel() * cell * (1 - 0.75 * c.equivariance)
    return 3.0 * c.batch * c.long * c.crop[0] * c.crop[1] * (encode + decode)


def _hidden(name: str, module: torch.nn.Module) -> bool:
    """Convolutions inside the nets go to Muon; those at their ends, which start at zero, do not."""
    inside = any(part in name for part in (".fine.", ".coarse.", ".down", ".up"))
    return isinstance(module, torch.nn.Conv2d) and inside


@torch.no_grad()
def statistics(model: Compressor, data: Crops, seed: int, count: int) -> dict[str, Tensor]:
    """What latents have per channel, to be divided out: the buffers `shift` and `spread`."""
    video, _ = data.draw(count, Generator().manual_seed(seed + 2))
    z = torch.cat([model.encode(v.to(model.mean.device)) for v in video.split(16)])
    return {"shift": z.mean(dim=(0, 2, 3, 4)), "spread": z.std(dim=(0, 2, 3, 4))}
