"""Train the text encoder: words in two languages become the same states for the same facts.

Captions cost no pixels: scenes are acted out, described anew at every visit, and the encoder must
say which facts were stated, slot by slot. Many captions leave facts out, so that it learns to say
what was not stated instead of guessing it.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Hashable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from worldreel import checkpoint, parallel
from worldreel.models.attention import Linear
from worldreel.models.presets import TextPreset
from worldreel.models.text import Lexicon, TextEncoder
from worldreel.parallel import Ranks
from worldreel.train import recipe, run
from worldreel.train.log import Log, plot
from worldreel.train.optim import clip_grad_norm, optimizer, wsd
from worldreel.world import describe
from worldreel.world.act import reflect, stage_scene
from worldreel.world.facts import Fact, facts
from worldreel.world.scene import Take
from worldreel.world.words import LANGUAGES

# facts of what happens, which are told together
MOTION = ("action", "direction", "manner", "event", "hits", "onto", "topples")


@dataclass(frozen=True, kw_only=True)
class Config:
    """scenes: how many takes are described, and as many twins.

    judged: how many held-out takes measure it, from seed 100,000 up. start: a text encoder to
    begin from, or nothing: what it shares with this one is kept, word by word and slot by slot.
    partial: share of the captions that leave out some facts, each with a chance of its own.
    """

    preset: TextPreset
    first_seed: int
    start: str = ""
    scenes: int = 3000
    judged: int = 300
    steps: int = 1500
    batch: int = 48  # scenes a step over all ranks, each in both languages
    lr: float = 2e-3
    partial: float = 0.4
    bf16: bool = True
    seed: int = 0
    save_every: float = 60.0


def lexicon() -> Lexicon:
    """All words and phrases of the world's grammar, both languages, sorted."""
    words = {w for group in describe.lexicon().values() for w in group}
    return Lexicon(sorted(words))


def pairs(
    takes: list[Take], picks: list[int], rng: np.random.Generator, partial: float = 0.0
) -> tuple[list[str], Tensor]:
    """Captions of some takes, English then Chinese, and what each states: 2n texts, 2n M."""
    texts, said = [], []
    for language in LANGUAGES:
        for pick in picks:
            known = facts(takes[pick])
            if rng.random() < partial:
                known = some(known, rng)
            caption = describe.captions_of(known, rng, count=1, language=language)[0]
            texts.append(caption.text)
            said.append(list(describe.labels(caption.facts).values()))
    return texts, torch.tensor(said)


def some(known: Sequence[Fact], rng: np.random.Generator) -> list[Fact]:
    """A few of a take's facts: kinds, and others with a chance that is drawn, too.

    What happens is one story, of which all or nothing is known.
    """
    chance = rng.random()
    kept: dict[Hashable, bool] = {}

    def keeps(fact: Fact) -> bool:
        what: Hashable = "motion" if fact.name in MOTION else (fact.name, fact.args)
        return kept.setdefault(what, bool(rng.random() < chance))

    return [fact for fact in known if fact.name == "kind" or keeps(fact)]


def measure(model: TextEncoder, takes: list[Take], seed: int) -> dict[str, float]:
    """Share of slots read rightly, and of captions read without one error, in each language."""
    texts, said = pairs(takes, list(range(len(takes))), np.random.default_rng(seed))
    with torch.no_grad():
        ids, _ = model.tokens(texts)
        read = torch.stack([x.argmax(-1) for x in model.read(ids)], dim=1).cpu()
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
    """A step's captions as ids 2n L, and what each states, 2n M.

    A function of the seed and the step alone, for the whole batch; `mine` cuts a rank's scenes.
    """
    rng = np.random.default_rng([c.seed, step, 0])
    picks = rng.integers(len(takes), size=c.batch).tolist()
    texts, said = pairs(takes, picks, rng, c.partial)
    ids = model.tokens(texts)[0].cpu()
    ids, said = (torch.cat([half[mine] for half in t.chunk(2)]) for t in (ids, said))
    return ids, said


def loss(model: TextEncoder, ids: Tensor, said: Tensor, c: Config) -> Tensor:
    """How wrongly facts are read, in nats, summed over slots."""
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=c.bf16):
        logits = model.read(ids)
    errors = [functional.cross_entropy(x.float(), said[:, i]) for i, x in enumerate(logits)]
    return torch.stack(errors).sum()


