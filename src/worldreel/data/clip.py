"""A clip: frames, what is true of them, and how to say it; and shards of clips on disk.

A shard is two files: `name.safetensors` holds the arrays of some clips, stacked, and `name.json`,
written last, holds their words. A shard without its JSON is not finished and is not read.
"""

from __future__ import annotations

import errno
import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from einops import reduce
from safetensors import SafetensorError
from safetensors.numpy import save_file

from worldreel.errors import MediaError
from worldreel.output import whole_file
from worldreel.world.facts import Fact
from worldreel.world.render import Render
from worldreel.world.scene import COLORS, KINDS, Take

STRIDE = (4, 16, 16)  # frames, rows and columns of one latent cell

# The channels of dense truth: what share of a cell is of a kind and of a colour, how near it is
# (1 / (1 + metres), the sky 0), and how far it moves (right, down) in cells per latent.
DENSE = (*KINDS, *COLORS, "near", "flow_x", "flow_y")

Labels = Mapping[str, int]  # a class for each slot of `labels.LABELS`, 0 for what is not said


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a caption says of one shot: of frames start to end - 1."""

    text: str
    labels: Labels
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Caption:
    """One way to say a clip, and the labels of the facts that it says; parts: one per shot."""

    text: str
    language: str  # "en" or "zh"
    labels: Labels
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Words:
    """All that is said of a clip: captions, every fact of each shot, and the labels of all facts.

    The labels of several shots are those of the first, which says how many there are.
    """

    captions: tuple[Caption, ...]
    shots: tuple[tuple[Fact, ...], ...]
    labels: Labels

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Those of the first shot."""
        return self.shots[0]

    def to_json(self) -> dict[str, Any]:
        return {
            "captions": [
                [
                    c.text,
                    c.language,
                    c.labels,
                    [[p.text, p.labels, p.start, p.end] for p in c.parts],
                ]
                for c in self.captions
            ],
            "shots": [[fact.to_list() for fact in known] for known in self.shots],
            "labels": self.labels,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Words:
        captions = tuple(
            Caption(
                text=text, language=language, labels=said,
                parts=tuple(Part(text=t, labels=n, start=a, end=b) for t, n, a, b in parts),
            )
            for text, language, said, parts in data["captions"]
        )  # fmt: skip
        shots = tuple(tuple(map(Fact.from_list, known)) for known in data["shots"])
        return cls(captions=captions, shots=shots, labels=data["labels"])


@dataclass(frozen=True, kw_only=True)
class Clip:
    """F frames (a multiple of 4), or a still of one; T latents, h x w cells, A = len(DENSE).

    A clip of several shots has a scene for each; starts: their first frames, multiples of 4.
    """

    seed: int
    split: str | None
    mirrored: bool
    scenes: tuple[str, ...]  # JSON of each shot's scene as it was sampled, of twins too
    starts: tuple[int, ...]
    frames: np.ndarray  #   F H W 3  uint8, sRGB
    ids: np.ndarray  #      F H W    uint8, which thing, 0 for ground and sky
    dense: np.ndarray  #    T h w A  float16, see DENSE
    words: Words
    twin_words: Words  # what is said of the mirrored twin
    truth: Mapping[str, np.ndarray] | None = None  # see `truth`
    contacts: tuple[tuple[int, int, int, float], ...] = ()  # as in a take, of the clip's frames

    @property
    def captions(self) -> tuple[Caption, ...]:
        return self.words.captions

    @property
    def facts(self) -> tuple[Fact, ...]:
        return self.words.facts

    @property
    def labels(self) -> Labels:
        return self.words.labels

    def mirrored_twin(self) -> Clip:
        """Left and right swapped, in picture and in words; twice is the clip itself."""
        return replace(
            self,
            mirrored=not self.mirrored,
            frames=np.ascontiguousarray(self.frames[:, :, ::-1]),
            ids=np.ascontiguousarray(self.ids[:, :, ::-1]),
            dense=mirror_dense(self.dense),
            truth=self.truth and mirror_truth(self.truth),
            words=self.twin_words,
            twin_words=self.words,
        )


def mirror_dense(dense: np.ndarray) -> np.ndarray:  # ... w A -> ... w A
    """Dense truth of the mirrored picture."""
    flipped = dense[..., ::-1, :].copy()
    flipped[..., DENSE.index("flow_x")] *= -1
    return flipped


def joined(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of several shots, one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def dense(
    render: Render, take: Take, stride: tuple[int, int, int] = STRIDE
) -> np.ndarray:  # T H/16 W/16 A, float16
    """What the renderer knows, averaged over each latent cell (a still: over its one frame)."""
    assert render.ids is not None and render.depth is not None and render.flow is not None
    frames, height, width = render.ids.shape
    f, h, w = (min(stride[0], frames), *stride[1:])
    assert frames % f == 0 and height % h == 0 and width % w == 0, render.ids.shape
    cells = "(t f) (y h) (x w) -> t y x"

    def share(values: np.ndarray) -> np.ndarray:
        return reduce(values.astype(np.float32), cells, "mean", f=f, h=h, w=w)

    out = np.zeros((frames // f, height // h, width // w, len(DENSE)), np.float32)
    for owner, thing in enumerate(take.scene.things, start=1):
        part = share(render.ids == owner)
        out[..., DENSE.index(thing.kind)] += part
        out[..., DENSE.index(thing.color)] += part
    out[..., DENSE.index("near")] = share(1 / (1 + render.depth))
    # The last frame's flow is unknown: things keep going.
    flow = np.concatenate([render.flow[:-1], render.flow[-2:-1]]) if frames > 1 else render.flow
    for column, (name, cell) in enumerate((("flow_x", w), ("flow_y", h))):
        out[..., DENSE.index(name)] = share(flow[..., column]) * f / cell
    return out.astype(np.float16)


MOST = 4  # things that a scene holds; the arrays of fewer are filled up with NaN


def truth(render: Render, take: Take) -> dict[str, np.ndarray]:
    """All else that is exactly known of every frame.

    depth (F, H, W) float16 in metres, inf in the sky; flow (F, H, W, 2) float16, in pixels until
    the next frame; normals (F, H, W, 3) int8, of -127 to 127; centre and velocity (F, MOST, 3)
    float32, metres and metres per second; facing (F, MOST, 2); eye (F, 3) and look (F, 3, 3).
    """
    assert render.depth is not None and render.flow is not None and render.normals is not None
    frames = take.num_frames
    velocity = np.zeros_like(take.centre)
    if frames > 1:
        velocity = np.gradient(take.centre, 1 / take.fps, axis=0)
    things = {"centre": take.centre, "velocity": velocity, "facing": take.facing}
    filled = {}
    for name, values in things.items():
        filled[name] = np.full((frames, MOST, values.shape[-1]), np.nan, np.float32)
        filled[name][:, : values.shape[1]] = values
    return {
        "depth": np.clip(render.depth, 0, 6e4).astype(np.float16),
        "flow": render.flow.astype(np.float16),
        "normals": np.round(127 * render.normals).astype(np.int8),
        "eye": take.eye,
        "look": take.look,
        **filled,
    }


_SIDE = np.array([-1, 1, 1])
_SIGNED = {"flow": _SIDE[:2], "normals": _SIDE, "centre": _SIDE, "velocity": _SIDE}
_SIGNED |= {"facing": _SIDE[:2], "eye": _SIDE, "look": np.array([[-1], [1], [1]]) * _SIDE}


def mirror_truth(truth: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What is known of the mirrored clip's frames."""
    made = {}
    for name, values in truth.items():
        sign = _SIGNED.get(name, np.array(1)).astype(values.dtype)
        image = values[:, :, ::-1] if name in ("depth", "flow", "normals") else values
        made[name] = np.ascontiguousarray(image * sign)
    return made


def write(path: str | Path, clips: Sequence[Clip]) -> None:
    """Write a shard of clips of one shape; path has no ending. Whole or not at all."""
    path = Path(path)
    arrays = {
        name: np.stack([getattr(clip, name) for clip in clips])
        for name in ("frames", "ids", "dense")
    }
    for name in clips[0].truth or ():
        arrays[f"truth.{name}"] = np.stack([(clip.truth or {})[name] for clip in clips])
    records = [
        {
            "seed": clip.seed,
            "split": clip.split,
            "mirrored": clip.mirrored,
            "scenes": clip.scenes,
            "starts": clip.starts,
            "contacts": clip.contacts,
            "words": clip.words.to_json(),
            "twin_words": clip.twin_words.to_json(),
        }
        for clip in clips
    ]
    put(path, arrays, {"clips": records})


def read(path: str | Path) -> list[Clip]:
    """The clips of a shard; arrays are maps of the file, read as they are touched."""
    arrays, about = get(path)
    clips = []
    for i, record in enumerate(about["clips"]):
        words = {key: Words.from_json(record[key]) for key in ("words", "twin_words")}
        parts = {name: array[i] for name, array in arrays.items() if "." not in name}
        exact = {k.split(".")[1]: array[i] for k, array in arrays.items() if "." in k}
        known = {**record, **words, **parts, "truth": exact or None}
        known |= {key: tuple(record[key]) for key in ("scenes", "starts")}
        known["contacts"] = tuple(tuple(row) for row in record["contacts"])
        clips.append(Clip(**known))
    return clips


def raw(folder: str | Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Frames and ids of every clip in a folder of shards, mapped: F H W 3 and F H W uint8."""
    for path in shards(folder):
        arrays, _ = get(path)
        yield from zip(arrays["frames"], arrays["ids"], strict=True)


def shards(folder: str | Path) -> list[Path]:
    """The finished shards of a folder (no ending), in order."""
    return sorted(path.with_suffix("") for path in Path(folder).glob("shard-*.json"))


def put(path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Write a shard's two files, each whole or not at all; the JSON last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    held = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with whole_file(Path(f"{path}.safetensors")) as part:
        try:
            save_file(held, part)
        except SafetensorError as error:  # what the system refused is told in its text alone
            number = re.search(r"os error (\d+)", str(error))
            raise OSError(int(number[1]) if number else errno.EIO, str(error)) from None
        size = part.stat().st_size
    with whole_file(Path(f"{path}.json")) as part:
        part.write_text(json.dumps({"bytes": size, **about}, ensure_ascii=False), "utf-8")


def get(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """A shard's arrays, mapped and read-only, and its JSON; a MediaError if it is not whole."""
    file = Path(f"{path}.safetensors")
    try:
        about = json.loads(Path(f"{path}.json").read_text("utf-8"))
        size = file.stat().st_size
    except (OSError, ValueError) as error:
        raise MediaError(f"shard {path} cannot be read ({error}): delete and remake it") from None
    if size != about["bytes"]:
        raise MediaError(
            f"{file} has {size} bytes of {about['bytes']}, it is truncated: delete both files of "
            "the shard and run the same command again, which makes what is missing"
        )
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    types = {"U8": np.uint8, "I8": np.int8, "I64": np.int64}
    types |= {"F16": np.float16, "F32": np.float32}
    arrays: dict[str, np.ndarray] = {
        name: np.memmap(
            file,
            dtype=types[entry["dtype"]],
            mode="r",
            offset=8 + length + entry["data_offsets"][0],
            shape=tuple(entry["shape"]),
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }
    return arrays, about
