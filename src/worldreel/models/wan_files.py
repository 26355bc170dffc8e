"""Other people's weight files: what is in them, known before any of it is read, and lazily read.

    open_tensors("vae/")                    a folder: one file of safetensors, or all its shards
    open_tensors("wan.safetensors")         a file, or one of several shards, or their index
    open_tensors("Wan2.1_VAE.pth")          a pickle, of which nothing but tensors is accepted

All checks are made on headers: files that are missing, truncated or damaged, and tensors that are
stored in a way that is not understood, are a CheckpointError that says what to do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import pickle
import re
import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from worldreel.errors import CheckpointError

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
FETCH = "fetch or copy it again"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One tensor on the disk. start: of its bytes in the file, which a pickle does not tell.
    scale: the entry that an fp8 one is multiplied by."""

    file: Path
    key: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    start: int = 0
    scale: Entry | None = None

    def rows(self, first: int, count: int) -> Tensor:
        """Some rows of it, read and not mapped: what is read is all that is then in memory."""
        each = math.prod(self.shape[1:])
        nbytes = count * each * self.dtype.itemsize
        start = self.start + first * each * self.dtype.itemsize
        data = np.fromfile(self.file, np.uint8, count=nbytes, offset=start)
        if len(data) != nbytes:
            raise CheckpointError(f"{self.file} was cut while it was in use: {FETCH}")
        return torch.from_numpy(data).view(self.dtype).reshape(count, *self.shape[1:])


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

    def read(self, name: str) -> Tensor:
        """A tensor, on the CPU, of its stored type (fp8: fp32)."""
        entry = self.entries[name]
        if entry.scale is None:
            return self._stored(entry)
        scale = self._stored(entry.scale).float()
        rows = (-1, *(1,) * (len(entry.shape) - 1)) if scale.numel() > 1 else ()
        return self._stored(entry).float().mul_(scale.reshape(rows))

    def rows(self, name: str, which: Sequence[int]) -> Tensor:
        """Some rows of a tensor, without the others."""
        entry = self.entries[name]
        if entry.scale is not None or entry.key in self.pickled:
            return self.read(name)[list(which)]
        with _said(self.path):
            return torch.cat([entry.rows(row, 1) for row in which])

    def _stored(self, entry: Entry) -> Tensor:
        if entry.key in self.pickled:
            return self.pickled[entry.key]
        with _said(self.path):
            if not entry.shape:
                return dataclasses.replace(entry, shape=(1,)).rows(0, 1)[0]
            return entry.rows(0, entry.shape[0])


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    """What the system says of a file that cannot be read, as an error of ours."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error}): {FETCH}") from None


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
    for pattern in ("*.safetensors.index.json", "*.safetensors", "*.bin", "*.pth"):
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
    raise CheckpointError(f"{folder} holds no weights (.safetensors, .bin or .pth): {FETCH}")


def _indexed(index: Path) -> dict[str, Entry]:
    try:
        home = json.loads(index.read_text("utf-8"))["weight_map"]
        files = {str(name) for name in home.values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index} is no index of weights ({error}): {FETCH}") from None
    outside = sorted(name for name in files if Path(name).name != name)
    if outside or not files:
        odd = f"names {outside[0]!r}, which is not beside it" if outside else "names no file"
        raise CheckpointError(f"{index} {odd}: {FETCH}")
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
            f"{index.parent / home[lost[0]]} lacks {lost[0]!r}, which its index promises: {FETCH}"
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
            raise CheckpointError(f"{twice[0]!r} is in two shards, of which {file} is one: {FETCH}")
        entries |= part
    return entries


def _header(file: Path) -> dict[str, Entry]:
    """What a file of safetensors says of itself; it must be as long as it says."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= size - 8:
            raise CheckpointError(f"{file} is truncated, or no file of safetensors: {FETCH}")
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
                start=8 + length + int(tensor["data_offsets"][0]),
            )
            for key, tensor in about.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise CheckpointError(f"{file} has a damaged header ({error!r}): {FETCH}") from None
    if 8 + length + end != size:
        raise CheckpointError(
            f"{file} has {size} bytes of {8 + length + end}, it is truncated or was changed: "
            f"{FETCH}"
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
        raise CheckpointError(f"{file} is truncated or damaged ({line}): {FETCH}") from None
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
        raise CheckpointError(f"{path} has tensors both with and without {prefix!r}: {FETCH}")
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
            entry = dataclasses.replace(entry, scale=scale)
        elif not entry.dtype.is_floating_point:
            raise CheckpointError(
                f"{path} stores {name!r} as integers, a quantiser's work that is not read here: "
                "give the bf16 or fp16 weights"
            )
        plain[name] = entry
    return Tensors(path=path, entries=plain, pickled=pickled or {})
