"""Frames per second of the renderer, over the world's own mix of scenes.

    python benchmarks/render.py [--size 256x144] [--samples 4] [--jobs 2] [--truth] [--device cuda]

Scenes are those of the first seeds, acted out before the clock runs. Each process has one thread
and draws its share; a rate is the median over scenes, times the processes. Beside it stand the
milliseconds of a processor per frame, which say the same on a machine that does other work too.
On a GPU one process draws each scene several times at once, as it would many scenes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch

from worldreel.world.act import act
from worldreel.world.render import render
from worldreel.world.sample import sample
from worldreel.world.scene import ACTORS, SETTINGS, STYLES, WEATHERS, Scene

COPIES = 16  # of a scene that a GPU draws at once


@dataclass(frozen=True, kw_only=True)
class Timed:
    scene: Scene
    primitives: int
    rate: float  # frames per second
    work: float  # seconds of a processor per frame


def timed(
    seed: int, *, size: tuple[int, int], samples: int, truth: bool, device: str, seconds: float
) -> Timed:
    """One scene, drawn once to warm up and once by the clock."""
    take = act(sample(seed, seconds=seconds), size=size)
    takes = [take] * (1 if device == "cpu" else COPIES)
    for _ in range(2):
        start, worked = time.perf_counter(), time.process_time()
        render(takes, size=size, samples=samples, truth=truth, device=device)
        spent, worked = time.perf_counter() - start, time.process_time() - worked
    frames = take.num_frames * len(takes)
    return Timed(
        scene=take.scene, primitives=len(take.shape), rate=frames / spent, work=worked / frames
    )


def row(name: str, found: list[Timed], jobs: int) -> str:
    if not found:
        return f"| {name} | 0 | | | |"
    primitives = median(one.primitives for one in found)
    rate = jobs * median(one.rate for one in found)
    work = 1e3 * median(one.work for one in found)
    return f"| {name} | {len(found)} | {primitives:.0f} | {rate:.0f} | {work:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="256x144")
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--scenes", type=int, default=48)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--truth", action="store_true")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    jobs = given.jobs if given.device == "cpu" else 1
    work = partial(
        timed,
        size=(width, height),
        samples=given.samples,
        truth=given.truth,
        device=given.device,
        seconds=given.seconds,
    )
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, torch.set_num_threads, (1,)) as pool:
        found = list(pool.map(work, range(given.scenes)))

    truth = "with truth" if given.truth else "without truth"
    print(f"torch {torch.__version__}, {given.device}, {jobs} processes, {given.size}, {truth}")
    print(f"| {given.samples} samples | scenes | primitives | frames/s | ms of a processor |")
    print("|---|---|---|---|---|")
    rules: dict[str, Callable[[Scene], bool]] = {"all": lambda scene: True}
    rules["with actors"] = lambda scene: any(thing.kind in ACTORS for thing in scene.things)
    for slot, words in (("setting", SETTINGS), ("weather", WEATHERS), ("style", STYLES)):
        rules |= {word: lambda s, slot=slot, word=word: getattr(s, slot) == word for word in words}
    for name, rule in rules.items():
        print(row(name, [one for one in found if rule(one.scene)], jobs))


if __name__ == "__main__":
    main()
