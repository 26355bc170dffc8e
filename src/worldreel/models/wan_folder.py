"""A public Wan model on the disk, whole: its transformers, its autoencoder, where its words are.

Two layouts of folders are read, and a transformer's file alone:

    model_index.json  transformer/ [transformer_2/] vae/ text_encoder/ tokenizer/    diffusers'
    config.json  diffusion_pytorch_model*.safetensors                                the original
        or high_noise_model/ low_noise_model/
        with Wan2.1_VAE.pth  models_t5_umt5-xxl-enc-bf16.pth  google/umt5-xxl/
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from worldreel.errors import CheckpointError
from worldreel.models.wan import StoredTransformer, StoredVae, find_transformer, find_vae
from worldreel.models.wan_models import WanModel, recognised

# Folders of the transformers, that for high levels first, and how many must be there.
_EXPERTS = (
    (("transformer", "transformer_2"), 1),
    (("high_noise_model", "low_noise_model"), 2),
)
_VAES = ("Wan2.1_VAE", "Wan2.2_VAE", "wan_2.1_vae", "wan2.2_vae")
_TEXTS = ("models_t5_umt5-xxl-enc-bf16",)
_TOKENIZERS = ("tokenizer", "google/umt5-xxl")
_SUFFIXES = (".safetensors", ".pth")


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found, checked and not yet read.

    model: the public model that it is, or None for sizes that no public model has. transformers:
    one, or the one for high levels and the one for low. boundary: the level between the two. vae,
    text (a folder or a file), tokenizer (a folder): None where they are not there. shift: what a
    scheduler's file beside them says of the levels, or None.
    """

    path: Path
    model: WanModel | None
    transformers: tuple[StoredTransformer, ...]
    boundary: float | None
    vae: StoredVae | None
    text: Path | None
    tokenizer: Path | None
    shift: float | None = None

    def nbytes(self, dtype: torch.dtype) -> int:
        """Bytes of the transformers and the autoencoder, stored in a type, about."""
        parts = [t.tensors for t in self.transformers]
        parts += [self.vae.tensors] if self.vae is not None else []
        return sum(part.count for part in parts) * dtype.itemsize


def find(
    path: str | Path,
    *,
    vae: str | Path | None = None,
    text: str | Path | None = None,
    tokenizer: str | Path | None = None,
) -> Found:
    """The model in a folder or a file; a CheckpointError names what is not right with it.

    vae, text, tokenizer: where these are, instead of where the folder has them.
    """
    given = [None if p is None else Path(p) for p in (vae, text, tokenizer)]
    if gone := next((p for p in given if p is not None and not p.exists()), None):
        raise CheckpointError(f"{gone} is not there: give what the folder of the model lacks")
    return _with_parts(*_transformers(Path(path)), *given)


def _transformers(path: Path) -> tuple[Path, list[StoredTransformer], float | None]:
    """The one or two that are there, and the level between the two where the folder says it."""
    if not path.is_dir():
        return path, [find_transformer(path)], None
    index = _index(path)
    for names, least in _EXPERTS:
        rooms = [path / name for name in names if (path / name).is_dir()]
        promised = [n for n in names if isinstance(index.get(n), tuple) and index[n][0]]
        needed = {path / n for n in (*names[:least], *promised)} if rooms or promised else set()
        if gone := sorted(needed - set(rooms)):
            raise CheckpointError(f"{gone[0]} is missing, a part of this model: fetch it")
        if rooms:
            said = index.get("boundary_ratio")
            boundary = said if isinstance(said, float) else None
            return path, [find_transformer(room) for room in rooms], boundary
    return path, [find_transformer(path)], None


def _with_parts(
    path: Path,
    transformers: list[StoredTransformer],
    boundary: float | None,
    vae_at: Path | None,
    text: Path | None,
    tokenizer: Path | None,
) -> Found:
    presets = {t.preset for t in transformers}
    if len(presets) > 1:
        raise CheckpointError(
            f"the two transformers of {path} are of different sizes: fetch it again"
        )
    preset = transformers[0].preset
    model = recognised(preset, len(transformers))
    if len(transformers) > 1 and boundary is None:
        boundary = model.boundary if model is not None else None
        if boundary is None:
            raise CheckpointError(
                f"{path} has two transformers, and its model_index.json no boundary_ratio between "
                "them: fetch it again"
            )
    folder = path if path.is_dir() else None
    vae_at = vae_at or _first(folder, ["vae", *(n + s for n in _VAES for s in _SUFFIXES)])
    vae = None if vae_at is None else find_vae(vae_at)
    if vae is not None and vae.preset.channels != preset.out_channels:
        raise CheckpointError(
            f"the parts of {path} are of different models: its transformer makes latents of "
            f"{preset.out_channels} channels, its autoencoder reads {vae.preset.channels}"
        )
    return Found(
        path=path,
        model=model,
        transformers=tuple(transformers),
        boundary=boundary if len(transformers) > 1 else None,
        vae=vae,
        text=text or _first(folder, ["text_encoder", *(n + s for n in _TEXTS for s in _SUFFIXES)]),
        tokenizer=tokenizer or _first(folder, _TOKENIZERS),
        shift=_shift(folder / "scheduler/scheduler_config.json") if folder is not None else None,
    )


def _shift(file: Path) -> float | None:
    if not file.exists():
        return None
    try:
        said = json.loads(file.read_text("utf-8"))
        found = said.get("flow_shift", said.get("shift"))
        found = None if found is None else float(found)
    except (AttributeError, OSError, TypeError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read ({error}): fetch it again") from None
    if found is not None and not 0 < found < math.inf:
        raise CheckpointError(f"{file} has a flow_shift of {found:g}: fetch it again")
    return found


def _first(folder: Path | None, names: Iterable[str]) -> Path | None:
    """The first of several files or folders that is there."""
    there = (folder / name for name in names) if folder is not None else ()
    return next((path for path in there if path.exists()), None)


def _index(folder: Path) -> dict[str, Any]:
    """What model_index.json says; empty where there is none."""
    file = folder / "model_index.json"
    if not file.exists():
        return {}
    try:
        index = dict(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{file} cannot be read ({error}): fetch it again") from None
    made = str(index.get("_class_name"))
    if not made.startswith("Wan"):
        raise CheckpointError(f"{folder} is of a {made}: worldreel reads Wan 2.1 and 2.2")
    return {k: tuple(v) if isinstance(v, list) else v for k, v in index.items()}
