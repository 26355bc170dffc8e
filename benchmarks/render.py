"""Frames per second of the renderer, and how far compiled frames are from plain ones.

    python benchmarks/render.py [--eager] [--device cuda] [--takes 8]

Takes come from the world's own seeds. The first call of a setting compiles, and is timed apart.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch

from worldreel.world.act import act
from worldreel.world.render import render
from worldreel.world.sample import sample
from worldreel.world.scene import SETTINGS

SIZES = ((256, 144), (144, 80))


def _takes(setting: str, count: int, size: tuple[int, int]) -> list:
    takes, seed = [], 0
    while len(takes) < count:
        scene = sample(seed)
        seed += 1
        if scene.setting == setting:
            takes.append(act(scene, size=size))
    return takes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eager", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--takes", type=int, default=4)
    given = parser.parse_args()
    compiled = False if given.eager else None
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {given.device}")
    print("| setting | size | samples | first call, s | frames/s | frames/s with truth |")
    print("|---|---|---|---|---|---|")
    for setting in SETTINGS:
        for size in SIZES:
            takes = _takes(setting, given.takes, size)
            frames = sum(take.num_frames for take in takes)
            for samples in (1, 4):
                options: dict[str, Any] = dict(
                    size=size, samples=samples, device=given.device, compiled=compiled
                )
                seconds = []
                for truth in (False, False, True):
                    start = time.perf_counter()
                    render(takes, truth=truth, **options)
                    seconds.append(time.perf_counter() - start)
                print(
                    f"| {setting} | {size[0]}x{size[1]} | {samples} | {seconds[0]:.1f} "
                    f"| {frames / seconds[1]:.0f} | {frames / seconds[2]:.0f} |",
                    flush=True,
                )
        if not given.eager:
            plain, quick = (render(takes[0], size=size, compiled=c).frames for c in (False, True))
            apart = np.abs(plain.astype(int) - quick).max(-1)
            print(f"\n{setting}: {(apart > 2).mean():.3%} of pixels differ by more than 2 of 255\n")


if __name__ == "__main__":
    main()
