"""Train the text encoder: words in two languages become the same states for the same facts.

Captions cost no pixels: scenes are acted out, described anew at every visit, and the encoder must
say which facts were stated, slot by slot. Where an English and a Chinese caption of one scene
state the same fact (or both leave it unsaid), their slots must be equal.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from worldreel import checkpoint, parallel
from worldreel.models.presets import TextPreset
from worldreel.models.text import Lexicon, TextEncoder
from worldreel.parallel import Ranks
from worldreel.train import recipe, run
from worldreel.train.log import Log, plot
from worldreel.train.optim import clip_grad_norm, optimizer, wsd
from worldreel.world import describe
from worldreel.world.act import reflect, stage_scene
from worldreel.world.scene import Take


@dataclass(frozen=True, kw_only=True)
class Config:
    """scenes: how many takes are described; agreement: weight of equal slots across languages.

    judged: how many held-out takes measure it, from seed 100,000 up.
    """

    preset: TextPreset
    first_seed: int
    scenes: int = 3000
    judged: int = 300
    steps: int = 1500
    batch: int = 48  # scenes a step over all ranks, each in both languages
    lr: float = 2e-3
    agreement: float = 1.0
    dropout: float = 0.05  # share of words hidden, so that foreign words do no harm
    seed: int = 0
    save_every: float = 60.0


def lexicon() -> Lexicon:
    """All words and phrases of the world's grammar, both languages, sorted."""
    words = {w for group in describe.lexicon().values() for w in group}
    return Lexicon(sorted(words))


def pairs(
    takes: list[Take], picks: list[int], rng: np.random.Generator
) -> tuple[list[str], Tensor]:
    """Captions of some takes, English then Chinese, and what each states: 2n texts, 2n M."""
    texts, said = [], []
    for language in ("en", "zh"):
        for pick in picks:
            caption = describe.captions(takes[pick], rng, count=1, language=language)[0]
            texts.append(caption.text)
            said.append(list(describe.labels(caption.facts).values()))
    return texts, torch.tensor(said)


def measure(model: TextEncoder, takes: list[Take], seed: int) -> dict[str, float]:
    """Share of slots read rightly, and of captions read without one error, in each language."""
    texts, said = pairs(takes, list(range(len(takes))), np.random.default_rng(seed))
    with torch.no_grad():
        ids, _ = model.tokens(texts)
        read = torch.stack([x.argmax(-1) for x in model.logits(model(ids))], dim=1).cpu()
    right = (read == said).float()
    n = len(takes)
    return {
        "facts_en": float(right[:n].mean()),
        "facts_zh": float(right[n:].mean()),
        "whole_en": float(right[:n].all(1).float().mean()),
        "whole_zh": float(right[n:].all(1).float().mean()),
    }


def draw(
    model: TextEncoder, takes: list[Take], c: Config, step: int, mine: slice = slice(None)
) -> tuple[Tensor, Tensor]:
    """A step's captions as ids 2n L, some words hidden, and what each states, 2n M.

    A function of the seed and the step alone, for the whole batch; `mine` cuts a rank's scenes.
    """
    rng = np.random.default_rng([c.seed, step, 0])
    picks = rng.integers(len(takes), size=c.batch).tolist()
    texts, said = pairs(takes, picks, rng)
    ids = model.tokens(texts)[0].cpu()
    ids = torch.where(torch.from_numpy(rng.random(ids.shape) < c.dropout), 0, ids)
    ids, said = (torch.cat([half[mine] for half in t.chunk(2)]) for t in (ids, said))
    return ids, said


def losses(model: TextEncoder, ids: Tensor, said: Tensor, ranks: Ranks) -> tuple[Tensor, Tensor]:
    """How wrongly facts are read, summed over slots, and how far the two languages are apart."""
    states = model(ids)
    read = sum(
        (functional.cross_entropy(x, said[:, i]) for i, x in enumerate(model.logits(states))),
        start=states.new_zeros(()),
    )
    en, zh = states.chunk(2)
    same = torch.eq(*said.chunk(2)).float()  #                            n M
    count = same.sum()
    ranks.average([count])
    gap = ((en - zh).square().mean(-1) * same).sum() / count.clamp(min=1)
    return read, gap


