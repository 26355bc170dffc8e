"""The rulers: facts read off plain frames, with no access to the scene.

    rulers = probes.load()
    reading = rulers.read(frames)          # F H W 3 uint8: things, setting, light, weather, style

An eye finds things and their colours, geometry turns its maps into tracks, a sense of shape names
the kind of what is tracked, and a small net on tracks and the background's flow names the motion
of each thing in the world. What none of them finds is None or absent: black, noise and frozen clips
read as what they are. Accuracies are in `calibration.json`, beside the weights.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from worldreel import checkpoint
from worldreel.errors import CheckpointError
from worldreel.eval import tracks
from worldreel.eval.eye import OF_A_FRAME, Eye, Sight, frames_to_eye, setting_shares
from worldreel.eval.flow import EDGES
from worldreel.eval.known import COLORS, KINDS, SETTINGS
from worldreel.eval.shape import Shape, close
from worldreel.eval.tracks import MOMENTS, SPANS, Track
from worldreel.world.facts import COLOURLESS

PACKAGED = Path(__file__).parents[1] / "weights" / "examiner"
KIND = "examiner"
# "moves" is a motion without a name: that of a thing that was struck, or one that goes askew.
MOTIONS = ("rests", "left", "right", "toward", "away", "falls", "moves")
NAMES: dict[str, tuple[str, ...]] = {
    "kinds": KINDS,
    "colors": COLORS,
    **{f"{name}s": values for name, values in OF_A_FRAME.items()},
    "motions": MOTIONS,
}
SMALLEST, LARGEST = 16, 4096  # pixels a side
DOUBTS = 2  # of OF_A_FRAME that are like nothing known, at least: then nothing is
VIEWS = 12  # of a thing, by which its kind is told
_TOGETHER = 24  # frames that the eye looks at in one call, so that memory is bounded


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A thing, or several alike. color: None where there are no colours. x: where its middle is in
    the first frame, -1 left to 1 right."""

    color: str | None
    kind: str
    count: int
    motion: str
    x: float


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a clip shows, the largest thing first; None for what is like nothing that is known."""

    setting: str | None
    light: str | None
    weather: str | None
    style: str | None
    things: tuple[Seen, ...]

    @property
    def known(self) -> bool:
        """Whether anything is like something that is known."""
        return bool(self.things or self.setting or self.light)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Motion(nn.Module):
    """Names the motion of a thing in the world from its track, the background's flow, and what and
    where the thing is: a ship rocks, and the sea moves under a camera that stands."""

    def __init__(self, width: int = 160) -> None:
        super().__init__()
        inputs = MOMENTS * 10 + (len(EDGES) - 1) * (3 * SPANS + 1) + len(KINDS) + len(SETTINGS)
        self.net = nn.Sequential(
            nn.Linear(inputs, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, len(MOTIONS)),
        )
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("spread", torch.ones(inputs))

    def forward(self, features: Tensor) -> Tensor:  # N inputs -> N motions
        return self.net((features - self.mean) / self.spread)


def features(moments: Tensor, flow: Tensor, about: Tensor) -> Tensor:
    """What `Motion` looks at, N inputs: where a thing is and how it moves from where it was (N
    MOMENTS 5), the background (N bands .), and what it is and where (N kinds+settings)."""
    since = moments - moments[:, :1]
    return torch.cat([moments.flatten(1), since.flatten(1), flow.flatten(1), about], 1)


def about(track: Track, sight: Sight) -> Tensor:  # kinds+settings, shares
    """What the eye takes a thing for, and the setting."""
    return torch.cat([track.kinds.softmax(0), setting_shares(sight)])


def mirrored(moments: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """The same of the mirrored clip."""
    return moments * torch.tensor([-1.0, 1, 1, 1, 1]), tracks.reflected(flow)


class Rulers:
    """The trained nets, ready to read. A reading depends on its clip's frames alone."""

    def __init__(self, eye: Eye, shape: Shape, motion: Motion) -> None:
        self.eye = eye.requires_grad_(False).eval()
        self.shape = shape.requires_grad_(False).eval()
        self.motion = motion.requires_grad_(False).eval()

    def parts(self) -> dict[str, nn.Module]:
        return {"eye": self.eye, "shape": self.shape, "motion": self.motion}

    @torch.inference_mode()
    def look(self, frames: np.ndarray) -> tuple[Tensor, Sight]:
        """Frames at the eye's width, F 3 H W, and what it sees in them."""
        x = frames_to_eye(_checked(frames))
        parts = [self.eye.both_ways(part) for part in x.split(_TOGETHER)]
        return x, Sight(*(torch.cat(maps) for maps in zip(*parts, strict=True)))

    def read(self, frames: np.ndarray) -> Reading:
        """What F H W 3 uint8 frames show; a ValueError when they are none."""
        return self.tell(*self.look(frames))

    @torch.inference_mode()
    def tell(self, x: Tensor, sight: Sight) -> Reading:
        """What a clip shows, by what the eye has seen in it (`look`)."""
        whole = {name: _named(getattr(sight, name), v) for name, v in OF_A_FRAME.items()}
        # What is like nothing that is known holds nothing: noise has pieces of every colour.
        if list(whole.values()).count(None) >= DOUBTS:
            return Reading(things=(), **dict.fromkeys(whole))
        found = tracks.tracks(sight, colored=whole["style"] not in COLOURLESS)
        flow = tracks.background(x, sight)
        return Reading(things=tuple(self._seen(x, sight, t, flow) for t in found), **whole)

    def read_all(self, clips: Iterable[np.ndarray]) -> Iterator[Reading]:
        """The readings of many clips, one by one."""
        return (self.read(frames) for frames in clips)

    def _seen(self, x: Tensor, sight: Sight, track: Track, flow: Tensor) -> Seen:
        when = track.there.nonzero()[:, 0]
        when = when[torch.linspace(0, len(when) - 1, min(VIEWS, len(when))).round().long()]
        kinds = self.shape.both_ways(close(x[when], track.piece[when])).mean(0) + track.kinds
        # The mirrored twin must be read as the twin: both are asked, and the answers joined.
        given, what = (tracks.moments(track)[None], flow[None]), about(track, sight)[None]
        here = self.motion(features(*given, what)).softmax(1)[0]
        there = self.motion(features(*mirrored(*given), what)).softmax(1)[0]
        swapped = [MOTIONS.index({"left": "right", "right": "left"}.get(m, m)) for m in MOTIONS]
        return Seen(
            color=track.color,
            kind=KINDS[int(kinds.argmax())],
            count=track.count,
            motion=MOTIONS[int((here + there[swapped]).argmax())],
            x=round(float(track.place[0, 0]), 4),
        )


