"""Raw clips to latents: what a transformer is trained on, with the words and the dense truth.

A latent shard stands for the raw shard of the same name. It carries the fingerprint of what
encoded it, so that latents of older weights are made again and never mixed in. A decoder that
learns on alone leaves them true.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from einops import rearrange, repeat
from torch import Tensor

from worldreel import checkpoint
from worldreel.data import clip as clips
from worldreel.data.clip import STRIDE, Clip
from worldreel.errors import MediaError
from worldreel.world.labels import LABELS


class Compressor(Protocol):
    """What encoding asks of a compressor: latents come out normalised."""

    def encode(self, video: Tensor) -> Tensor: ...  #  B 3 F H W in [-1, 1] -> B C T h w

    def state_dict(self) -> Mapping[str, Tensor]: ...


def encode(
    raw_dir: str | Path,
    out_dir: str | Path,
    compressor: Compressor,
    *,
    mirror: bool = True,
    batch: int = 16,
) -> str:
    """Encode every finished shard of raw clips that is not encoded yet; the fingerprint.

    mirror: each clip is followed by its mirrored twin. Stills are encoded as four equal frames.
    """
    mark = checkpoint.fingerprint(encoding(compressor))
    todo = clips.shards(raw_dir)
    began = time.monotonic()
    for number, path in enumerate(todo, start=1):
        target = Path(out_dir) / path.name
        held = clips.read(path)
        if _finished(target, mark, len(held) * (1 + mirror)):
            continue
        if mirror:
            held = [row for clip in held for row in (clip, clip.mirrored_twin())]
        _encode(held, target, compressor, mark, batch)
        spent = time.monotonic() - began
        line = f"{target.parent.name}: {number}/{len(todo)} shards encoded, {spent:.0f} s"
        print(line, file=sys.stderr, flush=True)
    return mark


def encoding(compressor: Compressor) -> Mapping[str, Tensor]:
    """Of its weights, those that latents depend on."""
    held = compressor.state_dict()
    # plus 0: an average of weights that stay makes 0.0 of -0.0, which is no other compressor
    return {name: value + 0 for name, value in held.items() if not name.startswith("decoder.")}


def pixels(
    frames: Sequence[np.ndarray], device: torch.device | str = "cpu"
) -> Tensor:  # B of F H W 3 uint8 -> B 3 F H W, fp32
    """Frames as a compressor reads them, in [-1, 1]; a still becomes four equal frames."""
    video = torch.from_numpy(np.stack(frames)).to(device)  # as bytes: a quarter of the way
    if video.shape[1] == 1:
        video = repeat(video, "b 1 h w c -> b f h w c", f=STRIDE[0])
    return rearrange(video, "b f h w c -> b c f h w").float() / 127.5 - 1


def _finished(path: Path, mark: str, count: int) -> bool:
    if not Path(f"{path}.json").exists():
        return False
    try:
        about = clips.get(path)[1]
    except MediaError:
        return False
    return about["compressor"] == mark and len(about["clips"]) == count


@torch.inference_mode()
def _encode(
    rows: Sequence[Clip], path: Path, compressor: Compressor, mark: str, batch: int
) -> None:
    device = next(iter(compressor.state_dict().values())).device
    parts = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    latents = [
        compressor.encode(pixels([clip.frames for clip in part], device)).half().cpu()
        for part in parts
    ]
    arrays = {
        "latents": torch.cat(latents).numpy(),  #                 n C T h w    float16
        "dense": np.stack([clip.dense for clip in rows]),  #      n T h w A    float16
        "labels": np.stack([_classes(clip.labels) for clip in rows]),  # n slots   uint8
        "said": np.stack(  #                                      n captions slots   uint8
            [[_classes(caption.labels) for caption in clip.captions] for clip in rows]
        ),
    }
    if any(len(clip.starts) > 1 for clip in rows):
        arrays["shots"] = _shots(rows)  #              n captions shots slots   uint8
    records = [
        {
            "seed": clip.seed,
            "mirrored": clip.mirrored,
            "captions": [[caption.text, caption.language] for caption in clip.captions],
            **({"starts": [s // STRIDE[0] for s in clip.starts]} if "shots" in arrays else {}),
        }
        for clip in rows
    ]
    about = {"compressor": mark, "slots": list(LABELS), "still": len(rows[0].frames) == 1}
    clips.put(path, arrays, about | {"clips": records})


def _shots(rows: Sequence[Clip]) -> np.ndarray:
    """What each caption says of each shot; zeros where a clip has fewer shots than others."""
    most = max(len(clip.starts) for clip in rows)
    said = np.zeros((len(rows), len(rows[0].captions), most, len(LABELS)), np.uint8)
    for i, clip in enumerate(rows):
        for j, caption in enumerate(clip.captions):
            for k, part in enumerate(caption.parts):
                said[i, j, k] = _classes(part.labels)
    return said


def _classes(labels: Mapping[str, int]) -> np.ndarray:
    return np.array([labels[slot] for slot in LABELS], np.uint8)
