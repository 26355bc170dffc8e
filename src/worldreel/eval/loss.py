"""The flow loss of clips that training never saw, always at the same levels and the same noise.

It says how far training has come, early and with little noise of its own; it is no judge of what is
painted (docs/LOG.md), which the rulers are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from worldreel import flow, tokens
from worldreel.canvas import Canvas
from worldreel.data import clip as clips
from worldreel.errors import CheckpointError, MediaError
from worldreel.models.dit import DiT
from worldreel.models.text import TextEncoder

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)


@torch.inference_mode()
def held_out(
    model: DiT,
    text: TextEncoder,
    folder: str | Path,
    *,
    levels: tuple[float, ...] = LEVELS,
    batch: int = 16,
) -> np.ndarray:  # clips levels
    """Each clip's loss at each level, of a blank canvas and the clip's first caption.

    Mirrored twins are left out. A clip's noise is that of its seed, the same at every level; so a
    clip's loss depends on nothing beside it.
    """
    found = []
    for path in clips.shards(folder):
        arrays, about = clips.get(path)
        if tuple(about.get("slots", ())) != tuple(text.labels):
            raise CheckpointError(
                f"{path} says other facts than the text encoder reads: run `encode` again"
            )
        rows = [i for i, record in enumerate(about["clips"]) if not record["mirrored"]]
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            clean = torch.from_numpy(np.asarray(arrays["latents"][part], np.float32))
            said = torch.from_numpy(np.asarray(arrays["said"][part, 0], np.int64))
            noise = torch.stack(
                [
                    torch.randn(clean.shape[1:], generator=Generator().manual_seed(seed))
                    for seed in (about["clips"][i]["seed"] for i in part)
                ]
            )
            found.append(_losses(model, text.stated(said), clean, noise, levels))
    if not found:
        raise MediaError(f"{folder} has no finished latent shards: run `encode` into it first")
    return np.concatenate(found)


def _losses(
    model: DiT, states: Tensor, clean: Tensor, noise: Tensor, levels: tuple[float, ...]
) -> np.ndarray:  # states B M E, clean and noise B C T H W -> B levels
    where = model.head.weight.device
    states, clean, noise = states.to(where), clean.to(where), noise.to(where)
    freedom = torch.ones_like(clean[:, :1])
    board = Canvas(known=clean, freedom=freedom)
    box = tokens.bag(board, patch=model.preset.patch, chunk=model.preset.chunk)
    words = model.read([(None, states, None)], len(states))
    field = tokens.velocity(model, board, box, words, noise=noise)
    columns = []
    for level in levels:
        sigma = torch.tensor(level, device=where)
        v = field(flow.noised(clean, freedom, sigma, noise), sigma, sigma)
        columns.append((v - (noise - clean)).square().mean(dim=(1, 2, 3, 4)))
    return torch.stack(columns, dim=1).cpu().numpy()
