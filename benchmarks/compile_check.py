"""Whether compiled blocks give the gradients that plain ones give, and how much faster they are.

    python benchmarks/compile_check.py [--tiny] [--device cuda] [--bf16] [--batch 8]

A compiler that is wrong at one shape alone ruins a run quietly (docs/LOG.md), so this goes through
every shape and canvas that a recipe's run meets. It exits with 1 where a gradient is not finite, or
is further than the tolerance from the plain one, relative to the largest in its tensor.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time

import torch
from torch import Tensor

from worldreel import canvas, flow, tokens
from worldreel.models.dit import DiT
from worldreel.models.presets import MARBLE_DIT, TINY_DIT
from worldreel.train.course import compile_blocks

SIZES = {"still": (1, 5, 9), "small": (6, 5, 9), "square": (6, 6, 6), "base": (6, 9, 16)}
TASKS = ("blank", "first", "keyframes", "inpaint", "loosen")
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.1}


def gradients(model: DiT, shape: tuple[int, ...], task: str) -> tuple[dict[str, Tensor], float]:
    """Gradients of the flow loss on a fixed batch, and the seconds they took."""
    device = model.head.weight.device
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(shape, generator=generator).to(device) for _ in range(2))
    states = torch.randn(shape[0], 24, model.preset.text_dim, generator=generator).to(device)
    sigma = flow.draw_levels(shape[0], generator=generator)[:, None].to(device)
    board = canvas.random(clean, generator=generator, tasks={task: 1.0}, soft=0.0)
    box = tokens.bag(board)
    model.zero_grad()
    began = time.perf_counter()
    words = model.read([(None, states, None)], shape[0])
    context = tokens.remember(model, board, box)
    field = tokens.velocity(model, board, box, words, context=context)
    v = field(canvas.start(board, noise, sigma), sigma, sigma)
    flow.loss(v, clean, noise, canvas.levels(board, sigma)).backward()
    grads = {n: p.grad.float().cpu() for n, p in model.named_parameters() if p.grad is not None}
    return grads, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="the tests' preset, one shape")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--batch", type=int, default=8)
    given = parser.parse_args()
    preset, dtype = MARBLE_DIT, torch.bfloat16 if given.bf16 else torch.float32
    sizes, tasks = SIZES, TASKS
    if given.tiny:
        preset, sizes, tasks = TINY_DIT, {"tiny": (3, 2, 3)}, ("blank", "first")
    generator = torch.Generator().manual_seed(0)
    plain = DiT(preset, dtype=dtype).init(generator)
    for p in plain.parameters():  # no zeros: every path must count
        torch.nn.init.normal_(p, std=0.05, generator=generator)
    compiled = copy.deepcopy(plain.to(given.device))
    if not compile_blocks(compiled):
        sys.exit("no C++ compiler found: there is nothing to compare")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {given.device}, {dtype}")
    print("| size | task | largest difference | plain, s | compiled, s | first call, s |")
    print("|---|---|---|---|---|---|")
    good = True
    for name, size in sizes.items():
        for task in tasks:
            if canvas.DRAWS[task][2] > size[0]:
                continue
            shape = (given.batch, preset.channels, *size)
            gradients(plain, shape, task)
            wanted, slow = gradients(plain, shape, task)
            _, first = gradients(compiled, shape, task)
            found, fast = gradients(compiled, shape, task)
            assert set(found) == set(wanted)
            gaps = [
                (found[k] - g).abs().max() / g.abs().max().clamp_min(1e-12)
                for k, g in wanted.items()
            ]
            gap = torch.stack(gaps).max().item()  # NaN, if one is
            good = good and gap < TOLERANCE[dtype]
            print(
                f"| {name} | {task} | {gap:.1e} | {slow:.3f} | {fast:.3f} | {first:.1f} |",
                flush=True,
            )
    sys.exit(0 if good else "compiled gradients differ: train with --set compile=false")


if __name__ == "__main__":
    main()
