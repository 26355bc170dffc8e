"""Which races there are, and at what sizes: C1 to C8 on a CPU, G1 to G8 on a GPU.

The sizes are tables; `quick` has the smallest at which the code is still the same, for tests. A
race is built when it is run, so that none holds memory for another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from worldreel.bench import clips, lengths, passes, rolling, twins
from worldreel.bench.passes import Clip, can_compile
from worldreel.bench.race import Race
from worldreel.errors import RequestError

KINDS = ("cpu", "gpu")
Build = Callable[[], Race]

# Networks, by diffusers' config.
TINY = twins.config(dim=48, heads=2, layers=2, mlp=96, channels=4, text=16)
TINY_CHUNKS = twins.config(dim=48, heads=2, layers=2, mlp=96, channels=4, text=16, patch=1)
SMALL = twins.config(dim=384, heads=6, layers=12, mlp=1536, text=512)  # 30 M
MARBLE = twins.config(dim=192, heads=3, layers=10, mlp=768, channels=48, text=192, patch=1)
WAN_1B = twins.config(dim=1536, heads=12, layers=30, mlp=8960)
WAN_14B = twins.config(dim=5120, heads=40, layers=40, mlp=13824)
VAE = twins.vae_config()
TINY_VAE = twins.vae_config(base=8, channels=4)

BASE = (256, 144)  # marble's size: 48 frames are 12 latents of 9x16 tokens


def races(which: str, *, device: torch.device, quick: bool = False) -> dict[str, Build]:
    """The races of a kind by key, unbuilt."""
    if which not in KINDS:
        raise RequestError(f"no races {which!r}: one of {', '.join(KINDS)}")
    return (_cpu if which == "cpu" else _gpu)(device, quick)


def chosen(all_races: Mapping[str, Build], only: str | None) -> list[str]:
    """Keys that were asked for, with commas between, in the programme's order."""
    if only is None:
        return list(all_races)
    asked = [key.strip().upper() for key in only.split(",") if key.strip()]
    unknown = [key for key in asked if key not in all_races]
    if unknown or not asked:
        known = ", ".join(all_races)
        raise RequestError(f"no race {', '.join(unknown) or only!r}: there are {known}")
    return [key for key in all_races if key in asked]


def _cpu(device: torch.device, quick: bool) -> dict[str, Build]:
    compiled = not quick and can_compile(device)
    rounds: dict[str, Any] = {"rounds": 5} if quick else {}

    def clip(net: Mapping[str, Any], latents: tuple[int, int, int], words: int) -> Clip:
        return Clip(net=net, latents=latents, words=words, device=device)

    whole = clip(TINY, (3, 8, 8), 7) if quick else clip(SMALL, (9, 32, 32), 128)
    window = clip(TINY_CHUNKS, (4, 4, 4), 7) if quick else clip(MARBLE, (12, 9, 16), 24)
    wide = window if quick else clip({**WAN_1B, "num_layers": 4}, (5, 32, 32), 512)
    best = passes.formats(device)[-1:]
    kept = 3 if quick else 9
    vae, shape = (TINY_VAE, (3, 4, 4)) if quick else (VAE, (5, 16, 16))
    size, frames, share = ((96, 96), 8, 9) if quick else (BASE, 48, 8)
    growth: dict[str, Any] = (
        {"size": (96, 96), "seconds": (2, 3), "whole": (2, 3)}
        if quick
        else {"size": BASE, "seconds": (4, 8, 16, 32, 60, 120), "whole": (16, 60)}
    )
    return {
        "C1": lambda: passes.forward("C1", "forward", whole, compiled=compiled, **rounds),
        "C2": lambda: passes.chunk("C2", "chunk of a stream", window, kept=kept, rule=1, **rounds),
        "C3": lambda: clips.decode("C3", "Wan 2.1's decoder", vae, shape, device, rounds=5),
        "C4": lambda: clips.product(
            "C4",
            "words to frames",
            device,
            size=size,
            frames=frames,
            vae=vae,
            share=share,
            rounds=5,
        ),
        "C5": lambda: lengths.growth("C5", "long video", **growth),
        "C6": lambda: passes.train_step("C6", "training step", whole, rounds=5),
        "C7": lambda: passes.forward(
            "C7", "forward at the 1.3B's width, 4 of 30 layers", wide, kinds=best, compiled=False,
            **rounds,
        ),
        "C8": lambda: passes.forward(
            "C8", "forward, marble's shapes", window, kinds=best, compiled=False, **rounds
        ),
    }  # fmt: skip


def _gpu(device: torch.device, quick: bool) -> dict[str, Build]:
    full = not quick
    compiled = full and can_compile(device)
    bf16 = (torch.bfloat16,)
    backends = ("", "_native_cudnn") if device.type == "cuda" else ("",)

    def clip(net: Mapping[str, Any], latents: tuple[int, int, int], *, layers: int = 0) -> Clip:
        if quick:
            t, words = (4 if net is WAN_1B and latents[0] == 21 else 3), 7
            return Clip(net=TINY, latents=(t, 8, 8), words=words, device=device)
        cut = {**net, "num_layers": layers} if layers else net
        return Clip(net=cut, latents=latents, words=512, device=device)

    p480, p720 = (21, 60, 104), (21, 90, 160)
    kept = 18 if full else 3
    vae, shape = (VAE, p480) if full else (TINY_VAE, (3, 4, 4))
    spans: dict[str, Any] = (
        {"lengths": (5, 10, 20, 60), "whole": (5, 20)}
        if full
        else {"lengths": (0.5, 1, 2), "whole": (1, 2)}
    )
    forward: dict[str, Any] = {"kinds": bf16, "compiled": compiled, "rounds": 5}
    return {
        "G1": lambda: passes.forward(
            "G1", "1.3B, 480p, 81 frames", clip(WAN_1B, p480), backends=backends, **forward
        ),
        # eager and compiled weights of both sides would not fit together
        "G2": lambda: passes.forward(
            "G2", "14B, 480p, 81 frames", clip(WAN_14B, p480), backends=backends[-1:],
            eager=not compiled, **forward,
        ),
        "G3": lambda: passes.forward(
            "G3", "14B, 720p, 81 frames, 8 of 40 layers", clip(WAN_14B, p720, layers=8),
            backends=backends[-1:], **forward,
        ),
        "G4": lambda: clips.decode("G4", "Wan 2.1's decoder, 480p", vae, shape, device, rounds=5),
        "G5": lambda: clips.wan_clip(
            "G5", "1.3B, words to bytes", clip(WAN_1B, p480), vae, rounds=3 if full else 5,
            backend=backends[-1],
        ),
        "G6": lambda: rolling.stream_chunk(
            "G6", "chunk of a stream at the 1.3B's size", clip(WAN_1B, p480), vae, kept=kept
        ),
        "G7": lambda: rolling.rolling(
            "G7", "long video at the 1.3B's size", clip(WAN_1B, p480), vae, kept=kept, **spans
        ),
        "G8": lambda: passes.train_step(
            "G8", "training step of the 1.3B, 480p, 17 frames", clip(WAN_1B, (5, 60, 104)),
            checkpointed=True, rounds=5,
        ),
    }  # fmt: skip
