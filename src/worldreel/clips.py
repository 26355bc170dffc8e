"""Clips that are worked on: opened, fitted to what a model takes, and what is remembered of them.

A clip that worldreel saved brings its latents, and with them it is continued: it never goes through
pixels. Any other is fitted to the model's size and rate, which is noted, and encoded once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worldreel import pictures, provenance
from worldreel.errors import MediaError, RequestError
from worldreel.framing import asked_size, nearest_size
from worldreel.media import Video
from worldreel.values import Size

if TYPE_CHECKING:
    from worldreel.request import Limits, Plan, Request

ROLES = ("before", "after", "under")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """Frames, and the latents that they are shown from, if they are known.

    exact: the frames are those before any encoding as a file; else they are decoded anew from the
    latents, where `decoded` says that this gives them back.
    """

    name: str
    frames: np.ndarray  # (F, H, W, 3) uint8
    fps: float
    latents: Any = None  # (1, C, T, H, W)
    num_latents: int = 0
    hidden: int = 0  # frames of the first latent that are not shown
    rest: int = 0  # frames of the last latent that are not shown
    exact: bool = True
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def num_frames(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> Size:
        return self.frames.shape[2], self.frames.shape[1]

    @property
    def request(self) -> Mapping[str, Any]:
        found = self.metadata.get("request")
        return found if isinstance(found, Mapping) else {}

    @property
    def prompt(self) -> str | None:
        said = self.request.get("prompt")
        return said if isinstance(said, str) and said.strip() else None

    @property
    def spans(self) -> tuple[tuple[float, str], ...]:
        """From which second on it shows what, in order; empty where it does not say.

        A stream says it as `then`, a clip that was made of several prompts as `prompts`.
        """
        own = () if self.prompt is None else ((0.0, self.prompt),)
        told = _told(self.request.get("prompts"))
        return told or (*own, *_told(self.request.get("then")))

    def saying(self, latent: int, group: int) -> str | None:
        """The prompt in force at a latent, of which each has `group` frames."""
        middle = ((latent + 0.5) * group - self.hidden) / self.fps
        return next((said for at, said in reversed(self.spans) if at <= middle), self.prompt)

    @property
    def seed(self) -> int | None:
        seed = self.request.get("seed")
        return seed if isinstance(seed, int) and 0 <= seed < 2**64 else None

    @property
    def ring(self) -> bool:
        return self.latents is not None and self.request.get("ring") is True

    @property
    def held(self) -> Mapping[str, Any]:
        """What is known of its latents: `space`, `hidden`, `decoded`."""
        found = self.metadata.get("latents")
        return found if isinstance(found, Mapping) else {}

    @property
    def decoded(self) -> bool:
        """Whether its frames are just what its latents decode to."""
        return self.latents is not None and self.held.get("decoded") is True

    @property
    def painted(self) -> bool:
        """Whether a model made all of it."""
        return self.metadata.get("digital_source_type") == provenance.TRAINED

    @property
    def clip_id(self) -> str:
        """Its own, or one that follows from its pixels."""
        found = self.metadata.get("clip_id")
        return str(found or f"sha256:{hashlib.sha256(self.frames.tobytes()).hexdigest()}")


def _told(rows: Any) -> tuple[tuple[float, str], ...]:
    """[second, prompt] of a file's mark, which anyone may have written: what is none is left."""
    found = []
    for row in rows if isinstance(rows, list) else ():
        at, said = row if isinstance(row, list) and len(row) == 2 else (None, None)
        if isinstance(at, int | float) and isinstance(said, str) and said.strip():
            found.append((float(at), said))
    return tuple(found)


def read(source: Any, name: str = "the clip") -> Clip:
    """A clip of a file, a folder of frames or a `Video`; MediaError when that is none.

    A sidecar beside a file must be sound and the file's own; that there is none is noted.
    """
    if isinstance(source, Clip):
        return source
    if isinstance(source, Video):
        return _clip(source, name)
    if not isinstance(source, str | os.PathLike):
        raise MediaError(f"a clip is a file or a Video, not {type(source).__name__}")
    path = Path(source)
    beside = provenance.sidecar_path(path)
    if path.suffix.lower() != ".mp4" or not (path.is_file() and beside.exists()):
        video = Video.open(path)
        named = (video.metadata.get("latents") or {}).get("file")
        lost = f"{named} is not beside {path.name}: its pixels were encoded anew"
        bare = f"{path.name} has no latents beside it: its pixels were encoded"
        return _clip(video, path.name, notes=(lost if named else bare,))
    return _clip(Video.open(path, latents=True), path.name)


