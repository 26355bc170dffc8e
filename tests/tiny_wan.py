"""Tiny random public models, as diffusers saves them, for the tests of several files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from worldreel.models.wan_text import WanText

WORDS = 12  # the width of a state
_PAIR = {"experts": 2, "boundary": 0.875, "shift": 12.0}
KINDS: dict[str, dict[str, Any]] = {
    "t2v": {},
    "pair": _PAIR,
    "level": {"channels": 48},
    "first": _PAIR | {"takes": 36, "boundary": 0.9, "shift": 5.0},
    "control": {"shift": 16.0, "vace_layers": [0, 1], "vace_in_channels": 96},
}


class Letters(nn.Module):
    """A text encoder for tests: a vector for each letter."""

    def __init__(self):
        super().__init__()
        table = torch.randn(256, WORDS, generator=torch.Generator().manual_seed(5))
        self.table = nn.Parameter(table, requires_grad=False)

    def forward(self, ids, mask):
        return self.table[ids] * mask[..., None]


def letters() -> WanText:
    return WanText(lambda text: [*text.encode(), 1], Letters(), length=16)


def random(module: nn.Module, seed: int) -> nn.Module:
    """Weights large enough that every part of a network is heard."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in module.named_parameters():
            spread = 0.3 if p.ndim < 2 or "table" in name else p[0].numel() ** -0.5
            near = 1.0 if "norm" in name and name.endswith(("weight", "gamma")) else 0.0
            p.copy_(near + spread * torch.randn(p.shape, generator=generator))
    return module.eval()


def saved(folder: Path, kind: str) -> tuple[Path, list[nn.Module], Any, Any]:
    """A folder of a kind of KINDS; diffusers' transformers, autoencoder and scheduler."""
    from diffusers import (
        AutoencoderKLWan,
        UniPCMultistepScheduler,
        WanTransformer3DModel,
        WanVACETransformer3DModel,
    )

    asked = {"channels": 16, "experts": 1, "boundary": None, "shift": 5.0} | KINDS[kind]
    channels, level = asked["channels"], kind == "level"
    wide = dict(is_residual=True, patch_size=2, in_channels=12, out_channels=12)
    vae = random(
        AutoencoderKLWan(
            base_dim=4,
            decoder_base_dim=4,
            z_dim=channels,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            latents_mean=[0.1] * channels,
            latents_std=[1.3] * channels,
            **(wide | {"scale_factor_spatial": 16} if level else {}),
        ),
        1,
    )
    vace = {name: asked[name] for name in ("vace_layers", "vace_in_channels") if name in asked}
    network = WanVACETransformer3DModel if vace else WanTransformer3DModel
    transformers = [
        random(
            network(
                num_attention_heads=2,
                attention_head_dim=12,
                in_channels=asked.get("takes", channels),
                out_channels=channels,
                text_dim=WORDS,
                ffn_dim=32,
                num_layers=2,
                freq_dim=16,
                **vace,
            ),
            2 + i,
        )
        for i in range(asked["experts"])
    ]
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=asked["shift"]
    )
    for name, part in zip(("transformer", "transformer_2"), transformers, strict=False):
        part.save_pretrained(folder / name)
    vae.save_pretrained(folder / "vae")
    scheduler.save_pretrained(folder / "scheduler")
    index: dict[str, Any] = {"_class_name": "WanPipeline", "transformer_2": [None, None]}
    if asked["experts"] > 1:
        index |= {"transformer_2": ["diffusers", "x"], "boundary_ratio": asked["boundary"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder, transformers, vae, scheduler


def psnr(a, b, peak) -> float:
    error = float(np.square(np.asarray(a, float) - np.asarray(b, float)).mean())
    return float("inf") if not error else 10 * np.log10(peak**2 / error)
