"""What a long video costs: minutes of a public model, streamed with a window, at several lengths.

    python -m worldreel.bench.minutes cpu      one run, a line of JSON for each window

Weights are of Wan's structure and random, all else is the product's own (`stream`, `windows`). One
run of the longest has all lengths: a stream's first five seconds are the five that are asked for
alone. Time is to be a line through them, and memory flat.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor, nn

from worldreel.bench import machine, programme, twins
from worldreel.bench.passes import formats
from worldreel.course import Pace
from worldreel.engine import Engine
from worldreel.models.wan_models import MODELS
from worldreel.models.wan_text import WanText
from worldreel.progress import Progress, silent
from worldreel.public import Public
from worldreel.stream import stream

_TINY: dict[str, Any] = {"channels": 16, "text": 16}
SIZES: dict[str, dict[str, Any]] = {
    "quick": {
        "net": twins.config(dim=48, heads=2, layers=2, mlp=96, **_TINY),
        "vae": twins.vae_config(base=4, channels=16), "size": (64, 64), "seconds": (0.6, 0.9, 1.4),
        "pace": Pace(window=3, advance=1, context_level=0.0, anchor=0), "steps": 2,
    },
    "cpu": {
        "net": programme.SMALL, "vae": twins.vae_config(base=16), "size": (256, 144),
        "seconds": (5, 10, 20, 40, 60), "pace": None, "steps": 4,
    },
    "gpu": {
        "net": programme.WAN_1B, "vae": programme.VAE, "size": (832, 480),
        "seconds": (5, 10, 20, 40, 60), "pace": None, "steps": 4,
    },
}  # fmt: skip


class Letters(nn.Module):
    """In place of UMT5: a row for each letter."""

    def __init__(self, width: int) -> None:
        super().__init__()
        rows = torch.randn(256, width, generator=Generator().manual_seed(0))
        self.table = nn.Parameter(rows, requires_grad=False)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.table[ids] * mask[..., None]


def model_of(asked: Mapping[str, Any], device: torch.device) -> Engine:
    """An engine of random public weights."""
    public = Public(model=next(m for m in MODELS if m.name == "wan2.1-t2v-1.3b"))
    text = WanText(lambda said: [*said.encode(), 1], Letters(asked["net"]["text_dim"]))
    dtype = formats(device)[-1]
    return Engine(
        settings=replace(public.settings, name="random Wan"),
        text=text,
        dit=twins.ours(asked["net"], dtype, device=device),
        compressor=twins.vae_ours(asked["vae"], dtype, device=device),
        device=device,
        public=public,
    )


def windows(name: str) -> Iterator[dict[str, Any]]:
    """After each window: frames so far, seconds since the start, memory at its highest."""
    asked = SIZES[name]
    device = torch.device("cuda" if name == "gpu" else "cpu")
    model = model_of(asked, device)
    made = stream(
        model, "a fox runs through snow", seconds=asked["seconds"][-1], size=asked["size"],
        pace=asked["pace"], num_inference_steps=asked["steps"], guidance_scale=1,
    )  # fmt: skip
    began, frames = time.perf_counter(), 0
    for chunk in made:
        frames += len(chunk.frames)
        yield {
            "frames": frames,
            "of": made.course.plan.num_frames,
            "fps": made.course.plan.fps,
            "wall": time.perf_counter() - began,
            "peak": machine.peak_memory()
            if device.type == "cpu"
            else torch.cuda.max_memory_allocated(device),
        }


def measured(name: str, told: Progress = silent) -> dict[str, Any]:
    """A run in a process of its own, which has its own peak of memory, and what follows of it."""
    command = [sys.executable, "-W", "ignore", "-m", "worldreel.bench.minutes", name]
    found = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            found.append(json.loads(line))
            told("stream", found[-1]["frames"], found[-1]["of"])
        said = process.stderr.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise RuntimeError(f"the stream failed: {(said or ['no word of why'])[-1]}")
    return concluded(found, SIZES[name]["seconds"])


def concluded(found: Sequence[Mapping[str, Any]], lengths: Sequence[float]) -> dict[str, Any]:
    """Rows for lengths, and the line through all windows but the first, which warms up.

    apart: how far the farthest window is from it, as a share of the whole time.
    """
    x, y = (
        torch.tensor([w[key] / w["fps"] if key == "frames" else w[key] for w in found]).double()
        for key in ("frames", "wall")
    )
    later = slice(1, None) if len(found) > 2 else slice(None)
    fit = torch.stack([torch.ones_like(x), x], dim=1)
    start, each = torch.linalg.lstsq(fit[later], y[later, None]).solution.flatten().tolist()
    line = start + each * x
    rows = []
    for length in lengths:
        at = next(i for i, w in enumerate(found) if w["frames"] + 1e-6 >= length * w["fps"])
        rows.append(
            {
                "seconds": length,
                "windows": at + 1,
                "wall": float(y[at]),
                "fit": float(line[at]),
                "peak_mib": found[at]["peak"] / 2**20,
            }
        )
    return {
        "rows": rows,
        "start": start,
        "each": each,
        "apart": float((line - y)[later].abs().max() / y[-1]),
        "memory_growth": rows[-1]["peak_mib"] / rows[0]["peak_mib"],
    }


def table(name: str, found: Mapping[str, Any]) -> str:
    """The lengths as Markdown, with their line."""
    asked = SIZES[name]
    net, (width, height) = asked["net"], asked["size"]
    lines = [
        f"Wan's structure with random weights, {net['num_layers']} layers"
        f" {net['num_attention_heads'] * net['attention_head_dim']} wide, {width}x{height},"
        f" {asked['steps']} steps, no guidance.",
        "",
        "| seconds of video | windows | made in, s | the line, s | memory at most, MiB |",
        "|---" * 5 + "|",
    ]
    lines += [
        f"| {r['seconds']:g} | {r['windows']} | {r['wall']:.3g} | {r['fit']:.3g}"
        f" | {r['peak_mib']:.0f} |"
        for r in found["rows"]
    ]
    lines += [
        "",
        f"The line is {found['start']:.3g} s and {found['each']:.3g} s for each second; no window"
        f" is farther from it than {found['apart']:.1%} of the whole time. The memory of the"
        f" longest is {found['memory_growth']:.2f} times that of the shortest.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    for window in windows(sys.argv[1]):
        print(json.dumps(window), flush=True)