def _named(logits: Tensor, names: tuple[str, ...]) -> str | None:  # F 1+names
    best = int(logits.log_softmax(1).mean(0).argmax())
    return names[best - 1] if best else None


def _checked(frames: np.ndarray) -> np.ndarray:
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.ndim != 4:
        got = f"{getattr(frames, 'dtype', type(frames).__name__)} {getattr(frames, 'shape', '')}"
        raise ValueError(f"the rulers read frames as (F, H, W, 3) uint8, not {got}".rstrip())
    f, h, w, c = frames.shape
    if not f or c != 3 or min(h, w) < SMALLEST or max(h, w) > LARGEST:
        raise ValueError(
            f"the rulers read one frame or more of {SMALLEST} to {LARGEST} pixels a side in three "
            f"colours, not {frames.shape}"
        )
    return frames


def save(folder: Path, rulers: Rulers, *, provenance: Mapping[str, Any]) -> Path:
    """Write the rulers' weights."""
    tensors = {
        f"{part}.{name}": value
        for part, net in rulers.parts().items()
        for name, value in net.state_dict().items()
    }
    config = {name: list(values) for name, values in NAMES.items()}
    return checkpoint.save(
        folder, kind=KIND, config=config, tensors=tensors, storage="fp16", provenance=provenance
    )


@functools.cache
def load(folder: Path = PACKAGED) -> Rulers:
    """The packaged rulers, or those of a folder."""
    held = checkpoint.load(folder, kind=KIND)
    names = {name: tuple(values) for name, values in held.config.items()}
    if names != NAMES:
        raise CheckpointError(
            f"{folder} knows other words than this world ({json.dumps(held.config)[:80]}...): "
            "train the rulers again with recipes/rulers.py"
        )
    rulers = Rulers(Eye(), Shape(), Motion())
    for part, net in rulers.parts().items():
        cut = len(part) + 1
        checkpoint.apply(
            net, {k[cut:]: v for k, v in held.tensors.items() if k.startswith(f"{part}.")}
        )
    return rulers
