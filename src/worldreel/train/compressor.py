"""Train marble's compressor: PCA in closed form, then learned nets beside it.

Losses need no pretrained network: Charbonnier on pixels, the same on gradients at two scales, more
weight on subjects (the renderer knows where they are), a little KL with a fixed deviation, and
scale equivariance (a latent shrunk by two decodes to the picture shrunk by two), which keeps
latents smooth enough to diffuse (Kouzelis and others, 2502.09509).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
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
from worldreel.models.compressor import FRAMES, STRIDE, Compressor
from worldreel.models.presets import CompressorPreset
from worldreel.train import recipe
from worldreel.train.log import Log
from worldreel.train.optim import Ema, clip_grad_norm, optimizer, wsd


@dataclass(frozen=True, kw_only=True)
class Config:
    """data: folders of raw clips (`data.synth`); crop: latents high and wide."""

    preset: CompressorPreset
    data: tuple[str, ...]
    steps: int = 3000
    batch: int = 24  # crops of four or eight frames
    crop: tuple[int, int] = (5, 5)
    lr: float = 2e-3
    adam_lr: float = 1e-3
    subject: float = 4.0  # weight of subjects' pixels
    gradients: float = 0.5
    kl: float = 1e-4
    noise: float = 0.05  # deviation added to latents before decoding
    equivariance: float = 0.25  # share of the steps
    ema: float = 0.998
    decay_share: float = 0.3
    seed: int = 0
    save_every: float = 120.0  # seconds


class Crops:
    """Random crops of two latents' time from raw clips that lie in memory."""

    def __init__(self, folders: tuple[str, ...], crop: tuple[int, int]) -> None:
        self.crop = crop
        self.videos: list[np.ndarray] = []
        self.ids: list[np.ndarray] = []
        for folder in folders:
            for frames, ids in clips.raw(folder):
                self.videos.append(frames)
                self.ids.append(ids)

    def draw(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Pixels n 3 8 H W in [-1, 1] and where subjects are, n 1 8 H W."""
        height, width = (STRIDE * c for c in self.crop)
        frames = 2 * FRAMES
        video = np.empty((n, frames, height, width, 3), dtype=np.uint8)
        ids = np.empty((n, frames, height, width), dtype=np.uint8)
        picks = torch.randint(len(self.videos), (n,), generator=generator).tolist()
        spots = torch.rand(n, 4, generator=generator).tolist()
        for i, (pick, (a, b, c, flip)) in enumerate(zip(picks, spots, strict=True)):
            v, m = self.videos[pick], self.ids[pick]
            if len(v) == 1:  # a picture is four equal frames, and the clip rests there
                v, m = np.repeat(v, frames, 0), np.repeat(m, frames, 0)
            f = int(a * (len(v) - frames + 1))
            y = int(b * (v.shape[1] - height + 1))
            x = int(c * (v.shape[2] - width + 1))
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


def charbonnier(x: Tensor) -> Tensor:
    return (x.square() + 1e-4).sqrt()


def error(out: Tensor, video: Tensor, subject: Tensor, c: Config) -> Tensor:
    """Pixels and gradients at two scales, subjects weighted: B 3 F H W twice, B 1 F H W."""
    weight = 1 + (c.subject - 1) * subject
    weight = weight / weight.mean()
    total = (charbonnier(out - video) * weight).mean()
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
    return {
        "psnr": float(-10 * square.mean().log10()),
        "psnr_subject": float(-10 * square[hit].mean().log10()),
    }


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
    ranks = parallel.start()
    out = Path(out)
    data = Crops(c.data, c.crop)
    generator = Generator().manual_seed(c.seed * 1000 + ranks.rank)
    judge_video, judge_subject = data.draw(48, Generator().manual_seed(c.seed + 999_983))
    torch.manual_seed(c.seed)  # torch's default initialisation of convolutions
    model = Compressor(c.preset, dtype=torch.bfloat16).to(ranks.device)
    video, _ = data.draw(768, Generator().manual_seed(c.seed + 1))
    model.fit(video)
    opt = optimizer(model, lr=c.lr, adam_lr=c.adam_lr, hidden=_hidden)
    ema = Ema(model, c.ema)
    step = 0
    state = checkpoint.latest(out) if resume else None
    if state is not None:
        held = checkpoint.load(state, kind="compressor-run")
        checkpoint.apply(model, held.tensors)
        opt.load_state_dict(held.extra["optimizer"])
        ema.load_state_dict(held.extra["ema"])
        generator.set_state(held.extra["generator"])
        step = held.extra["step"]
    log = Log(out, total=c.steps, step=step) if ranks.first else None
    model.to(memory_format=torch.channels_last)
    started = saved = time.monotonic()
    measures: dict[str, Any] = {}
    while step < c.steps:
        video, subject = (t.to(ranks.device) for t in data.draw(c.batch, generator))
        u = torch.rand(2, generator=generator)
        z = model.encode(video)
        mean = z
        z = z + c.noise * torch.randn(z.shape, generator=generator).to(z)
        target = video
        if u[0] < c.equivariance:
            z = functional.avg_pool3d(z[..., : z.shape[-2] // 2 * 2, : z.shape[-1] // 2 * 2],
                                      (1, 2, 2))
            size = [2 * STRIDE * n for n in z.shape[-2:]]
            target = functional.avg_pool3d(video[..., : size[0], : size[1]], (1, 2, 2))
            subject = functional.avg_pool3d(subject[..., : size[0], : size[1]], (1, 2, 2))
        result = model.decode(z)
        loss = error(result, target, subject, c) + c.kl * 0.5 * mean.square().mean()
        opt.zero_grad()
        loss.backward()
        ranks.average(p.grad for p in model.parameters() if p.grad is not None)
        norm = clip_grad_norm(model, 1.0)
        opt.step(wsd(step, warmup=50, total=c.steps, decay_share=c.decay_share, floor=0.02))
        ema.update()
        step += 1
        late = minutes is not None and time.monotonic() - started > 60 * minutes
        stop = ranks.agree(late)
        if log is not None and (step % 20 == 0 or stop):
            log.write(step, loss=loss.item(), norm=norm)
        if ranks.first and (time.monotonic() - saved > c.save_every or step == c.steps or stop):
            extra = {
                "optimizer": opt.state_dict(),
                "ema": ema.state_dict(),
                "generator": generator.get_state(),
                "step": step,
            }
            config = dataclasses.asdict(c.preset)
            checkpoint.save_rolling(
                out, step, kind="compressor-run", config=config, tensors=model.state_dict(),
                extra=extra,
            )  # fmt: skip
            with ema.swapped():
                measures = psnr(model, judge_video.to(ranks.device), judge_subject.to(ranks.device))
                if step == c.steps or stop:
                    checkpoint.save(
                        out / "final", kind="compressor", config=config, storage="fp16",
                        tensors=model.state_dict() | statistics(model, data, c.seed),
                        provenance={"recipe": name, "steps": step, "batch": c.batch, **measures},
                    )  # fmt: skip
            assert log is not None
            log.write(step, **measures)
            saved = time.monotonic()
        if stop:
            break
    ranks.close()
    return {"step": step, **measures, "out": str(out)}


def _hidden(name: str, module: torch.nn.Module) -> bool:
    """Convolutions inside the nets go to Muon; those at their ends, which start at zero, do not."""
    inside = any(part in name for part in (".fine.", ".coarse.", ".down", ".up"))
    return isinstance(module, torch.nn.Conv2d) and inside


@torch.no_grad()
def statistics(model: Compressor, data: Crops, seed: int) -> dict[str, Tensor]:
    """What latents have per channel, to be divided out: the buffers `shift` and `spread`."""
    video, _ = data.draw(256, Generator().manual_seed(seed + 2))
    z = torch.cat([model.encode(v.to(model.mean.device)) for v in video.split(16)])
    return {"shift": z.mean(dim=(0, 2, 3, 4)), "spread": z.std(dim=(0, 2, 3, 4))}
