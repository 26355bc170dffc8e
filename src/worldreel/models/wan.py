"""Public Wan weights in our classes: what a file holds, told by its config or its tensors' shapes.

Everything is known and checked before any weight is read: what is damaged, of another model or of
another make is a CheckpointError that names it.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from worldreel.errors import CheckpointError
from worldreel.models.dit import DiT
from worldreel.models.presets import DitPreset, WanVaePreset
from worldreel.models.unread import Unread, check
from worldreel.models.wan_files import Tensors, open_tensors
from worldreel.models.wan_models import VAES
from worldreel.models.wan_names import Place, transformer_name, transformer_place, vae_place
from worldreel.models.wan_vae import WanVae
from worldreel.progress import Progress, silent

_FINE = re.compile(r"(?:.*\.)?(?:table|norm(?:_[qk])?\.(?:weight|bias))|level_in\..*")
_HEAD = 128  # channels of a head in every public Wan model: shapes alone do not tell it
_PLAIN = "worldreel reads Wan 2.1 and 2.2: text to video, TI2V-5B, I2V-A14B and VACE"

# What other people's tensors are called: every pattern must be found in some name.
_FOREIGN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("a LoRA, which is no model by itself", (r"lora_(?:A|B|down|up)\b|\.lora\.",)),
    ("Wan Animate", (r"^motion_encoder\.|^face_adapter\.",)),
    ("Wan S2V, which reads sound", (r"^casual_audio_encoder\.|^audio_injector\.",)),
    ("Wan Fun Control", (r"^control_adapter\.|^ref_conv\.",)),
    ("HunyuanVideo", (r"individual_token_refiner|^context_embedder\.token_refiner\.",)),
    ("CogVideoX", (r"^patch_embed\.text_proj\.|^mixins\.patch_embed\.text_proj\.",)),
    ("LTX-Video", (r"^caption_projection\.", r"^proj_in\.")),
    ("LTX-Video", (r"^patchify_proj\.",)),
    ("Mochi", (r"^t5_y_embedder\.|^time_embed\.pooler\.",)),
    ("Stable Diffusion 3", (r"^joint_blocks\.",)),
    ("Stable Diffusion 3", (r"^pos_embed\.", r"^transformer_blocks\.0\.attn\.add_k_proj\.")),
    ("FLUX", (r"^double_blocks\.|^single_transformer_blocks\.",)),
    ("Qwen-Image", (r"^transformer_blocks\.0\.img_mod\.",)),
    ("a U-Net of Stable Diffusion", (r"^input_blocks\.", r"^middle_block\.")),
    ("a U-Net of Stable Diffusion", (r"^down_blocks\.", r"^conv_out\.")),
    ("Wan 2.1 image to video, which reads a picture through CLIP", (r"^img_emb\.|\.k_img\.",)),
    ("Wan 2.1 image to video, which reads a picture through CLIP", (r"\.image_embedder\.",)),
    ("Wan's text encoder", (r"^token_embedding\.weight",)),
    ("a text encoder", (r"^(?:shared|encoder\.embed_tokens)\.weight",)),
    ("a Wan autoencoder", (r"^decoder\.(?:conv1|conv_in)\.weight", r"time_conv\.")),
    ("a Wan transformer", (r"^patch_embedding\.weight", r"^blocks\.0\.")),
)

# Of transformers' configs: our name, diffusers', the original one, what stands for it if left out.
_CONFIG = (
    ("channels", "in_channels", "in_dim", None),
    ("out_channels", "out_channels", "out_dim", None),
    ("heads", "num_attention_heads", "num_heads", None),
    ("layers", "num_layers", "num_layers", None),
    ("mlp", "ffn_dim", "ffn_dim", None),
    ("text_dim", "text_dim", "text_dim", 4096),
    ("level_dim", "freq_dim", "freq_dim", 256),
    ("eps", "eps", "eps", 1e-6),
    ("control", "vace_layers", "vace_layers", ()),
    ("control_channels", "vace_in_channels", "vace_in_dim", 0),
)
_FIXED: dict[str, tuple[Any, ...]] = {
    "cross_attn_norm": (True,), "qk_norm": ("rms_norm_across_heads", True),
    "model_type": ("t2v", "i2v", "ti2v", "vace"), "window_size": ((-1, -1),),
}  # fmt: skip
_SIZES = {"attention_head_dim", "dim", "patch_size", "text_len", "rope_max_seq_len"}
_CLASSES = ("WanTransformer3DModel", "WanVACETransformer3DModel", "WanModel", "VaceWanModel")
_VAE_CONFIG = {
    "channels": "z_dim", "encoder": "base_dim", "decoder": "decoder_base_dim",
    "widths": "dim_mult", "blocks": "num_res_blocks", "temporal": "temperal_downsample",
    "residual": "is_residual", "patch": "patch_size", "mean": "latents_mean",
    "deviation": "latents_std",
}  # fmt: skip
_VAE_DEFAULTS = {
    "z_dim": 16, "base_dim": 96, "dim_mult": (1, 2, 4, 4), "num_res_blocks": 2,
    "temperal_downsample": (False, True, True), "is_residual": False,
}  # fmt: skip
_VAE_BESIDE = {"in_channels", "out_channels", "scale_factor_temporal", "scale_factor_spatial",
               "clip_output", "dropout", "attn_scales"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class StoredTransformer:
    """A transformer on the disk that was found whole; nothing of it is read yet."""

    tensors: Tensors
    preset: DitPreset
    places: Mapping[str, Place]


@dataclass(frozen=True, kw_only=True)
class StoredVae:
    """An autoencoder on the disk that was found whole; nothing of it is read yet."""

    tensors: Tensors
    preset: WanVaePreset
    places: Mapping[str, Place]


def looks_like(names: Collection[str]) -> str | None:
    """What a set of tensor names is of, as far as it is known here."""
    for what, patterns in _FOREIGN:
        if all(any(re.search(pattern, name) for name in names) for pattern in patterns):
            return what
    return None


def find_transformer(path: str | Path) -> StoredTransformer:
    """The transformer in a file, or in a folder that may have a config.json beside the weights."""
    tensors = open_tensors(path)
    names = tensors.entries
    if (what := looks_like(names)) != "a Wan transformer":
        raise _foreign(path, what)
    config = config_of(Path(path))
    preset = _preset_of_shapes(tensors) if config is None else preset_of(config)
    places = _places(tensors, lambda key: transformer_place(key, preset))
    check(_described(path, lambda: DiT(preset)), tensors, places)
    return StoredTransformer(tensors=tensors, preset=preset, places=places)


def load_transformer(
    stored: StoredTransformer,
    *,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
    told: Progress = silent,
) -> DiT:
    """The transformer, frozen, on a device, that computes in dtype and is stored in it.

    What modulates and norms is stored in fp32, as the makers do. Tensors go to the device one by
    one: the host never holds the model beside it.
    """
    model, unread = described_transformer(stored, dtype=dtype)
    unread.fill(model, device=device, told=told)
    return model


def described_transformer(stored: StoredTransformer, *, dtype: torch.dtype) -> tuple[DiT, Unread]:
    """The transformer without its weights ("meta"), and they."""
    with torch.device("meta"):
        model = DiT(stored.preset, dtype=dtype)

    def kind(name: str) -> torch.dtype:
        return torch.float32 if _FINE.fullmatch(name) else dtype

    return model.eval(), Unread(model, stored.tensors, stored.places, kind)


def find_vae(path: str | Path) -> StoredVae:
    """The autoencoder in a file, or in a folder that may have a config.json beside the weights."""
    tensors = open_tensors(path)
    if (what := looks_like(tensors.entries)) != "a Wan autoencoder":
        raise _foreign(path, what)
    config = config_of(Path(path))
    given = None if config is None else vae_preset_of(config)
    blocks = 2 if given is None else given.blocks
    places = _places(tensors, lambda key: vae_place(key, blocks))
    preset = _vae_preset_of_shapes(tensors, places) if given is None else given
    check(_described(path, lambda: WanVae(preset)), tensors, places)
    return StoredVae(tensors=tensors, preset=preset, places=places)


def load_vae(
    stored: StoredVae,
    *,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
    told: Progress = silent,
) -> WanVae:
    """The autoencoder, frozen, on a device, that computes in dtype and is stored in it."""
    model, unread = described_vae(stored, dtype=dtype)
    unread.fill(model, device=device, told=told)
    return model.to(device)


def described_vae(stored: StoredVae, *, dtype: torch.dtype) -> tuple[WanVae, Unread]:
    """The autoencoder without its weights ("meta"), and they."""
    with torch.device("meta"):
        model = WanVae(stored.preset, dtype=dtype)
    return model.eval(), Unread(model, stored.tensors, stored.places, lambda name: dtype)


def config_of(path: Path) -> dict[str, Any] | None:
    """The config.json in a folder of weights; None where there is none, or of a single file."""
    file = path / "config.json"
    if not path.is_dir() or not file.exists():
        return None
    try:
        config = json.loads(file.read_text("utf-8"))
        return {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{file} cannot be read ({error}): fetch it again") from None


def preset_of(config: Mapping[str, Any]) -> DitPreset:
    """Our preset for a config of diffusers' or of Wan's own; what is not supported is named."""
    _known(config, _CLASSES, {n for row in _CONFIG for n in row[1:3]} | set(_FIXED) | _SIZES)
    for key, expected in _FIXED.items():
        if config.get(key, expected[0]) not in expected:
            raise CheckpointError(f"Wan weights with {key}={config[key]!r} are not supported")
    try:
        patch = tuple(config.get("patch_size", (1, 2, 2)))
        values: dict[str, Any] = {
            ours: config.get(theirs, config.get(original, default))
            for ours, theirs, original, default in _CONFIG
        }
        lost = [row[1] for row in _CONFIG if values[row[0]] is None]
        if lost:
            raise CheckpointError(f"the config lacks {lost[0]!r}: fetch it again")
        if patch[0] != 1 or patch[1] != patch[2]:
            raise CheckpointError(f"a patch of {patch} is not supported: expected (1, p, p)")
        dim = config["dim"] if "dim" in config else values["heads"] * config["attention_head_dim"]
        values["control"] = tuple(values["control"])
        return DitPreset(dim=dim, patch=patch[1], **values)
    except (KeyError, TypeError, IndexError) as error:
        raise CheckpointError(f"the config makes no sense ({error!r}): fetch it again") from None


def vae_preset_of(config: Mapping[str, Any]) -> WanVaePreset:
    """Our preset for an `AutoencoderKLWan` config; what is not supported is named."""
    _known(config, ("AutoencoderKLWan",), set(_VAE_CONFIG.values()) | _VAE_BESIDE)
    if config.get("attn_scales"):
        raise CheckpointError("an autoencoder with attention in its stages is not supported")
    values = {ours: config.get(key, _VAE_DEFAULTS.get(key)) for ours, key in _VAE_CONFIG.items()}
    values["decoder"] = values["decoder"] or values["encoder"]
    values["patch"] = values["patch"] or 1
    public = VAES.get(values["channels"])
    for name in ("mean", "deviation"):
        values[name] = values[name] or (getattr(public, name) if public else None)
    if values["mean"] is None or not (
        len(values["mean"]) == len(values["deviation"]) == values["channels"]
    ):
        raise CheckpointError("the config lacks a latents_mean and latents_std for each channel")
    return WanVaePreset(**values)


def _known(config: Mapping[str, Any], classes: Collection[str], keys: Collection[str]) -> None:
    made = config.get("_class_name", next(iter(classes)))
    if made not in classes:
        raise CheckpointError(f"the config is of a {made}: {_PLAIN}")
    odd = [k for k, v in config.items() if not k.startswith("_") and k not in keys and v]
    if odd:
        raise CheckpointError(
            f"weights with {odd[0]}={config[odd[0]]!r} are not supported: {_PLAIN}"
        )


def _foreign(path: str | Path, what: str | None) -> CheckpointError:
    if what is None:
        return CheckpointError(f"{path} holds no model that is known here: {_PLAIN}")
    return CheckpointError(f"{path} is {what}, not what is read here: {_PLAIN}")


def _places(tensors: Tensors, place: Callable[[str], Place | None]) -> dict[str, Place]:
    places = {key: place(key) for key in tensors.entries}
    odd = sorted(key for key, value in places.items() if value is None)
    if odd:
        raise CheckpointError(
            f"{tensors.path} has {len(odd)} unknown tensors, {odd[0]!r} first: {_PLAIN}"
        )
    return {key: value for key, value in places.items() if value is not None}


def _described(path: str | Path, build: Callable[[], nn.Module]) -> nn.Module:
    """A module on the meta device; sizes that make none are an error that names the file."""
    try:
        with torch.device("meta"):
            return build()
    except (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: no model can be built of its sizes ({error})") from None


def _preset_of_shapes(tensors: Tensors) -> DitPreset:
    """A transformer's preset where there is no config. The width of a head is Wan's."""
    named = {transformer_name(key): shape for key, shape in tensors.shapes.items()}
    layers, controls = (
        len({n[1] for k in named if k and (n := re.match(home + r"\.(\d+)\.", k))})
        for home in ("blocks", r"vace\.blocks")
    )
    try:
        dim, channels, _, patch, _ = named["patch_in.weight"]
        step = layers // controls if controls else 0
        preset = DitPreset(
            channels=channels,
            out_channels=named["head.weight"][0] // patch**2,
            dim=dim,
            heads=dim // _HEAD,
            layers=layers,
            mlp=named["blocks.0.mlp_in.weight"][0],
            text_dim=named["text_in.0.weight"][1],
            level_dim=named["level_in.0.weight"][1],
            patch=patch,
            control=tuple(range(0, layers, step)) if step else (),
            control_channels=named["vace.patch_in.weight"][1] if controls else 0,
        )
    except (KeyError, IndexError, ValueError) as error:
        raise CheckpointError(
            f"{tensors.path} is a part of a Wan transformer (no {error}): fetch it again"
        ) from None
    if dim % _HEAD or len(preset.control) != controls:
        raise CheckpointError(
            f"{tensors.path} is of no size that Wan has ({dim} wide, {controls} of {layers} blocks "
            "with control): give the folder with its config.json"
        )
    return preset


def _vae_preset_of_shapes(tensors: Tensors, places: Mapping[str, Place]) -> WanVaePreset:
    """An autoencoder's preset where there is no config: the latents' statistics are Wan's."""
    named = {place.name: tensors.shapes[key] for key, place in places.items()}
    try:
        channels = named["latents.bias"][0]
        public = VAES[channels]
        space = named["decoder.stages.0.resample.space.weight"]
        return dataclasses.replace(
            public,
            encoder=named["encoder.into.weight"][0],
            decoder=named["decoder.out.norm"][0],
            residual=space[0] == space[1],
            patch=math.isqrt(named["encoder.into.weight"][1] // 3),
        )
    except (KeyError, IndexError) as error:
        raise CheckpointError(
            f"{tensors.path} is no autoencoder of Wan 2.1 or 2.2 ({error!r}): give the folder with "
            "its config.json, or the public weights"
        ) from None
