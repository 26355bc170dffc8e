"""LoRAs: small changes to a transformer's layers (2106.09685), read from any of their files.

    style = load("style.safetensors", dit.preset)
    with attach(dit, [(style, 0.8)]):      # worldreel.adapted: `merge` writes it into the weights

A file names layers as diffusers does, as Wan's own code does (with dots, or flat as kohya's
trainer), or as we do. All become changes to our layers, with rows in our order: see `models.wan`,
whose fusing and turning of weights this file does to their changes. A file for another model is
refused before anything else is done.
"""

from __future__ import annotations

import json
import math
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from worldreel.errors import CheckpointError
from worldreel.models.places import PATCHES, Layer, places
from worldreel.models.presets import DitPreset
from worldreel.output import StrPath, whole_file

_PREFIXES = ("base_model.model.", "transformer.", "diffusion_model.", "model.", "lora_unet__",
             "lora_unet_")  # fmt: skip
_SECOND = "transformer_2."  # the expert for low levels, in a file that has both
# What a tensor is of its layer, by how its key ends; PEFT may put an adapter's name before .weight.
_LEAVES = (
    (r"lora[_.](?:A|down)(?:\.\w+)?\.weight", "down"),
    (r"lora[_.](?:B|up)(?:\.\w+)?\.weight", "up"),
    (r"lora_B(?:\.\w+)?\.bias", "bias"),
    (r"diff_b", "bias"),
    (r"diff", "diff"),
    (r"alpha", "alpha"),
)
_WEIGHTS = ("adapter_model.safetensors", "pytorch_lora_weights.safetensors")  # in PEFT's folders
_NAMED = 4  # keys that a message names


@dataclass(frozen=True, kw_only=True, eq=False)
class Delta:
    """A change to one place, rows in our order: alpha / rank * up @ down, diff, bias; any of them.

    down: (rank, columns), up: (rows, rank), diff: as the weight, bias: (rows,).
    """

    place: Layer
    down: Tensor | None = None
    up: Tensor | None = None
    alpha: float = 1.0
    diff: Tensor | None = None
    bias: Tensor | None = None

    @property
    def rank(self) -> int:
        return 0 if self.down is None else len(self.down)

    @property
    def scale(self) -> float:
        return self.alpha / self.rank if self.rank else 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Lora:
    """Changes to a transformer of one preset."""

    name: str
    deltas: tuple[Delta, ...]

    @property
    def rank(self) -> int:
        return max(delta.rank for delta in self.deltas)

    def __repr__(self) -> str:
        return f"Lora({self.name}, {len(self.deltas)} layers, rank {self.rank})"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """LoRAs for the two experts of Wan 2.2 A14B, for high levels and for low ones."""

    high: Lora
    low: Lora


def load(path: StrPath, preset: DitPreset) -> Lora:
    """A LoRA from a .safetensors file, or a .pt of tensors alone; one for another model is refused.

    A strength of its own (alpha) is read from the file's tensors, its metadata or the
    adapter_config.json beside it; without one it is 1.
    """
    path = Path(path)
    tensors, config = _read(path)
    if any(key.startswith(_SECOND) for key in tensors):
        raise CheckpointError(
            f"{path} holds LoRAs for two transformers, of high and of low levels: load it as a pair"
        )
    return _lora(path, tensors, _told(config, "transformer."), preset)


def load_pair(path: StrPath, preset: DitPreset) -> Pair:
    """LoRAs for two experts: a folder of two files with "high" and "low" in their names, one file
    that holds both, or one that serves both."""
    path = Path(path)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix in (".safetensors", ".pt", ".pth"))
        high, low = ([p for p in found if word in p.name.lower()] for word in ("high", "low"))
        if len(high) != 1 or len(low) != 1 or high == low:
            raise CheckpointError(
                f"{path} holds {len(high)} files with 'high' in their names and {len(low)} with"
                " 'low': a pair is one of each"
            )
        return Pair(high=load(high[0], preset), low=load(low[0], preset))
    tensors, config = _read(path)
    second = {k.removeprefix(_SECOND): v for k, v in tensors.items() if k.startswith(_SECOND)}
    first = {k: v for k, v in tensors.items() if not k.startswith(_SECOND)}
    high = _lora(path, first, _told(config, "transformer."), preset)
    low = _lora(path, second, _told(config, _SECOND), preset) if second else high
    return Pair(high=high, low=low)


