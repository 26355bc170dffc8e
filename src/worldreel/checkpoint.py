"""Checkpoints: a folder of tensors and JSON, nothing executable, whole or not at all.

    config.json            what it is, its preset, where it came from, the hash of each file below
    weights.safetensors    the model's tensors, in fp32, fp16, bf16 or int8 with a scale per row
    state.safetensors      of a training run: the tensors of optimisers, averages and generators
    state.json             of a training run: the tree that those tensors hang in

A folder is written beside its place, flushed to disk and renamed, so that a process killed at any
instant leaves the old checkpoint or the new one, never half of either.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from worldreel.errors import CheckpointError
from worldreel.models import presets
from worldreel.models.compressor import Compressor
from worldreel.models.dit import DiT
from worldreel.models.presets import CompressorPreset, DitPreset, TextPreset
from worldreel.models.text import Lexicon, TextEncoder

PACKAGED = Path(__file__).parent / "weights"  # models that come with the package

FORMAT, VERSION = "worldreel", 1
STORAGES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "int8": None}
_SCALE = "::scale"  # the key of a quantised tensor's scale is the tensor's, with this behind it
_TENSOR = "$tensor"  # in state.json: {"$tensor": "path in state.safetensors"}
_SMALL = 4096  # tensors of up to so many elements are not worth quantising


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a folder held. Floating tensors are fp32 on the CPU, de-quantised."""

    kind: str
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    extra: Any = None
    provenance: dict[str, Any] = field(default_factory=dict)
    storage: str = "fp32"


