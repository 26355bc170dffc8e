"""Other people's weight files: what is in them, known before any of it is read, and lazily read.

    open_tensors("vae/")                    a folder: one file of safetensors, or all its shards
    open_tensors("wan.safetensors")         a file, or one of several shards, or their index
    open_tensors("Wan2.1_VAE.pth")          a pickle, of which nothing but tensors is accepted

All checks are made on headers: files that are missing, truncated or damaged, and tensors that are
stored in a way that is not understood, are a CheckpointError that says what to do.
"""

from __future__ import annotations

import contextlib
import json
import math
import pickle
import re
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from worldreel.errors import CheckpointError
from worldreel.models.wan_names import Place
from worldreel.progress import Progress, silent

PICKLES = {".pth", ".pt", ".bin", ".ckpt"}
_SHARD = re.compile(r"(?P<stem>.*)-(?P<n>\d{5})-of-(?P<of>\d{5})\.safetensors")
_USUAL = re.compile(r"(?:diffusion_pytorch_)?model[-.](?:safetensors|bin)?(?:\.index\.json)?")
_PREFIXES = ("model.diffusion_model.", "diffusion_model.")
_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip
_EIGHT = (torch.float8_e4m3fn, torch.float8_e5m2)
_SCALES = ("scale_weight", "weight_scale")  # of fp8 repacks, beside the `weight` that they scale
_OF_INPUTS = re.compile(r"(?:.*\.)?(?:scaled_fp8|scale_input|input_scale)")  # not needed to read
_FETCH = "fetch or copy it again"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One tensor on the disk. scale: the entry that an fp8 one is multiplied by."""

    file: Path
    key: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    scale: Entry | None = None


@dataclass(frozen=True, kw_only=True)
class Tensors:
    """Named tensors in files, by their names without a repack's prefix; described, not read.

    pickled: those of a pickle by their keys there, which are mapped from the file, not read either.
    """

    path: Path
    entries: Mapping[str, Entry]
    pickled: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: entry.shape for name, entry in self.entries.items()}

    @property
    def count(self) -> int:
        """Numbers in all tensors."""
        return sum(math.prod(entry.shape) for entry in self.entries.values())

    @contextlib.contextmanager
    def reading(self) -> Iterator[Callable[[str], Tensor]]:
        """A function from a name to its tensor, on the CPU, of its stored type (fp8: fp32)."""
        with contextlib.ExitStack() as stack:
            files: dict[Path, Any] = {}

            def stored(entry: Entry) -> Tensor:
                if entry.key in self.pickled:
                    return self.pickled[entry.key]
                if entry.file not in files:
                    files[entry.file] = stack.enter_context(safe_open(entry.file, "pt"))
                return files[entry.file].get_tensor(entry.key)

            def read(name: str) -> Tensor:
                entry = self.entries[name]
                if entry.scale is None:
                    return stored(entry)
                scale = stored(entry.scale).float()
                rows = (-1, *(1,) * (len(entry.shape) - 1)) if scale.numel() > 1 else ()
                return stored(entry).float().mul_(scale.reshape(rows))

            try:
                yield read
            except (SafetensorError, OSError) as error:
                raise CheckpointError(f"{self.path} cannot be read ({error}): {_FETCH}") from None


def open_tensors(path: str | Path) -> Tensors:
    """What is in a file of weights, or in a folder that holds one or the shards of one."""
    path = Path(path)
    if path.is_dir():
        path = _in_folder(path)
    elif not path.is_file():
        raise CheckpointError(f"{path} is not there: give a file of weights, or its folder")
    if path.name.endswith(".index.json"):
        return _described(path, _indexed(path))
    if path.suffix == ".safetensors":
        return _described(path, _sharded(path) if _SHARD.fullmatch(path.name) else _header(path))
    if path.suffix in PICKLES:
        pickled = _unpickled(path)
        entries = {
            key: Entry(file=path, key=key, shape=tuple(value.shape), dtype=value.dtype)
            for key, value in pickled.items()
        }
        return _described(path, entries, pickled)
    raise CheckpointError(
        f"{path} is no file of weights that is read here: give safetensors, or a .pth of tensors"
    )


def _in_folder(folder: Path) -> Path:
    """The one file of weights in a folder: an index, a file, or the first of several shards.

    What is called as such files usually are comes before others that stand beside it.
    """
    for pattern in ("*.safetensors.index.json", "*.safetensors", "*.bin"):
        found = sorted(folder.glob(pattern))
        plain = [f for f in found if _USUAL.fullmatch(f.name)]
        usual = [f for f in found if _USUAL.match(f.name)]
        found = plain or usual or found
        stems = {m["stem"] if (m := _SHARD.fullmatch(f.name)) else f.name for f in found}
        if len(stems) > 1:
            names = ", ".join(f.name for f in found[:4])
            raise CheckpointError(f"{folder} has several weights ({names}): give the file to read")
        if found:
            return found[0]
    raise CheckpointError(f"{folder} holds no weights (safetensors): {_FETCH}")


def _indexed(index: Path) -> dict[str, Entry]:
    try:
        home = json.loads(index.read_text("utf-8"))["weight_map"]
        files = {str(name) for name in home.values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index} is no index of weights ({error}): {_FETCH}") from None
    outside = sorted(name for name in files if Path(name).name != name)
    if outside or not files:
        odd = f"names {outside[0]!r}, which is not beside it" if outside else "names no file"
        raise CheckpointError(f"{index} {odd}: {_FETCH}")
    missing = sorted(name for name in files if not (index.parent / name).is_file())
    if missing:
        raise CheckpointError(
            f"{len(missing)} of {len(files)} files of {index} are missing, {missing[0]} first: "
            "fetch them"
        )
    entries = {}
    for name in sorted(files):
        for key, entry in _header(index.parent / name).items():
            if home.get(key) == name:
                entries[key] = entry
    lost = sorted(set(home) - set(entries))
    if lost:
        raise CheckpointError(
            f"{index.parent / home[lost[0]]} lacks {lost[0]!r}, which its index promises: {_FETCH}"
        )
    return entries


def _sharded(shard: Path) -> dict[str, Entry]:
    """All shards of the set that this one is of, without an index: their names tell how many."""
    match = _SHARD.fullmatch(shard.name)
    assert match is not None
    entries: dict[str, Entry] = {}
    for n in range(1, int(match["of"]) + 1):
        file = shard.with_name(f"{match['stem']}-{n:05}-of-{match['of']}.safetensors")
        if not file.is_file():
            raise CheckpointError(f"{file} is missing, one of {int(match['of'])} shards: fetch it")
        part = _header(file)
        twice = sorted(set(part) & set(entries))
        if twice:
            raise CheckpointError(
                f"{twice[0]!r} is in two shards, of which {file} is one: {_FETCH}"
            )
        entries |= part
    return entries


def _header(file: Path) -> dict[str, Entry]:
    """What a file of safetensors says of itself; it must be as long as it says."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= size - 8:
            raise CheckpointError(f"{file} is truncated, or no file of safetensors: {_FETCH}")
        text = stream.read(length)
    try:
        about = json.loads(text)
        about.pop("__metadata__", None)
        end = max((tensor["data_offsets"][1] for tensor in about.values()), default=0)
        entries = {
            key: Entry(
                file=file,
                key=key,
                shape=tuple(map(int, tensor["shape"])),
                dtype=_DTYPES.get(tensor["dtype"], torch.uint8),
            )
            for key, tensor in about.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise CheckpointError(f"{file} has a damaged header ({error!r}): {_FETCH}") from None
    if 8 + length + end != size:
        raise CheckpointError(
            f"{file} has {size} bytes of {8 + length + end}, it is truncated or was changed: "
            f"{_FETCH}"
        )
    return entries


def _unpickled(file: Path) -> dict[str, Tensor]:
    """Tensors of a pickle that holds tensors alone; nothing in it is ever run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd pickles, which are refused below
            try:
                held = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
            except RuntimeError as error:
                if "mmap can only be used" not in str(error):
                    raise
                held = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{file} holds more than tensors (a pickle may hold code), and nothing of it was run: "
            "give the weights as safetensors"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{file} is truncated or damaged ({line}): {_FETCH}") from None
    odd = not isinstance(held, Mapping) or not all(isinstance(v, Tensor) for v in held.values())
    if odd or not held:
        raise CheckpointError(f"{file} is no table of named tensors: give a model's weights")
    return {str(key): value for key, value in held.items()}


def _described(
    path: Path, entries: Mapping[str, Entry], pickled: Mapping[str, Tensor] | None = None
) -> Tensors:
    """Entries under their plain names, scales with what they scale; what is odd is refused."""
    prefix = next((p for p in _PREFIXES if any(k.startswith(p) for k in entries)), "")
    named = {key.removeprefix(prefix): entry for key, entry in entries.items()}
    if len(named) != len(entries):
        raise CheckpointError(f"{path} has tensors both with and without {prefix!r}: {_FETCH}")
    scales = {name: entry for name, entry in named.items() if name.rpartition(".")[2] in _SCALES}
    plain = {}
    for name, entry in named.items():
        if name in scales or _OF_INPUTS.fullmatch(name):
            continue
        if entry.dtype in _EIGHT:
            home = name.rpartition(".")[0]
            scale = next((s for k in _SCALES if (s := scales.get(f"{home}.{k}"))), None)
            if scale is None or math.prod(scale.shape) not in (1, *entry.shape[:1]):
                raise CheckpointError(
                    f"{path} stores {name!r} in fp8 without a scale, which loses what it was: "
                    "give the bf16 or fp16 weights"
                )
            entry = Entry(
                file=entry.file, key=entry.key, shape=entry.shape, dtype=entry.dtype, scale=scale
            )
        elif not entry.dtype.is_floating_point:
            raise CheckpointError(
                f"{path} stores {name!r} as integers, a quantiser's work that is not read here: "
                "give the bf16 or fp16 weights"
            )
        plain[name] = entry
    return Tensors(path=path, entries=plain, pickled=pickled or {})


def check(module: nn.Module, source: Tensors, places: Mapping[str, Place]) -> None:
    """That files fill a module, name by name and shape by shape; nothing is read for it.

    places: for each name in the files, where it goes.
    """
    own = dict(module.named_parameters())
    filled: dict[str, set[int]] = {}
    for key, place in places.items():
        target, given = own.get(place.name), torch.empty(source.entries[key].shape, device="meta")
        if target is None:
            raise CheckpointError(f"{source.path} has {key!r}, for which the model has no place")
        try:
            turned = given if place.turn is None else place.turn(given)
        except (RuntimeError, ValueError):
            turned = given
        expected = (target.shape[0] // place.parts, *target.shape[1:])
        if turned.shape != expected:
            raise CheckpointError(
                f"{source.path} has {key!r} of {tuple(given.shape)}, which does not make the "
                f"{expected} that the model's config says: the two are of different models"
            )
        filled.setdefault(place.name, set()).add(place.part)
    parts = {place.name: place.parts for place in places.values()}
    lacking = [name for name in own if len(filled.get(name, ())) < parts.get(name, 1)]
    if lacking:
        raise CheckpointError(
            f"{source.path} lacks {len(lacking)} of the model's {len(own)} tensors, "
            f"{lacking[0]!r} first: {_FETCH}"
        )


@torch.no_grad()
def fill(
    module: nn.Module,
    source: Tensors,
    places: Mapping[str, Place],
    kind: Callable[[str], torch.dtype],
    *,
    device: torch.device | str = "cpu",
    told: Progress = silent,
) -> None:
    """Give a module that is described alone ("meta") its weights, frozen.

    One tensor is read at a time and converted into its place, so that the peak is the model and
    that tensor. kind: the type in which a tensor of ours is stored.
    """
    check(module, source, places)
    own = dict(module.named_parameters())
    done: dict[str, Tensor] = {}
    with source.reading() as read:
        for n, (key, place) in enumerate(places.items()):
            told("load", n, len(places))
            if place.name not in done:
                done[place.name] = torch.empty_like(
                    own[place.name], dtype=kind(place.name), device=device
                )
            value = read(key)
            value = value if place.turn is None else place.turn(value)
            rows = len(value)
            done[place.name][rows * place.part : rows * (place.part + 1)].copy_(value)
    told("load", len(places), len(places))
    for name, value in done.items():
        home, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(home), leaf, nn.Parameter(value, requires_grad=False))