def save(path: StrPath, lora: Lora) -> Path:
    """Write a LoRA as diffusers and PEFT do, alphas in the metadata; the file is whole or absent.

    Changes that are not of low rank are written as `.diff`, which few others than we can read.
    """
    path = Path(path)
    tensors: dict[str, Tensor] = {}
    ranks: dict[str, int] = {}
    alphas: dict[str, float] = {}
    for delta in lora.deltas:
        place, name = delta.place, f"transformer.{delta.place.name}"
        if delta.down is not None and delta.up is not None:
            down, up = delta.down, place.theirs(delta.up)
            if place.order == PATCHES:
                p = place.patch
                down = rearrange(down, "r (c p q) -> r c 1 p q", p=p, q=p)
                up = up[:, :, None, None, None]
            tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"] = down, up
            ranks[place.name], alphas[place.name] = delta.rank, delta.alpha
        if delta.diff is not None:
            tensors[f"{name}.diff"] = place.theirs(delta.diff)
        if delta.bias is not None:
            leaf = "lora_B.bias" if delta.rank else "diff_b"
            tensors[f"{name}.{leaf}"] = place.theirs(delta.bias)
    config = {
        "peft_type": "LORA",
        "r": lora.rank,
        "lora_alpha": lora.rank,
        "rank_pattern": {name: rank for name, rank in ranks.items() if rank != lora.rank},
        "alpha_pattern": {name: alpha for name, alpha in alphas.items() if alpha != lora.rank},
        "target_modules": sorted(ranks),
        "lora_bias": any(key.endswith(".lora_B.bias") for key in tensors),
    }
    told = {f"transformer.{key}": value for key, value in config.items()}
    metadata = {"format": "pt", "lora_adapter_metadata": json.dumps(told, sort_keys=True)}
    with whole_file(path) as file:
        # parts of a fused layer share a matrix, which a file may not
        save_file({k: v.cpu().contiguous().clone() for k, v in tensors.items()}, file, metadata)
    return path


def _lora(
    path: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any], preset: DitPreset
) -> Lora:
    """Sort a file's tensors by layer; all that does not fit is found before anything is made."""
    known, parts = places(preset)
    layers: dict[str, dict[str, Tensor]] = {}
    unknown = []
    for key, value in tensors.items():
        layer, leaf = _split(key)
        if leaf is None or (layer not in known and layer not in parts):
            unknown.append(key)
            continue
        one = known[layer].name if layer in known else layer
        if leaf in layers.setdefault(one, {}):
            raise CheckpointError(f"{path} changes {one} twice, the second time as {key}")
        layers[one][leaf] = value
    if unknown or not layers:
        named = re.findall(r"blocks[._](\d+)", " ".join(tensors))
        depth = max((int(n) + 1 for n in named), default=0)
        why = f", and it is for {depth} blocks where this model has {preset.layers}"
        raise CheckpointError(
            f"{path} is no LoRA for this transformer: {len(unknown)} of its {len(tensors)} tensors"
            f" change what is not in it ({', '.join(unknown[:_NAMED]) or 'there are none'})"
            f"{why if depth > preset.layers else ''}: give one that was made for this model"
        )
    deltas = []
    for layer, leaves in layers.items():
        alpha = _alpha(path, layer, leaves, config)
        if layer in known:
            delta = _delta(path, layer, known[layer], leaves, alpha)
            deltas.append(_turned(delta, known[layer].ours))
            continue
        own = parts[layer]  # by our names rows are in our order, and fused layers come as one
        rows = sum(place.shape[0] for place in own)
        whole = replace(own[0], start=0, shape=(rows, *own[0].shape[1:]))
        delta = _delta(path, layer, whole, leaves, alpha)
        deltas += [replace(_turned(delta, lambda x, at=p.rows: x[at]), place=p) for p in own]
    order = {place.name: i for i, place in enumerate(known.values())}
    deltas.sort(key=lambda delta: order[delta.place.name])  # a file's order means nothing
    return Lora(name=path.stem, deltas=tuple(deltas))


def _split(key: str) -> tuple[str, str | None]:
    """A tensor's key as its layer and what it is of it."""
    for ending, leaf in _LEAVES:
        if match := re.fullmatch(rf"(.+?)\.{ending}", key):
            layer, longer = match[1], ""
            while layer != longer:
                longer = layer
                for prefix in _PREFIXES:
                    layer = layer.removeprefix(prefix)
            return layer, leaf
    return key, None