def save(
    folder: str | Path,
    *,
    kind: str,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    extra: Any = None,
    storage: str = "fp32",
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write a checkpoint, in place of what stood there.

    kind: what the weights are of ("dit", "compressor", "text"); `load` asks for it again.
    config: the preset, JSON. extra: a tree of dicts, lists, tensors and JSON values, kept bit for
    bit. provenance: how the weights came to be (compute, data, commit), JSON.
    """
    if storage not in STORAGES:
        raise ValueError(f"unknown storage {storage!r}: one of {', '.join(STORAGES)}")
    folder = Path(folder)
    fresh = folder.with_name(f"{folder.name}.tmp-{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    _write_tensors(fresh / "weights.safetensors", _pack(tensors, storage))
    if extra is not None:
        hung: dict[str, Tensor] = {}
        tree = _flatten(extra, "", hung)
        _write_tensors(fresh / "state.safetensors", hung)
        _write(fresh / "state.json", json.dumps(tree))
    files = {
        file.name: {"bytes": file.stat().st_size, "sha256": _sha256(file)}
        for file in sorted(fresh.iterdir())
    }
    head = {"format": FORMAT, "version": VERSION, "kind": kind, "storage": storage}
    about = {"config": dict(config), "provenance": dict(provenance or {}), "files": files}
    _write(fresh / "config.json", json.dumps(head | about, indent=1))
    _sync(fresh)

    # A folder cannot be renamed onto a full one: the old one steps aside, and `load` finds it there
    # if the process dies between the two renames.
    aside = folder.with_name(f"{folder.name}.old-{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():
        folder.rename(aside)
    fresh.rename(folder)
    _sync(folder.parent)
    for old in folder.parent.glob(f"{folder.name}.old-*"):
        shutil.rmtree(old, ignore_errors=True)
    return folder


def load(folder: str | Path, *, kind: str) -> Loaded:
    """Read and verify a checkpoint of this kind; a CheckpointError says what is wrong with it."""
    folder = Path(folder)
    if not folder.exists():  # killed between the two renames of `save`
        folder = next(iter(sorted(folder.parent.glob(f"{folder.name}.old-*"))), folder)
    about = _config(folder)
    if about["kind"] != kind:
        raise CheckpointError(
            f"{folder} holds a checkpoint of kind {about['kind']!r}, not {kind!r}: "
            "give the folder of the right model"
        )
    _verify(folder, about)
    tensors = _unpack(_read_tensors(folder / "weights.safetensors"))
    extra = None
    if "state.json" in about["files"]:
        hung = _read_tensors(folder / "state.safetensors")
        extra = _unflatten(json.loads((folder / "state.json").read_text("utf-8")), hung)
    return Loaded(
        kind=kind,
        config=about["config"],
        tensors=tensors,
        extra=extra,
        provenance=about["provenance"],
        storage=about["storage"],
    )


@torch.no_grad()
def apply(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors into a module; every key must be known, present and of the right shape."""
    own = module.state_dict()
    unknown, missing = sorted(set(tensors) - set(own)), sorted(set(own) - set(tensors))
    if unknown or missing:
        raise CheckpointError(
            f"the weights do not fit {type(module).__name__}: unknown keys {unknown[:4]}, missing "
            f"keys {missing[:4]}: build the model from the preset in the checkpoint's config.json"
        )
    for name, target in own.items():
        if target.shape != tensors[name].shape:
            raise CheckpointError(
                f"{name} is {tuple(tensors[name].shape)} in the checkpoint and "
                f"{tuple(target.shape)} in {type(module).__name__}: the presets differ"
            )
    for name, target in own.items():
        target.copy_(tensors[name])


def load_text(folder: str | Path) -> TextEncoder:
    """A trained text encoder, frozen."""
    held = load(folder, kind="text")
    with _building(folder):
        missing = {"preset", "lexicon", "labels"} - set(held.config)
        if missing:
            raise CheckpointError(f"the config lacks {sorted(missing)[0]!r}")
        labels = {k: tuple(v) for k, v in held.config["labels"].items()}
        preset = presets.build(TextPreset, held.config["preset"])
        model = TextEncoder(preset, Lexicon(held.config["lexicon"]), labels)
        apply(model, held.tensors)
    return model.requires_grad_(False).eval()


def load_dit(folder: str | Path, *, dtype: torch.dtype) -> DiT:
    """A trained transformer, frozen, that computes in dtype."""
    held = load(folder, kind="dit")
    with _building(folder):
        model = DiT(presets.build(DitPreset, held.config), dtype=dtype)
        apply(model, held.tensors)
    return model.requires_grad_(False).eval()


def load_compressor(folder: str | Path, *, dtype: torch.dtype) -> Compressor:
    """A trained compressor, frozen, that computes in dtype."""
    held = load(folder, kind="compressor")
    with _building(folder):
        model = Compressor(presets.build(CompressorPreset, held.config), dtype=dtype)
        apply(model, held.tensors)
    return model.requires_grad_(False).eval()


@contextlib.contextmanager
def _building(folder: str | Path) -> Iterator[None]:
    """A config from which no model can be built is a CheckpointError that names the folder."""
    try:
        yield
    except (AttributeError, ArithmeticError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{folder} holds no model that can be built ({error}): fetch it again, or use the "
            "release that wrote it"
        ) from None


def save_rolling(run_dir: str | Path, step: int, *, keep: int = 2, **contents: Any) -> Path:
    """Save a run's state at a step (see `save` for the contents) and drop all but the last few."""
    run_dir = Path(run_dir)
    folder = save(run_dir / f"step-{step:09d}", **contents)
    for old in _steps(run_dir)[keep:]:
        # Renamed first: a folder half removed must not look like a checkpoint.
        doomed = old.with_name(f"{old.name}.tmp-{os.getpid()}")
        shutil.rmtree(doomed, ignore_errors=True)
        old.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    return folder


def latest(run_dir: str | Path) -> Path | None:
    """The newest complete state of a run, its hashes verified; None when there is none.

    Removes what killed processes left behind; what a living one is writing stays.
    """
    run_dir = Path(run_dir)
    for debris in [*run_dir.glob("step-*.tmp-*"), *run_dir.glob("step-*.old-*")]:
        home, _, tail = debris.name.rpartition(".")
        if _alive(int(tail.partition("-")[2])):
            continue
        if tail.startswith("old") and not (run_dir / home).exists():
            debris.rename(run_dir / home)
        else:
            shutil.rmtree(debris, ignore_errors=True)
    for folder in _steps(run_dir):
        try:
            _verify(folder, _config(folder))
        except CheckpointError:
            continue
        return folder
    return None


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """The SHA-256 of named tensors: their names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _pack(tensors: Mapping[str, Tensor], storage: str) -> dict[str, Tensor]:
    packed: dict[str, Tensor] = {}
    for name, value in tensors.items():
        value = value.detach().cpu()
        if name.endswith(_SCALE):
            raise ValueError(f"{name!r}: names that end in {_SCALE!r} are kept for int8 scales")
        if not value.is_floating_point():
            packed[name] = value
        elif storage != "int8":
            packed[name] = value.to(STORAGES[storage])
        elif value.ndim >= 2 and value.numel() > _SMALL:
            packed[name], packed[name + _SCALE] = _quantize(value.float())
        else:
            packed[name] = value.float()
    return packed


def _unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name, value in packed.items():
        if name.endswith(_SCALE):
            continue
        if (scale := packed.get(name + _SCALE)) is not None:
            value = value.float() * scale
        tensors[name] = value.float() if value.is_floating_point() else value
    return tensors


def _quantize(value: Tensor) -> tuple[Tensor, Tensor]:  # (R, ...) -> int8 (R, ...), fp32 (R, 1...)
    peak = value.abs().flatten(1).amax(1).view(-1, *[1] * (value.ndim - 1))
    scale = (peak / 127).clamp_min(1e-12)
    # Rounded up to 16 bits of mantissa: then 127 * scale is exact in fp32, and quantising what was
    # de-quantised gives the same bytes again.
    scale = ((scale.view(torch.int32) + 0xFF) & ~0xFF).view(torch.float32)
    return (value / scale).round().clamp(-127, 127).to(torch.int8), scale


def _flatten(tree: Any, path: str, hung: dict[str, Tensor]) -> Any:
    """The tree with its tensors replaced by their paths; the tensors go to `hung`."""
    if isinstance(tree, Tensor):
        hung[path] = tree.detach()
        return {_TENSOR: path}
    if isinstance(tree, Mapping):
        for key in tree:
            if not isinstance(key, str) or key == _TENSOR:
                raise ValueError(f"state at {path!r} has the key {key!r}: keys must be other text")
        return {key: _flatten(value, f"{path}/{key}", hung) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_flatten(value, f"{path}/{i}", hung) for i, value in enumerate(tree)]
    if tree is None or isinstance(tree, (bool, int, float, str)):
        return tree
    raise ValueError(f"state at {path!r} is a {type(tree).__name__}: use tensors and JSON values")


def _unflatten(tree: Any, hung: Mapping[str, Tensor]) -> Any:
    if isinstance(tree, dict):
        if set(tree) == {_TENSOR}:
            return hung[tree[_TENSOR]]
        return {key: _unflatten(value, hung) for key, value in tree.items()}
    return [_unflatten(value, hung) for value in tree] if isinstance(tree, list) else tree


def _config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    try:
        about = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} is no checkpoint: it has no config.json; fetch or copy it again"
        ) from None
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{file} cannot be read ({error}): fetch it again") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise CheckpointError(f"{file} is not worldreel's: convert foreign weights first")
    if about.get("version") != VERSION:
        raise CheckpointError(
            f"{file} has version {about.get('version')!r}, this worldreel reads {VERSION}: "
            "update worldreel, or use the release that wrote it"
        )
    expected = {"format", "version", "kind", "storage", "config", "provenance", "files"}
    if set(about) != expected or "weights.safetensors" not in about["files"]:
        odd = sorted(set(about) ^ expected) or ["files"]
        raise CheckpointError(f"{file}: unknown or missing key {odd[0]!r}: fetch it again")
    return about


def _verify(folder: Path, about: Mapping[str, Any]) -> None:
    for name, expected in about["files"].items():
        file = folder / name
        if not file.is_file():
            raise CheckpointError(f"{file} is missing: fetch or copy the folder again")
        size = file.stat().st_size
        if size != expected["bytes"]:
            raise CheckpointError(
                f"{file} has {size} bytes of {expected['bytes']}, it is truncated or was changed: "
                "fetch or copy the folder again"
            )
        if _sha256(file) != expected["sha256"]:
            raise CheckpointError(f"{file} is damaged (its SHA-256 differs): fetch it again")


def _write_tensors(file: Path, tensors: Mapping[str, Tensor]) -> None:
    seen: set[int] = set()
    plain: dict[str, Tensor] = {}
    for name, value in tensors.items():
        value = value.detach().cpu().contiguous()
        store = value.untyped_storage().data_ptr()
        plain[name] = value.clone() if store in seen else value  # tied weights are stored twice
        seen.add(store)
    save_file(plain, file)
    _sync(file)


def _read_tensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} cannot be read ({error}): fetch it again") from None


def _write(file: Path, text: str) -> None:
    file.write_text(text + "\n", "utf-8")
    _sync(file)


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders, and needs no flush of them
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _steps(run_dir: Path) -> list[Path]:
    """A run's states, the newest first."""
    named = [p for p in run_dir.glob("step-*") if p.name[5:].isdigit()]
    return sorted(named, key=lambda p: int(p.name[5:]), reverse=True)


def _alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # signal 0 would end it there: debris stays
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
