"""A tiny random model in a folder, for the tests that make videos."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from worldreel import checkpoint
from worldreel.models import presets
from worldreel.models.compressor import Compressor
from worldreel.models.dit import DiT
from worldreel.models.presets import Settings
from worldreel.models.text import Lexicon, TextEncoder

WORDS = ("a", "ball", "red", "blue", "cube", "rolls", "红色", "球", "滚动")


def randomize(net: torch.nn.Module, seed: int, std: float = 0.15) -> torch.nn.Module:
    """No zeros: every path must count."""
    generator = Generator().manual_seed(seed)
    for p in net.parameters():
        torch.nn.init.normal_(p, std=std, generator=generator)
    return net.requires_grad_(False)


def write_model(folder: Path, name: str = "tiny") -> Path:
    labels = {slot: ("unsaid", "x", "y") for slot in ("kind", "color", "setting", "side")}
    text = randomize(TextEncoder(presets.TINY_TEXT, Lexicon(WORDS), labels), 1)
    dit = randomize(DiT(presets.TINY_DIT), 2)
    compressor = randomize(Compressor(presets.TINY_COMPRESSOR), 3, std=0.05)
    generator = Generator().manual_seed(4)
    compressor.get_buffer("basis").normal_(std=0.03, generator=generator)
    config = {
        "preset": dataclasses.asdict(presets.TINY_TEXT),
        "lexicon": list(WORDS),
        "labels": {slot: list(values) for slot, values in labels.items()},
    }
    parts = {
        "text": (text, config),
        "dit": (dit, dataclasses.asdict(presets.TINY_DIT)),
        "compressor": (compressor, dataclasses.asdict(presets.TINY_COMPRESSOR)),
    }
    for kind, (net, held) in parts.items():
        checkpoint.save(folder / kind, kind=kind, config=held, tensors=net.state_dict())
    settings = dataclasses.asdict(Settings(name=name))
    (folder / "model.json").write_text(json.dumps(settings))
    return folder


def picture(width: int = 96, height: int = 64, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> bool:
    return bool((a - b).abs().max() <= tolerance * b.abs().max())