def _delta(
    path: Path, layer: str, place: Layer, leaves: Mapping[str, Tensor], alpha: float
) -> Delta:
    down, up, diff, bias = (leaves.get(leaf) for leaf in ("down", "up", "diff", "bias"))
    if (down is None) != (up is None):
        have, lack = ("A", "B") if up is None else ("B", "A")
        raise CheckpointError(f"{path}: {layer} has lora_{have} and no lora_{lack}: fetch it again")
    if down is not None and up is not None:
        down, up = _flat(down), _flat(up)
        if len(down) != up.shape[1] or not len(down):
            raise CheckpointError(
                f"{path}: {layer} has a lora_A of rank {len(down)} and a lora_B of rank"
                f" {up.shape[1]}: they must be the same, and above 0"
            )
        given = (len(up), down.shape[1])
        _fits(path, layer, given, place.shape)
    if diff is not None:
        diff = _flat(diff)
        _fits(path, layer, tuple(diff.shape), place.shape)
    if bias is not None:
        _fits(path, f"the bias of {layer}", tuple(bias.shape), place.shape[: place.biased])
    return Delta(place=place, down=down, up=up, alpha=alpha, diff=diff, bias=bias)


def _turned(delta: Delta, order: Callable[[Tensor], Tensor]) -> Delta:
    """A change whose rows are put in another order, or of which some are taken."""
    rows = {leaf: getattr(delta, leaf) for leaf in ("up", "diff", "bias")}
    return replace(delta, **{k: order(v) for k, v in rows.items() if v is not None})


def _flat(x: Tensor) -> Tensor:
    """A convolution's kernel as a matrix: its columns are in the order (channel, row, column)."""
    return x.flatten(1) if x.ndim > 1 else x


def _fits(path: Path, layer: str, given: tuple[int, ...], own: tuple[int, ...]) -> None:
    if given != own:
        raise CheckpointError(
            f"{path} is for a transformer of other widths: it changes {layer} as"
            f" {'x'.join(map(str, given))}, which is {'x'.join(map(str, own)) or 'not there'} in"
            " this model: give one that was made for this model"
        )


def _alpha(path: Path, layer: str, leaves: dict[str, Tensor], config: Mapping[str, Any]) -> float:
    """A layer's alpha, of which alpha / rank is its scale; its tensor is taken from the leaves."""
    own = leaves.pop("alpha", None)
    if "down" not in leaves:
        return 1.0
    rank = len(leaves["down"])
    said = _said(config, "rank", "r", layer)
    if said not in (None, rank):
        raise CheckpointError(
            f"{path}: {layer} is said to be of rank {said} and is of {rank}: fetch it again"
        )
    alpha = own if own is not None else _said(config, "alpha", "lora_alpha", layer)
    try:
        value = float(rank if alpha is None else alpha)
    except (TypeError, ValueError, RuntimeError):
        value = math.nan
    if not math.isfinite(value):
        raise CheckpointError(f"{path}: the alpha of {layer} is {alpha}, and no number")
    return value * math.sqrt(rank) if own is None and config.get("use_rslora") else value


def _said(config: Mapping[str, Any], pattern: str, plain: str, layer: str) -> Any:
    """What a PEFT config says of a layer: by the first pattern that ends its name, or for all."""
    for name, value in dict(config.get(f"{pattern}_pattern") or {}).items():
        if layer == name or layer.endswith(f".{name}"):
            return value
    return config.get(plain)


def _told(config: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The part of a file's config that is for one transformer: keys may begin with its name."""
    return {key.removeprefix(prefix): value for key, value in config.items()}


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a file and what it, or a config beside it, says of them. Executes nothing."""
    if path.is_dir():
        path = next((path / name for name in _WEIGHTS if (path / name).is_file()), path)
    if not path.is_file():
        raise CheckpointError(f"{path} is no file: give a LoRA's .safetensors")
    beside = path.with_name("adapter_config.json")
    config: dict[str, Any] = {}
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                config = json.loads((file.metadata() or {}).get("lora_adapter_metadata", "{}"))
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
        if not config and path.name.startswith("adapter_model") and beside.is_file():
            config = json.loads(beside.read_text("utf-8"))
        if not isinstance(tensors, dict) or not isinstance(config, dict):
            raise ValueError("it is no table of tensors")
    except (OSError, SafetensorError, EOFError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as a LoRA: {error}") from None
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{path} holds more than tensors, and what it holds would be executed: it was not"
            " read. Ask for it as .safetensors"
        ) from None
    for key, value in tensors.items():
        alpha = key.endswith(".alpha")
        if not isinstance(value, Tensor) or not (alpha or value.is_floating_point()):
            raise CheckpointError(f"{path}: {key} holds no numbers with a point: no LoRA")
        if not value.float().isfinite().all():
            raise CheckpointError(f"{path}: {key} holds numbers that are not finite: it is damaged")
    odd = {"use_dora": "a DoRA", "peft_type": f"of type {config.get('peft_type')}"}
    for key, what in odd.items():
        if config.get(key) not in (None, False, "LORA"):
            raise CheckpointError(f"{path} is {what}, which is not supported: give a plain LoRA")
    return tensors, config
