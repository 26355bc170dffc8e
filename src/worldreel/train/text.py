"""Train the text encoder: words in two languages become the same states for the same facts.

Captions cost no pixels: scenes are acted out, described anew at every visit, and the encoder must
say which facts were stated, slot by slot. Where an English and a Chinese caption of one scene
state the same fact (or both leave it unsaid), their slots must be equal.
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
from torch import Generator, Tensor
from torch.nn import functional

from worldreel import checkpoint, parallel
from worldreel.models.presets import TextPreset
from worldreel.models.text import Lexicon, TextEncoder
from worldreel.train import recipe
from worldreel.train.log import Log
from worldreel.train.optim import clip_grad_norm, optimizer, wsd
from worldreel.world import describe
from worldreel.world.act import reflect, stage_scene
from worldreel.world.scene import Take


@dataclass(frozen=True, kw_only=True)
class Config:
    """scenes: how many takes are described; agreement: weight of equal slots across languages."""

    preset: TextPreset
    first_seed: int
    scenes: int = 3000
    steps: int = 1500
    batch: int = 48  # scenes a step, each in both languages
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
    ranks = parallel.start()
    out = Path(out)
    takes = [stage_scene(c.first_seed + i) for i in range(c.scenes)]
    takes += [reflect(t) for t in takes]
    judged = [stage_scene(i, split="held_out") for i in range(100_000, 100_300)]
    words = lexicon()
    labels = {slot: tuple(values) for slot, values in describe.LABELS.items()}
    model = TextEncoder(c.preset, words, labels).init(Generator().manual_seed(c.seed))
    model.to(ranks.device)
    opt = optimizer(model, lr=c.lr, adam_lr=c.lr)
    step = 0
    state = checkpoint.latest(out) if resume else None
    if state is not None:
        held = checkpoint.load(state, kind="text-run")
        checkpoint.apply(model, held.tensors)
        opt.load_state_dict(held.extra["optimizer"])
        step = held.extra["step"]
    log = Log(out, total=c.steps, step=step) if ranks.first else None
    config = {
        "preset": dataclasses.asdict(c.preset),
        "lexicon": list(words.words),
        "labels": {k: list(v) for k, v in labels.items()},
    }
    started = saved = time.monotonic()
    while step < c.steps:
        # a step's randomness is a function of its number: resuming needs no saved generator
        rng = np.random.default_rng([c.seed, step, ranks.rank])
        picks = rng.integers(len(takes), size=c.batch // ranks.size).tolist()
        texts, said = pairs(takes, picks, rng)
        ids, _ = model.tokens(texts)
        ids = torch.where(torch.from_numpy(rng.random(ids.shape) < c.dropout), 0, ids)
        states = model(ids.to(ranks.device))
        said = said.to(ranks.device)
        loss = sum(
            (functional.cross_entropy(x, said[:, i]) for i, x in enumerate(model.logits(states))),
            start=states.new_zeros(()),
        )
        en, zh = states.chunk(2)
        same = (said[: len(picks)] == said[len(picks) :]).float()  #          n M
        gap = ((en - zh).square().mean(-1) * same).sum() / same.sum().clamp(min=1)
        total = loss + c.agreement * gap
        opt.zero_grad()
        total.backward()
        ranks.average(p.grad for p in model.parameters() if p.grad is not None)
        norm = clip_grad_norm(model, 1.0)
        opt.step(wsd(step, warmup=50, total=c.steps, decay_share=0.4, floor=0.02))
        step += 1
        stop = ranks.agree(minutes is not None and time.monotonic() - started > 60 * minutes)
        last = stop or step == c.steps
        if log is not None and (step % 20 == 0 or last):
            log.write(step, loss=loss.item(), agreement=gap.item(), norm=norm)
        if ranks.first and (last or time.monotonic() - saved > c.save_every):
            checkpoint.save_rolling(
                out, step, kind="text-run", config=config, tensors=model.state_dict(),
                extra={"optimizer": opt.state_dict(), "step": step},
            )  # fmt: skip
            saved = time.monotonic()
        if last:
            break
    measures = measure(model, judged, c.seed)
    if log is not None:
        log.write(step, **measures)
        checkpoint.save(
            out / "final", kind="text", config=config, storage="fp16", tensors=model.state_dict(),
            provenance={"recipe": name, "steps": step, "batch": c.batch, **measures},
        )  # fmt: skip
    ranks.close()
    return {"step": step, **measures, "out": str(out)}
