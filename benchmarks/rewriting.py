"""Whether rewriting a short prompt helps: the same noise, the prompt as it is and rewritten.

    python benchmarks/rewriting.py --count 60 --first-seed 100000 --out runs/rewriting.json

A prompt is a caption of an ordinary scene cut to a few of its facts, half of the small world, half
of all kinds; a third in Chinese. What it says is judged in both clips by the packaged rulers
(`worldreel.eval.judging`), line by line. Needs MuJoCo (`pip install '.[world]'`).
"""

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from worldreel import canvas
from worldreel.engine import Engine, load
from worldreel.eval import judging, metrics, probes
from worldreel.eval.cases import FRAMES, SECONDS, SIZE
from worldreel.eval.known import WORLDS
from worldreel.models.compressor import FRAMES as IN_LATENT
from worldreel.models.compressor import STRIDE
from worldreel.prompt import read, rewrite
from worldreel.world.act import stage_scene
from worldreel.world.describe import Caption, captions_of
from worldreel.world.facts import Fact, facts

KEPT = {"color": 0.6, "setting": 0.45, "light": 0.25, "action": 0.45}  # how often each is said
TOGETHER = ("action", "direction", "manner", "hits", "onto", "topples")  # what happens
LONGEST = 60  # characters of a prompt
BATCH = 5


def short(seed: int, world: str, language: str) -> Caption:
    """A prompt of a few facts of a scene."""
    take = stage_scene(seed, seconds=SECONDS, size=SIZE, within=WORLDS[world])
    rng = np.random.default_rng([seed, 77])
    kept = {name for name, share in KEPT.items() if rng.random() < share}
    names = {"kind", "count"} | kept | (set(TOGETHER) if "action" in kept else set())
    known = [fact for fact in facts(take) if fact.name in names]
    told = [c for c in captions_of(known, rng, count=24, language=language)]
    return min(told, key=lambda caption: (-len(caption.facts), len(caption.text)))


def clips(engine: Engine, texts: Sequence[str], seeds: Sequence[int]) -> list[np.ndarray]:
    """The clips of some prompts, each F H W 3 uint8."""
    shape = (len(texts), engine.compressor.preset.channels, FRAMES // IN_LATENT)
    board = canvas.blank((*shape, SIZE[1] // STRIDE, SIZE[0] // STRIDE))
    states = [read(engine.text, text).states for text in texts]
    latents = engine.paint(board, states, [None] * len(texts), seeds=list(seeds))
    return list(engine.decode(latents))


def judged(frames: np.ndarray, said: Sequence[Fact]) -> dict[str, bool]:
    seen = judging.read(probes.load(), frames, metrics.LINES)
    return judging.judge(said, seen, metrics.LINES)


def figures(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """By line: how many are right as they are and rewritten, only one of them, and of how many."""
    found: dict[str, Any] = {}
    for line in (*metrics.LINES, "all that is said"):
        pairs = [(_right(r["raw"], line), _right(r["rewritten"], line)) for r in rows]
        pairs = [(a, b) for a, b in pairs if a is not None and b is not None]
        if pairs:
            lost, won = pairs.count((True, False)), pairs.count((False, True))
            found[line] = {
                "clips": len(pairs),
                "raw": sum(a for a, _ in pairs),
                "rewritten": sum(b for _, b in pairs),
                "won": won,
                "lost": lost,
                "p": round(_sign_test(won, lost), 3),
            }
    return found


def _right(answers: dict[str, bool], line: str) -> bool | None:
    return all(answers.values()) if line == "all that is said" else answers.get(line)


def _sign_test(won: int, lost: int) -> float:
    """How often chance alone parts as many pairs this unevenly, from both sides."""
    n, k = won + lost, min(won, lost)
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--first-seed", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=Path("runs/rewriting.json"))
    given = parser.parse_args()
    engine = load("marble")
    rows: list[dict[str, Any]] = []
    for start in range(0, given.count, BATCH):
        numbers = range(start, min(start + BATCH, given.count))
        seeds = [given.first_seed + n for n in numbers]
        prompts = [
            short(seed, ("small", "plain")[n % 2], "zh" if n % 3 == 2 else "en")
            for n, seed in zip(numbers, seeds, strict=True)
        ]
        told = [rewrite(engine.text, p.text, seed=s) for p, s in zip(prompts, seeds, strict=True)]
        raw = clips(engine, [p.text for p in prompts], seeds)
        new = clips(engine, [t.text for t in told], seeds)
        for seed, said, other, before, after in zip(seeds, prompts, told, raw, new, strict=True):
            rows.append(
                {
                    "seed": seed,
                    "prompt": said.text,
                    "text": other.text,
                    "added": dict(other.added),
                    "raw": judged(before, said.facts),
                    "rewritten": judged(after, said.facts),
                }
            )
        given.out.parent.mkdir(parents=True, exist_ok=True)
        answer = {"figures": figures(rows), "clips": rows}
        given.out.write_text(json.dumps(answer, ensure_ascii=False, indent=1) + "\n", "utf-8")
        print(f"{len(rows)} of {given.count}", flush=True)
    for line, figure in figures(rows).items():
        print(line, figure)


if __name__ == "__main__":
    main()
