"""Is the memory plan true? Whole runs on the CPU, in a process each, against what was foretold.

    python benchmarks/memory.py             ten shapes: said, taken, and the difference
    python benchmarks/memory.py --only 3    one of them
    python benchmarks/memory.py --bits8     how near a block of a real width is with 8 bits

A run is the engine's own, of public weights of real widths, few layers and random values in a
folder of temporary files: words, two steps of one branch, the decode. What was taken is the most
that the system says the process has held (VmHWM). What was said is the plan's, and what the process
held when all was imported and nothing loaded ("bare"), which no plan counts.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

STEPS = 2


@dataclass(frozen=True, kw_only=True)
class Run:
    """Widths of the networks, the clip, the numbers and the way."""

    dim: int
    mlp: int
    layers: int
    width: int
    height: int
    frames: int
    way: str
    dtype: str = "bfloat16"
    vae: int = 16  # its base width; 96 in Wan 2.1
    bits8: bool = False


_STREAMED = "decoded latent by latent; blocks streamed"
RUNS = (
    Run(dim=1536, mlp=8960, layers=4, width=256, height=160, frames=9, way="all resident"),
    Run(dim=1536, mlp=8960, layers=8, width=256, height=160, frames=9, way=_STREAMED),
    Run(dim=1536, mlp=8960, layers=4, width=416, height=240, frames=9, way=_STREAMED),
    Run(dim=1536, mlp=8960, layers=4, width=256, height=160, frames=9, way="all resident",
        dtype="float32"),
    Run(dim=3072, mlp=14336, layers=3, width=160, height=96, frames=9, way="all resident"),
    Run(dim=3072, mlp=14336, layers=4, width=160, height=96, frames=9, way=_STREAMED),
    Run(dim=5120, mlp=13824, layers=4, width=128, height=64, frames=5, way=_STREAMED),
    Run(dim=1536, mlp=8960, layers=6, width=256, height=160, frames=9, way="all resident",
        bits8=True),
    Run(dim=768, mlp=3072, layers=2, width=416, height=240, frames=9, vae=32,
        way="decoded latent by latent"),
    Run(dim=768, mlp=3072, layers=2, width=320, height=192, frames=13, vae=32,
        way="one network at a time"),
)  # fmt: skip


class Letters(nn.Module):
    """In place of UMT5: a row for each letter."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.ones(256, width), requires_grad=False)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.table[ids] * mask[..., None]


def written(run: Run, folder: Path) -> None:
    """A folder of public weights of random values, as diffusers lays it out."""
    from diffusers import AutoencoderKLWan, WanTransformer3DModel

    torch.set_default_dtype(getattr(torch, run.dtype))
    WanTransformer3DModel(
        num_attention_heads=run.dim // 128, attention_head_dim=128, text_dim=4096,
        ffn_dim=run.mlp, num_layers=run.layers,
    ).save_pretrained(folder / "transformer")  # fmt: skip
    torch.set_default_dtype(torch.float32)
    AutoencoderKLWan(base_dim=run.vae).save_pretrained(folder / "vae")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "WanPipeline"}))


def child(run: Run, folder: Path) -> None:
    """The run, in this process: bytes that were said and taken, and where its most was."""
    from worldreel import engine, plan
    from worldreel.loading import described
    from worldreel.models.footprint import Numbers
    from worldreel.models.wan_text import WanText
    from worldreel.offload import ways

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    cpu, dtype = torch.device("cpu"), getattr(torch, run.dtype)
    model, _ = described(folder)
    words = replace(model.text, params=256 * 4096, table=0, layers=1, dim=1, mlp=1, heads=1)
    text = WanText(lambda said: [*said.encode(), 1], Letters(4096))
    model, way = replace(model, text=words), ways(cpu, bits8=run.bits8)[run.way]
    how = Numbers(dtype=dtype, stored=dtype, guided=False)
    shape = plan.shape_of(model, run.frames, run.height, run.width)
    told = plan.peak(way, *plan.parts_of(model, shape, how, way))
    torch.ones(64, 64, dtype=dtype).matmul(
        torch.ones(64, 64, dtype=dtype)
    )  # its libraries are there
    bare = held("VmRSS")
    made_by = engine.load(
        folder, dtype=run.dtype, text=text, way=run.way, weights="int8" if run.bits8 else "auto"
    )
    loaded = held("VmHWM")
    video = made_by.generate(
        "a fox", num_frames=run.frames, size=f"{run.width}x{run.height}", guidance_scale=1,
        num_inference_steps=STEPS,
    )  # fmt: skip
    assert video.frames.shape == (run.frames, run.height, run.width, 3)
    most = held("VmHWM")
    print(json.dumps({"said": told, "taken": most - bare, "bare": bare,
                      "loaded": loaded - bare}))  # fmt: skip


