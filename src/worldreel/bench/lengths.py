"""Races of long video: a stream whose window is bounded beside attention over all of it.

    python -m worldreel.bench.lengths '{"what": "stream", ...}'    one measurement, as JSON

diffusers has no stream, so one forward over the whole video is measured and counted once a step;
its decoder is left out, which favours it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

from worldreel.bench import machine, twins
from worldreel.bench.clips import PROMPT, SEED, marble, words_of
from worldreel.bench.gate import judge
from worldreel.bench.passes import formats, plain
from worldreel.bench.race import Race
from worldreel.bench.timing import once
from worldreel.models.compressor import FRAMES, STRIDE
from worldreel.stream import stream
from worldreel.tokens import patchify

FPS = 12
Told = Callable[[str], None]


def measured(asked: Mapping[str, Any]) -> dict[str, Any]:
    """One measurement in a process of its own, which has its own peak of memory."""
    command = [sys.executable, "-m", "worldreel.bench.lengths", json.dumps(dict(asked))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word of why"])[-1]
        raise RuntimeError(f"a measurement of {asked['what']} failed: {last}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def growth(
    key: str,
    title: str,
    *,
    size: tuple[int, int],
    seconds: Sequence[int],
    whole: Sequence[int],
    steps: int = 4,
) -> Race:
    """marble's stream at several lengths. One run of the longest has all: a stream's first minute
    is the minute that is asked for alone. whole: lengths of which they see all at once."""
    device = torch.device("cpu")
    width, height = size

    def measure(told: Told) -> dict[str, Any]:
        told("gate")
        verdicts = [_same_marble(device)]
        theirs, curve = {}, []
        common = {"width": width, "height": height, "steps": steps}
        for number, length in enumerate(whole):
            if number == len(whole) - 1:  # ours between theirs, so that both see the same machine
                told("stream")
                curve = measured({"what": "stream", "seconds": list(seconds), **common})["curve"]
            told(f"whole {length} s")
            theirs[length] = measured({"what": "whole", "seconds": length, **common})
        sides = {
            f"worldreel {row['seconds']:g} s": {
                "ours": True,
                "median": row["wall"],
                "peak_mib": row["peak_mib"],
                "per_second": row["wall"] / row["seconds"],
            }
            for row in curve
        }
        by_length = {round(row["seconds"]): row for row in curve}
        ratios = []
        for length, row in theirs.items():
            sides[f"diffusers {length} s"] = {
                "ours": False,
                "median": steps * row["forward"],
                "peak_mib": row["peak_mib"],
                "per_second": steps * row["forward"] / length,
            }
            ratios.append(
                once(
                    f"diffusers {length} s",
                    f"worldreel {length} s",
                    steps * row["forward"] / by_length[length]["wall"],
                )
            )
        return {"verdicts": verdicts, "sides": sides, "ratios": ratios, "curve": curve}

    return Race(
        key=key,
        title=title,
        shape=f"{width}x{height}, {steps} steps, no guidance, up to {seconds[-1]} s",
        device=device,
        measure=measure,
        notes=(
            "One run of each: no interval.",
            f"diffusers is one forward over the whole video, counted {steps} times, undecoded.",
        ),
    )


@torch.inference_mode()
def _same_marble(device: torch.device) -> dict[str, Any]:
    """marble's transformer beside diffusers' of its weights, on a clip, in float32."""
    engine = marble(device)
    dit = engine.dit
    dit.dtype = torch.float32
    twin = twins.peer_like(dit, torch.float32, device)
    assert dit.null_word is not None
    states = words_of(engine)
    g = torch.Generator(device).manual_seed(SEED)
    x = torch.randn((1, dit.preset.channels, 3, 5, 9), generator=g)
    level = torch.full((1, 1), 0.7)
    ours = plain(dit, dit.read([(None, states, None)], 1), x, level)
    said = torch.cat([dit.null_word, states], dim=1)
    theirs = patchify(twin(x, level[0] * 1000, said, return_dict=False)[0], dit.preset.patch)
    return asdict(judge(theirs, {"worldreel float32": (torch.float32, ours)}, {})[0])


def _streamed(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds and memory at each length of one stream, frames included."""
    engine = marble(torch.device("cpu"))
    lengths = sorted(asked["seconds"])
    made = stream(
        engine, PROMPT, seconds=lengths[-1], size=f"{asked['width']}x{asked['height']}",
        num_inference_steps=asked["steps"], guidance_scale=1, seed=SEED,
    )  # fmt: skip
    curve, frames, began = [], 0, time.perf_counter()
    for chunk in made:
        frames += len(chunk.frames)
        while lengths and frames >= FPS * lengths[0]:
            curve.append(
                {
                    "seconds": lengths.pop(0),
                    "wall": time.perf_counter() - began,
                    "peak_mib": machine.peak_memory() / 2**20,
                }
            )
    return {"curve": curve}


@torch.inference_mode()
def _whole(asked: Mapping[str, Any]) -> dict[str, Any]:
    """One forward of diffusers over a whole video, after a short one that warms up."""
    device = torch.device("cpu")
    engine = marble(device)
    dtype = formats(device)[-1]
    twin = twins.peer_like(engine.dit, dtype, device)
    assert engine.dit.null_word is not None
    states = torch.cat([engine.dit.null_word, words_of(engine)], dim=1).to(dtype)
    plane = (asked["height"] // STRIDE, asked["width"] // STRIDE)
    took = 0.0
    for count in (2, FPS * asked["seconds"] // FRAMES):
        x = torch.randn((1, engine.dit.preset.channels, count, *plane)).to(dtype)
        began = time.perf_counter()
        twin(x, torch.full((1,), 700.0), states, return_dict=False)
        took = time.perf_counter() - began
    return {"forward": took, "peak_mib": machine.peak_memory() / 2**20}


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps({"stream": _streamed, "whole": _whole}[given["what"]](given)))