def _clip(video: Video, name: str, *, notes: tuple[str, ...] = ()) -> Clip:
    clip = Clip(
        name=name,
        frames=video.frames,
        fps=video.fps,
        latents=video.latents,
        metadata=video.metadata,
        notes=notes,
    )
    clip = dataclasses.replace(clip, exact=clip.latents is None or "file" not in clip.held)
    hidden = clip.held.get("hidden")
    return dataclasses.replace(clip, hidden=hidden) if isinstance(hidden, int) else clip


def ready(request: Request, limits: Limits, *, space: str | None = None) -> Request:
    """The request with its clips opened and fitted, and its mask as an array of booleans.

    space: the model's latents; those of another, or of none, are left aside. None: not known yet.
    """
    found = {role: getattr(request, role) for role in ROLES}
    clips = {
        role: _own(
            read(clip, f"the clip {role}" if role != "under" else "the clip"), space, limits, role
        )
        for role, clip in found.items()
        if clip is not None
    }
    size = next((c.size for c in clips.values() if c.latents is not None), None)
    size = size or asked_size(request, limits)
    for role, clip in clips.items():
        if clip.latents is None:
            clips[role] = _fitted(clip, size or nearest_size(*clip.size, limits), limits, role)
            size = clips[role].size
    mask = None if request.mask is None else read_mask(request.mask)
    return dataclasses.replace(request, mask=mask, **clips)