def main(
    name: str,
    *,
    out: str | Path,
    resume: bool = True,
    minutes: float | None = None,
    overrides: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Train a recipe's text encoder into `out`/final; returns its measures on held-out pairs."""
    c: Config = recipe.load(name, "text", overrides)
    with parallel.start() as ranks:
        step, measures = _train(name, c, Path(out), resume, minutes, ranks)
    return {"step": step, "of": c.steps, **measures, "out": str(out)}


def _train(
    name: str, c: Config, out: Path, resume: bool, minutes: float | None, ranks: Ranks
) -> tuple[int, dict[str, float]]:
    labels = {slot: tuple(values) for slot, values in describe.LABELS.items()}
    model = TextEncoder(c.preset, lexicon(), labels).init(Generator().manual_seed(c.seed))
    model.to(ranks.device)
    ranks.share(model.parameters())
    opt = optimizer(model, lr=c.lr, adam_lr=c.lr)
    step = 0
    held = run.resume(out, kind="text-run", ranks=ranks, fresh=not resume)
    if held is not None:
        checkpoint.apply(model, held.tensors)
        opt.load_state_dict(held.extra["optimizer"])
        step = held.extra["step"]
    if step >= c.steps and ranks.first:
        print(f"{out} has done all its {c.steps} steps", file=sys.stderr)
    if step >= c.steps and not run.stale(out, kind="text", step=step):
        return step, {}
    takes = [stage_scene(c.first_seed + i) for i in range(c.scenes)]
    takes += [reflect(t) for t in takes]
    number = c.judged if ranks.first else 0
    judged = [stage_scene(100_000 + i, split="held_out") for i in range(number)]
    mine = ranks.share_of(c.batch)
    started = saved = time.monotonic()
    measures: dict[str, float] = {}
    stop = False
    with Log(out, total=c.steps, step=step) if ranks.first else nullcontext() as log:
        while step < c.steps and not stop:
            ids, said = (t.to(ranks.device) for t in draw(model, takes, c, step, mine))
            loss, gap = losses(model, ids, said, ranks)
            opt.zero_grad()
            (loss + c.agreement * gap).backward()
            ranks.average(p.grad for p in model.parameters() if p.grad is not None)
            norm = clip_grad_norm(model, 1.0)
            opt.step(wsd(step, warmup=50, total=c.steps, decay_share=0.4, floor=0.02))
            step += 1
            stop = ranks.agree(minutes is not None and time.monotonic() - started > 60 * minutes)
            last = stop or step == c.steps
            if step % 20 == 0 or last:
                told = torch.stack([loss.detach(), gap.detach()])
                ranks.average([told])
                if log is not None:
                    log.write(step, loss=told[0].item(), agreement=told[1].item(), norm=norm)
            if log is not None and (last or time.monotonic() - saved > c.save_every):
                checkpoint.save_rolling(
                    out, step, kind="text-run", config=_config(model), tensors=model.state_dict(),
                    extra={"optimizer": opt.state_dict(), "step": step},
                )  # fmt: skip
                measures = _final(out, name, c, model, takes, judged, step, log, ranks)
                saved = time.monotonic()
        if log is not None and run.stale(out, kind="text", step=step):
            measures = _final(out, name, c, model, takes, judged, step, log, ranks)
    return step, measures


def _config(model: TextEncoder) -> dict[str, Any]:
    return {
        "preset": dataclasses.asdict(model.preset),
        "lexicon": list(model.lexicon.words),
        "labels": {k: list(v) for k, v in model.labels.items()},
    }


def _final(
    out: Path, name: str, c: Config, model: TextEncoder, takes: list[Take], judged: list[Take],
    step: int, log: Log, ranks: Ranks,
) -> dict[str, float]:  # fmt: skip
    """Write the encoder with its measures on held-out pairs, which are returned."""
    measures = measure(model, judged, c.seed)
    told = run.provenance(
        name, log, ranks, steps=step, clips=step * c.batch, flops=step * flops(model, takes, c),
        seed=c.seed, **measures,
    )  # fmt: skip
    checkpoint.save(
        out / "final", kind="text", config=_config(model), storage="fp16",
        tensors=model.state_dict(), provenance=told,
    )  # fmt: skip
    log.write(step, **measures)
    plot(out)
    return measures


def flops(model: TextEncoder, takes: list[Take], c: Config) -> float:
    """Floating-point operations of a step, by formula: three times a forward pass.

    Captions are taken to be as long as the first step's.
    """
    p = model.preset
    n = p.slots + draw(model, takes, c, 0)[0].shape[1]
    block = 12 * n * p.dim**2 + 2 * n * n * p.dim
    heads = p.out_dim * sum(len(values) for values in model.labels.values())
    return 3.0 * 2 * c.batch * 2 * (p.layers * block + p.slots * p.dim * p.out_dim + heads)