@torch.no_grad()
def begin(model: TextEncoder, earlier: TextEncoder) -> None:
    """Take over what an earlier encoder of the same sizes knows of words, slots and values."""
    for name in ("place", "blocks", "norm"):
        ours, theirs = getattr(model, name), getattr(earlier, name)
        if isinstance(ours, Tensor):
            ours.copy_(theirs)
        else:
            ours.load_state_dict(theirs.state_dict())
    known = {word: i + 1 for i, word in enumerate(earlier.lexicon.words)}
    for i, word in enumerate(model.lexicon.words):
        if word in known:
            model.embed.weight[i + 1] = earlier.embed.weight[known[word]]
    codes = dict(zip(earlier.labels, earlier.codes.split(earlier.counts), strict=True))
    slots = {slot: i for i, slot in enumerate(earlier.labels)}
    ours = dict(zip(model.labels, model.codes.split(model.counts), strict=True))
    for i, (slot, values) in enumerate(model.labels.items()):
        if slot not in slots:
            continue
        model.slots[i] = earlier.slots[slots[slot]]
        before, head = earlier.labels[slot], earlier.heads[slots[slot]]
        mine = model.heads[i]
        assert isinstance(mine, Linear) and isinstance(head, Linear)
        for j, value in enumerate(values):
            if value in before:
                k = before.index(value)
                ours[slot][j] = codes[slot][k]
                mine.weight[j], mine.bias[j] = head.weight[k], head.bias[k]


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
    with parallel.start() as ranks, run.claimed(Path(out), ranks):
        step, measures = _train(name, c, Path(out), resume, minutes, ranks)
    return {"step": step, "of": c.steps, **measures, "out": str(out)}


def _train(
    name: str, c: Config, out: Path, resume: bool, minutes: float | None, ranks: Ranks
) -> tuple[int, dict[str, float]]:
    labels = {slot: tuple(values) for slot, values in describe.LABELS.items()}
    model = TextEncoder(c.preset, lexicon(), labels).init(Generator().manual_seed(c.seed))
    if c.start:
        begin(model, checkpoint.load_text(c.start))
    model.to(ranks.device)
    ranks.share(model.state_dict().values())
    opt = optimizer(model, lr=c.lr, adam_lr=c.lr)
    step = 0
    held = run.resume(out, kind="text-run", ranks=ranks, fresh=not resume)
    if held is not None:
        checkpoint.apply(model, held.tensors)
        opt.load_state_dict(held.extra["optimizer"])
        step = held.extra["step"]
    kept = run.kept(c, held, ranks)
    if step >= c.steps and ranks.first:
        print(f"{out} has done all its {c.steps} steps", file=sys.stderr)
    if step >= c.steps and not run.stale(out, kind="text", step=step):
        return step, {}
    takes = [stage_scene(c.first_seed + i) for i in range(c.scenes)]
    takes += [reflect(t) for t in takes]
    number = c.judged if ranks.first else 0
    judged = [stage_scene(100_000 + i, split="held_out") for i in range(number)]
    mine = ranks.share_of(c.batch)
    saved = time.monotonic()
    measures: dict[str, float] = {}
    stop = False
    logged = Log(out, total=c.steps, step=step) if ranks.first else nullcontext()
    with run.allowed(minutes, ranks) as late, logged as log:
        while step < c.steps and not stop:
            ids, said = (t.to(ranks.device) for t in draw(model, takes, c, step, mine))
            error = loss(model, ids, said, c)
            opt.zero_grad()
            error.backward()
            ranks.average(p.grad for p in model.parameters() if p.grad is not None)
            norm = clip_grad_norm(model, 1.0)
            opt.step(wsd(step, warmup=50, total=c.steps, decay_share=0.4, floor=0.02))
            step += 1
            stop = late()
            last = stop or step == c.steps
            if step % 20 == 0 or last:
                told = error.detach().clone()
                ranks.average([told])
                if log is not None:
                    log.write(step, loss=told.item(), norm=norm)
            if log is not None and (last or time.monotonic() - saved > c.save_every):
                checkpoint.save_rolling(
                    out, step, kind="text-run", config=_config(model), tensors=model.state_dict(),
                    extra={"optimizer": opt.state_dict(), "step": step, "told": kept},
                )  # fmt: skip
                measures = _final(out, name, c, model, takes, judged, step, log, ranks, kept)
                saved = time.monotonic()
        if log is not None and run.stale(out, kind="text", step=step):
            measures = _final(out, name, c, model, takes, judged, step, log, ranks, kept)
    return step, measures


def _config(model: TextEncoder) -> dict[str, Any]:
    return {
        "preset": dataclasses.asdict(model.preset),
        "lexicon": list(model.lexicon.words),
        "labels": {k: list(v) for k, v in model.labels.items()},
    }


def _final(
    out: Path, name: str, c: Config, model: TextEncoder, takes: list[Take], judged: list[Take],
    step: int, log: Log, ranks: Ranks, kept: Mapping[str, Any],
) -> dict[str, float]:  # fmt: skip
    """Write the encoder with its measures on held-out pairs, which are returned."""
    measures = measure(model, judged, c.seed)
    told = run.provenance(
        name, log, ranks, steps=step, clips=step * c.batch, flops=step * flops(model, takes, c),
        seed=c.seed, changed=kept["changed"], **measures,
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
    return 3.0 * 2 * c.batch * 2 * (p.layers * block + p.dim * sum(model.counts))