def _own(clip: Clip, space: str | None, limits: Limits, role: str) -> Clip:
    """A clip with its latents where they are the model's and its frames', without them else."""
    z = clip.latents
    if z is None:
        return clip
    if limits.first_frame and role == "after":  # its first latent is one frame, and stays first
        return _pixels_alone(clip, f"{clip.name} comes after others: its pixels were encoded anew")
    group, (width, height) = limits.frames_per_latent, clip.size
    if abs(clip.fps - limits.fps) > 1e-3:
        raise RequestError(
            f"{clip.name} has {clip.fps:g} frames a second, and {limits.name} makes {limits.fps}: "
            "clips of one rate go together"
        )
    if clip.held.get("space") is None or clip.held["space"] != (space or clip.held["space"]):
        whose = f"the latents of {clip.name} are not {limits.name}'s"
        return _pixels_alone(clip, f"{whose}: its pixels were encoded anew")
    shape = (height // limits.stride, width // limits.stride)
    fits = z.ndim == 5 and z.shape[0] == 1 and tuple(z.shape[3:]) == shape
    rest = group * z.shape[2] - clip.hidden - clip.num_frames if fits else -1
    if not (0 <= clip.hidden < group and 0 <= rest < group):
        return _pixels_alone(
            clip, f"the latents of {clip.name} are not those of its frames: these were encoded anew"
        )
    return dataclasses.replace(clip, num_latents=z.shape[2], rest=rest)


def _pixels_alone(clip: Clip, note: str) -> Clip:
    return dataclasses.replace(clip, latents=None, exact=True, hidden=0, notes=(*clip.notes, note))


def _fitted(clip: Clip, size: Size, limits: Limits, role: str) -> Clip:
    """A clip of pixels at the model's rate and a size, and its length in latents.

    Where its frames are no whole groups it is encoded with its first frame held before it, or with
    its last held after it where that end is not continued.
    """
    frames, notes = clip.frames, list(clip.notes)
    if abs(clip.fps - limits.fps) > 1e-3 and len(frames) > 1:
        count = max(1, round(len(frames) / clip.fps * limits.fps))
        at = np.minimum((np.arange(count) + 0.5) / limits.fps * clip.fps, len(frames) - 1)
        frames = frames[at.astype(int)]
        notes.append(f"{clip.name} was taken from {clip.fps:g} to {limits.fps} frames a second")
    if clip.size != size:
        scaled = [pictures.fitted(frame, size) for frame in frames]
        frames = np.stack([pixels for pixels, _ in scaled])
        notes.append(f"{clip.name}, {scaled[0][1]}")
    group = limits.frames_per_latent
    if limits.first_frame and role == "before" and (odd := (len(frames) - 1) % group):
        frames = frames[odd:]  # what goes on ends with a whole group, and begins with one frame
        notes.append(f"the first {odd} frames of {clip.name} were left out")
    missing = -len(frames) % group
    hidden = 0 if role == "after" else group - 1 if limits.first_frame else missing
    rest = (missing - hidden) % group
    return dataclasses.replace(
        clip,
        frames=frames,
        fps=limits.fps,
        num_latents=(hidden + len(frames) + rest) // group,
        hidden=hidden,
        rest=rest,
        notes=tuple(notes),
    )


def read_mask(source: Any) -> np.ndarray:
    """1|F H W bool, True where a mask is white: of a picture, a clip, or an array of bool or uint8.

    Where a picture is transparent it counts as white.
    """
    if isinstance(source, str | os.PathLike):
        source = Video.open(source)
    if isinstance(source, Video):
        return source.frames.mean(-1) >= 128
    if not isinstance(source, np.ndarray):
        return pictures.read_image(source)[None].mean(-1) >= 128
    if source.ndim not in (2, 3) or source.dtype not in (bool, np.uint8):
        raise MediaError(
            "a mask is an (H, W) or (F, H, W) array of bool or uint8, not "
            f"{source.shape} of {source.dtype}"
        )
    white = source if source.dtype == bool else source >= 128
    return white if white.ndim == 3 else white[None]


def descent(made: Plan, *, space: str, frames_per_latent: int) -> dict[str, Any]:
    """What a result remembers: its id, its ancestors, and how its frames follow from latents.

    `sources` are the files that its clips were opened from, where they tell; no file names them.
    """
    line = made.timeline
    decoded = all(c.decoded and (line.ring or not c.ring) for c in made.clips)
    held = {
        "space": space,
        "hidden": line.hidden,
        "decoded": decoded and not made.framing.partly,
    }
    painted = all(c.painted for c in made.clips)
    files = [c.metadata["opened"] for c in made.clips if "opened" in c.metadata]
    return {
        "clip_id": str(uuid.uuid4()),
        "digital_source_type": provenance.TRAINED if painted else provenance.COMPOSITE,
        "lineage": _lineage(made, frames_per_latent),
        "latents": held,
        **({"sources": files} if files else {}),
    }


def prompts(made: Plan, group: int) -> list[list[Any]]:
    """[second, prompt] for each prompt of a result, from where it is in force; `group` is the
    frames of a latent."""
    line, found = made.timeline, []
    for latent in range(line.num_latents):
        clip, its = made.under or made.before, latent
        if made.under is None and latent >= line.paint[1] and made.after is not None:
            clip, its = made.after, latent - line.num_latents + line.trail
        if clip is None or line.paint[0] <= latent < line.paint[1]:
            said = made.prompt
        else:
            said = clip.saying(its, group)
        if said and (not found or found[-1][1] != said):
            found.append([round(max(0, latent * group - line.hidden) / made.fps, 3), said])
    return found


def _lineage(made: Plan, frames_per_latent: int) -> list[Any]:
    """The ancestors of a result, the oldest first: their clip ids and what was done, no paths."""
    line, found = made.timeline, []
    first, stop = (at * frames_per_latent - line.hidden for at in line.paint)
    span = f"from {max(first, 0) / made.fps:.3g} s to {min(stop, made.num_frames) / made.fps:.3g} s"
    new = f"by {(stop - first) / made.fps:.3g} s"
    if made.under is not None:
        part = " in a part of the picture" if made.framing.partly else ""
        how = f" at strength {made.strength:g}" if made.strength < 1 else ""
        done = {"under": f"changed {span}{part}{how}"}
    elif line.ring:
        done = {"before": f"closed to a loop {new}"}
    elif made.before is not None and made.after is not None:
        done = {"before": f"connected to the next {new}", "after": f"connected to the last {new}"}
    else:
        done = {"before": f"continued {new}", "after": f"led up to {new}"}
    for role in ROLES:
        clip = getattr(made, role)
        if clip is not None:
            older = clip.metadata.get("lineage")
            found += [one for one in older or () if one not in found]
            found.append({"clip_id": clip.clip_id, "done": done[role]})
    return found