def held(name: str) -> int:
    found = re.search(name + r":\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return 1024 * int(found[1])


def measured(run: Run) -> dict[str, int]:
    """A run in processes of its own: one writes the weights, one runs."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("write", "run"):
            command = [sys.executable, __file__, f"--{part}", folder, json.dumps(asdict(run))]
            out = subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL)
        return json.loads(out.splitlines()[-1])


def nearness() -> None:
    """A block of 14B's width and three of 1.3B's with random weights, in 8 bits and not."""
    from worldreel.models.bits8 import quantise
    from worldreel.models.dit import DiT
    from worldreel.models.presets import DitPreset
    from worldreel.tokens import positions

    for dim, mlp, layers in ((1536, 8960, 3), (5120, 13824, 1)):
        preset = DitPreset(
            channels=16, dim=dim, heads=dim // 128, layers=layers, mlp=mlp, text_dim=64, patch=2
        )
        torch.manual_seed(0)
        model = DiT(preset).requires_grad_(False)
        model.init(torch.Generator().manual_seed(0))
        for p in model.parameters():
            if not p.any():
                p.normal_(std=0.02)
        x, words = torch.randn(1, 64, 64), torch.randn(1, 8, 64)
        level, which = torch.full((1, 1), 0.5), torch.zeros(1, 64, dtype=torch.long)
        pos = positions((1, 8, 8))[None]

        truth = model(x, level, level, which, pos, model.read([(None, words, None)], 1))
        before = sum(p.nbytes for p in model.blocks.parameters()) // 2  # as they are in bf16
        for block in model.blocks:
            quantise(block)
        after = sum(p.nbytes for p in model.blocks.parameters())
        out = model(x, level, level, which, pos, model.read([(None, words, None)], 1))
        near = torch.cosine_similarity(out.flatten(), truth.flatten(), 0)
        print(
            f"{layers} block(s), {dim} wide: cosine {float(near):.6f}, "
            f"{after / before:.3f} of the bytes in bf16"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--only", type=int, help="one run, from 1")
    options.add_argument("--bits8", action="store_true")
    options.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    options.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.write:
        return written(Run(**json.loads(asked.write[1])), Path(asked.write[0]))
    if asked.run:
        return child(Run(**json.loads(asked.run[1])), Path(asked.run[0]))
    if asked.bits8:
        return nearness()
    print("| run | width, layers | clip | way | bare, MiB | said | taken | said / taken "
          "| without bare |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for n, run in enumerate(RUNS, 1):
        if asked.only in (None, n):
            found = measured(run)
            bare, said, taken = (found[name] for name in ("bare", "said", "taken"))
            way = run.way + (", 8 bits" if run.bits8 else "")
            print(
                f"| {n} | {run.dim}, {run.layers}, {run.dtype} | {run.width}x{run.height}, "
                f"{run.frames} frames | {way} | {bare / 2**20:.0f} | {(bare + said) / 2**20:.0f} | "
                f"{(bare + taken) / 2**20:.0f} | {(bare + said) / (bare + taken):.2f} | "
                f"{said / taken:.2f} |",
                flush=True,
            )
    return None


if __name__ == "__main__":
    main()
