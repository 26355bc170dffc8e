"""What guidance in an interval saves, and how far its outcome is from guidance everywhere.

    python benchmarks/interval.py            marble and a random Wan: a minute or two
    python benchmarks/interval.py --quick    the smallest sizes: whether it works

Saved is what a count of a clip's passes through the transformer says: a step that is not guided is
one, and not two. Outcomes are compared with guidance everywhere, from the same noise: of marble,
the packaged one, in frames (dB of PSNR, the mean over prompts); of a Wan of random weights, which
shows that the code does it and says nothing of films, in latents. For scale: no guidance at all,
and another seed.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from worldreel import engine
from worldreel.engine import Engine
from worldreel.media import Video
from worldreel.models.dit import DiT
from worldreel.models.presets import DitPreset, WanVaePreset
from worldreel.models.wan_models import MODELS
from worldreel.models.wan_vae import WanVae
from worldreel.public import Public
from worldreel.request import RequestWarning

INTERVALS = ((0.0, 1.0), (0.3, 1.0), (0.0, 0.9), (0.3, 0.9), (0.5, 0.95), (0.6, 0.9))
PROMPTS = (
    "a red ball rolls to the left in a meadow",
    "a blue cube falls onto a wooden table",
    "a green cone stands on the snow, the camera circles",
    "a yellow cylinder slides to the right on the sand",
)
WORDS = 16


class States(nn.Module):
    """In place of UMT5: states that follow from the letters alone."""

    def states(self, text: str) -> tuple[torch.Tensor, int]:
        draw = torch.Generator().manual_seed(sum(text.encode()))
        return torch.randn(1, 8, WORDS, generator=draw), 0


@dataclass
class Counted:
    """A model and how many clips went through its transformer."""

    model: Engine
    passes: int = 0

    def __post_init__(self) -> None:
        self.model.dit.patch_in.register_forward_hook(self._count)

    def _count(self, layer: nn.Module, given: tuple[torch.Tensor], out: torch.Tensor) -> None:
        self.passes += len(given[0])

    def of(self, work: Callable[[], Any]) -> tuple[Any, int]:
        self.passes = 0
        return work(), self.passes


def random_wan(quick: bool) -> Counted:
    """Wan's structure, sampled as the 1.3B is, with weights of no meaning."""
    draw = torch.Generator().manual_seed(0)
    preset = DitPreset(
        channels=16, out_channels=16, dim=96, heads=2, layers=2 if quick else 4, mlp=256,
        text_dim=WORDS, patch=2,
    )  # fmt: skip
    dit = DiT(preset).eval().requires_grad_(False)
    for p in dit.parameters():
        spread = p[0].numel() ** -0.5 if p.ndim > 1 else 0.3
        p.normal_(std=spread, generator=draw)
    vae = WanVaePreset(channels=16, encoder=4, decoder=4, mean=(0.0,) * 16, deviation=(1.0,) * 16)
    public = Public(model=next(m for m in MODELS if m.name == "wan2.1-t2v-1.3b"))
    made = Engine(
        settings=public.settings, text=States(), dit=dit, compressor=WanVae(vae),  # type: ignore[arg-type]
        device=torch.device("cpu"), public=public,
    )  # fmt: skip
    return Counted(made)


def latents_of(
    model: Engine, steps: int, *, seed: int = 0, scale: float = 5.0,
    interval: tuple[float, float] = (0.0, 1.0),
) -> torch.Tensor:  # fmt: skip
    """A clip of 3 x 8 x 8 latents of a random Wan."""
    from worldreel.canvas import blank

    said, _ = model.text.states("a fox runs through snow")
    return model.paint(
        blank((1, 16, 3, 8, 8)), [said], [model.text.states("")[0]], seeds=[seed], steps=steps,
        guidance_scale=scale, guidance_interval=interval,
    )  # fmt: skip


def decibels(one: Video, other: Video) -> float:
    error = float(np.square(one.frames.astype(float) - other.frames).mean())
    return 10 * float(np.log10(255**2 / max(error, 1e-9)))


def rows(quick: bool) -> list[str]:
    """The table's, the plain run first."""
    torch.set_num_threads(1)
    marble, wan = Counted(engine.load("marble", dtype="float32")), random_wan(quick)
    steps, most = (3, 4) if quick else (20, 50)
    asked: dict[str, Any] = {"num_inference_steps": steps, "size": (96, 96) if quick else (144, 80)}
    asked["num_frames"] = 4 if quick else 24
    prompts = PROMPTS[:1] if quick else PROMPTS

    def clips(seed: int = 7, **more: Any) -> list[Video]:
        return [marble.model.generate(one, seed=seed, **asked, **more) for one in prompts]

    def row(said: str, made: tuple[Any, int], other: tuple[Any, int]) -> str:
        (videos, count), (latents, passes) = made, other
        whole = count / len(prompts)
        near = np.mean([decibels(a, b) for a, b in zip(videos, truth, strict=True)])
        apart = float((latents - base).norm() / base.norm())
        said_near = "the same" if near > 100 else f"{near:.1f}"
        return (
            f"| {said} | {whole:.0f} | {1 - whole / (2 * steps):.0%} | {said_near} | {passes} | "
            f"{1 - passes / (2 * most):.0%} | {apart:.2f} |"
        )

    first = marble.of(clips)
    second = wan.of(lambda: latents_of(wan.model, most))
    truth, base = first[0], second[0]
    found = [row("0 to 1, as it is by default", first, second)]
    for low, high in INTERVALS[1:]:
        found.append(
            row(
                f"{low:g} to {high:g}",
                marble.of(lambda low=low, high=high: clips(guidance_interval=(low, high))),
                wan.of(
                    lambda low=low, high=high: latents_of(wan.model, most, interval=(low, high))
                ),
            )
        )
    alone = marble.of(lambda: clips(guidance_scale=1))
    found.append(row("no guidance", alone, wan.of(lambda: latents_of(wan.model, most, scale=1))))
    other = marble.of(lambda: clips(seed=8))
    found.append(row("another seed", other, wan.of(lambda: latents_of(wan.model, most, seed=1))))
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--quick", action="store_true", help="the smallest sizes")
    asked = options.parse_args()
    warnings.simplefilter("ignore", RequestWarning)
    print(
        "| guided at levels | marble: passes | saved | from guidance everywhere, dB "
        "| random Wan: passes | saved | apart, latents |"
    )
    print("|---" * 7 + "|")
    print("\n".join(rows(asked.quick)))


if __name__ == "__main__":
    main()
