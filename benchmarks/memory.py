"""Is the memory plan true? Whole runs on the CPU, in a process each, against what was foretold.

    python benchmarks/memory.py             ten shapes: said, taken, and the difference
    python benchmarks/memory.py --only 3,8  some of them
    python benchmarks/memory.py --large     four of real widths: minutes, and up to 4 GiB each
    python benchmarks/memory.py --bits8     how near a block of a real width is with 8 bits

A run is the engine's own, of public weights of real structure, few layers and random values in a
folder of temporary files: words, two steps, the decode. What was taken is the most that the system
says the process has held (VmHWM). What was said is the plan's, and what the process held when all
was imported and nothing loaded ("bare"), which no plan counts.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from worldreel.bench.minutes import Letters

STEPS = 2
WITHIN = 0.2  # of what was taken: what the plan promises on a CPU


@dataclass(frozen=True, kw_only=True)
class Net:
    """Weights that several runs share: of a kind, so wide, in so many layers."""

    kind: str = "t2v"  # as in `KINDS`
    dim: int = 1536
    mlp: int = 8960
    layers: int = 4
    dtype: str = "bfloat16"
    vae: int = 16  # its base width; 96 in Wan 2.1


@dataclass(frozen=True, kw_only=True)
class Run:
    """A clip, a task and a way to run it."""

    net: Net
    width: int = 256
    height: int = 160
    frames: int = 9
    way: str = "all resident"
    task: str = "words"  # or "picture", "reference", "file" (words, into an mp4), "stream"
    guided: bool = False
    bits8: bool = False

    def __str__(self) -> str:
        n, more = self.net, ", guided" if self.guided else ""
        return (
            f"{n.kind}, {n.dim} wide, {n.layers} layers, {n.dtype} | {self.task}{more} | "
            f"{self.width}x{self.height}, {self.frames} frames | "
            f"{self.way}{', 8 bits' if self.bits8 else ''}"
        )


KINDS: dict[str, dict[str, Any]] = {  # what of diffusers' config is not the plain one's
    "t2v": {},
    "i2v": {"in_channels": 36},
    "vace": {"vace_layers": [0, 2], "vace_in_channels": 96},
    "ti2v": {"in_channels": 48, "out_channels": 48},
}
_TI2V_VAE = {"is_residual": True, "patch_size": 2, "in_channels": 12, "out_channels": 12,
             "scale_factor_spatial": 16, "z_dim": 48, "latents_mean": [0.0] * 48,
             "latents_std": [1.0] * 48}  # fmt: skip

_STREAMED = "decoded latent by latent; blocks streamed"
_T2V = Net()
_SOFT = Net(dim=768, mlp=3072, layers=2, vae=32)  # whose decoder takes most
RUNS = (
    Run(net=_T2V),
    Run(net=_T2V, guided=True, width=416, height=240, task="file"),
    Run(net=_T2V, way=_STREAMED),
    Run(net=_T2V, bits8=True),
    Run(net=_T2V, task="stream", frames=17),
    Run(net=_SOFT, width=416, height=240, way="decoded latent by latent"),
    Run(net=_SOFT, width=416, height=240, way="decoded in tiles"),
    Run(net=Net(kind="i2v", layers=3), task="picture"),
    Run(net=Net(kind="vace", layers=3), task="reference"),
    Run(net=Net(kind="ti2v", layers=3), task="picture", width=320, height=192),
)
LARGE = (
    Run(net=Net(dim=3072, mlp=14336, layers=3), width=160, height=96),
    Run(net=Net(dim=5120, mlp=13824, layers=4), width=128, height=64, frames=5, way=_STREAMED),
    Run(net=Net(dim=1536, mlp=8960, layers=12), bits8=True),
    Run(net=Net(dim=1536, mlp=8960, layers=6, dtype="float32")),
)


def written(net: Net, folder: Path) -> None:
    """A folder of public weights of random values, as diffusers lays it out."""
    import diffusers

    torch.set_default_dtype(getattr(torch, net.dtype))
    name = "WanVACETransformer3DModel" if net.kind == "vace" else "WanTransformer3DModel"
    asked = {"in_channels": 16, "out_channels": 16} | KINDS[net.kind]
    getattr(diffusers, name)(
        num_attention_heads=net.dim // 128, attention_head_dim=128, text_dim=4096,
        ffn_dim=net.mlp, num_layers=net.layers, **asked,
    ).save_pretrained(folder / "transformer")  # fmt: skip
    torch.set_default_dtype(torch.float32)
    more: dict[str, Any] = {}
    if net.kind == "ti2v":
        more = _TI2V_VAE | {"decoder_base_dim": net.vae}
    diffusers.AutoencoderKLWan(base_dim=net.vae, **more).save_pretrained(folder / "vae")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "WanPipeline"}))


def foretold(run: Run, folder: Path) -> int:
    """Bytes that the plan says."""
    from worldreel import plan
    from worldreel.loading import described
    from worldreel.models.footprint import Numbers
    from worldreel.offload import ways

    model, _ = described(folder)
    # `Letters` is all there is of a text encoder
    words = replace(model.text, params=256 * 4096, table=0, layers=1, dim=1, mlp=1, heads=1)
    model = replace(model, text=words)
    way = ways(torch.device("cpu"), bits8=run.bits8)[run.way]
    dtype = getattr(torch, run.net.dtype)
    levels = 2 if model.by_token and run.task == "picture" else 1
    how = Numbers(dtype=dtype, stored=dtype, guided=run.guided, levels=levels, rowwise=True)
    frames = 9 if run.task == "stream" else run.frames + 4 * (run.task == "reference")
    into = "file" if run.task == "file" else "memory"
    shape = plan.shape_of(model, frames, run.height, run.width, into=into)
    if run.task == "stream":  # latent by latent always
        way = replace(way, at_once=1)
    return plan.peak(way, *plan.parts_of(model, shape, how, way))


def work(run: Run, model: Any, folder: Path) -> int:
    """The run itself; how many frames came of it."""
    from worldreel.course import Pace
    from worldreel.request import Request
    from worldreel.stream import stream

    size = (run.width, run.height)
    asked: dict[str, Any] = {"size": size, "num_inference_steps": STEPS}
    asked["guidance_scale"] = 5.0 if run.guided else 1.0
    picture = np.zeros((run.height, run.width, 3), np.uint8)
    if run.task == "stream":
        pace = Pace(window=3, advance=2, context_level=0.0, anchor=0)
        seconds = (run.frames - 1) / model.limits.fps
        made = stream(model, "a fox", seconds=seconds, pace=pace, **asked)
        return sum(len(chunk.frames) for chunk in made)
    if run.task == "file":
        request = Request(prompt="a fox", num_frames=run.frames, model=model.limits.name, **asked)
        film = model.film(request)
        film.save(folder / "fox.mp4")
        return film.num_frames
    asked |= {"picture": {"image": picture}, "reference": {"references": [picture]}}.get(
        run.task, {}
    )
    return len(model.generate("a fox", num_frames=run.frames, **asked))


def child(run: Run, folder: Path) -> None:
    """The run, in this process: bytes that were said and taken, and where its most was."""
    from worldreel import engine, footage, stream  # noqa: F401 (all is imported before)
    from worldreel.models.wan_text import WanText

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    dtype = getattr(torch, run.net.dtype)
    told = foretold(run, folder)
    text = WanText(lambda said: [*said.encode(), 1], Letters(4096))
    one = torch.ones(64, 64, dtype=dtype)
    one.matmul(one)  # its libraries are there
    bare = held("VmRSS")
    model = engine.load(
        folder, dtype=run.net.dtype, text=text, way=run.way,
        weights="int8" if run.bits8 else "auto",
    )  # fmt: skip
    loaded = held("VmHWM")
    assert work(run, model, folder) == run.frames
    most = held("VmHWM")
    print(json.dumps({"said": told, "taken": most - bare, "bare": bare,
                      "loaded": loaded - bare}))  # fmt: skip


def held(name: str) -> int:
    found = re.search(name + r":\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return 1024 * int(found[1])


def measured(runs: Sequence[tuple[int, Run]]) -> None:
    """Runs of the same weights: a process writes them, and each run is one; a row for each."""
    with tempfile.TemporaryDirectory() as folder:
        _process("write", folder, asdict(runs[0][1].net))
        for number, run in runs:
            found = _process("run", folder, asdict(run))
            bare, said, taken = (found[name] / 2**20 for name in ("bare", "said", "taken"))
            share = (bare + said) / (bare + taken)
            print(
                f"| {number} | {run} | {bare:.0f} | {bare + said:.0f} | {bare + taken:.0f} | "
                f"{share:.2f}{'' if abs(1 - share) <= WITHIN else ', out'} | {said / taken:.2f} |",
                flush=True,
            )


def _process(part: str, folder: str, what: dict[str, Any]) -> dict[str, int]:
    command = [sys.executable, "-W", "ignore", __file__, f"--{part}", folder, json.dumps(what)]
    done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{part} failed: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.splitlines()[-1]) if part == "run" else {}


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
    options.add_argument("--only", help="some runs, from 1, with commas between")
    options.add_argument("--large", action="store_true", help="those of real widths instead")
    options.add_argument("--bits8", action="store_true")
    options.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    options.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.write:
        return written(Net(**json.loads(asked.write[1])), Path(asked.write[0]))
    if asked.run:
        told = json.loads(asked.run[1])
        return child(Run(**told | {"net": Net(**told["net"])}), Path(asked.run[0]))
    if asked.bits8:
        return nearness()
    wanted = {int(n) for n in asked.only.split(",")} if asked.only else None
    runs = enumerate(LARGE if asked.large else RUNS, 1)
    by_net: dict[Net, list[tuple[int, Run]]] = {}
    for number, run in runs:
        if wanted is None or number in wanted:
            by_net.setdefault(run.net, []).append((number, run))
    print("| run | network | task | clip | way | bare, MiB | said | taken | said / taken "
          "| without bare |")  # fmt: skip
    print("|---" * 10 + "|")
    for some in by_net.values():
        measured(some)
    return None


if __name__ == "__main__":
    main()
