"""A long video on the disk while it is made: a folder of parts, each whole or not there.

    long.parts/00000.mp4    the frames of a group: a clip that plays, and says what was asked
    long.parts/00000.reel   its latents, bound to it
    long.parts/00000.flight groups on their way, where several are painted at once; the last alone

The parts are the truth. A run that was killed goes on after the last of them; the long video is
joined from their packets and takes its place when it is whole.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from worldreel import mux, provenance
from worldreel.errors import MediaError, RequestError
from worldreel.media import Video, write_mp4
from worldreel.output import StrPath, explained, whole_file
from worldreel.progress import Progress, silent
from worldreel.stream import Chunk, State, Stream

SUFFIXES = (".mp4", ".reel", ".flight")
SHOWN = 16  # frames of a contact sheet


def folder_of(video: Path) -> Path:
    """Where the parts of a video are, from its name."""
    return video.with_suffix(".parts")


def record(
    stream: Stream,
    video: Path,
    *,
    sheet: StrPath | None = None,
    keep: bool = False,
    told: Progress | None = None,
) -> tuple[dict[str, Any], float]:
    """Write a stream to an mp4, by way of its parts; goes on where an earlier run was stopped.

    Returns the file's mark, and how many seconds were there already. sheet: also a picture of some
    frames. keep: leave the parts, from which a longer video of the same stream can go on.
    """
    with parts_of(stream, folder_of(video)) as parts:
        found = parts.seconds
        begun, told = parts.done, told or silent
        told("stream", 0, stream.course.num_groups - begun)
        for chunk in stream.chunks(parts.state()):
            parts.add(chunk)
            told("stream", parts.done - begun, stream.course.num_groups - begun)
        marked = parts.join(video)
        if sheet is not None:
            parts.sheet().save_contact_sheet(sheet, count=SHOWN)
        if not keep:
            parts.remove()
    return marked, found


@contextlib.contextmanager
def parts_of(stream: Stream, folder: Path) -> Iterator[Parts]:
    """The parts of a stream in a folder, which is made, or opened where the stream goes on.

    A folder of another stream is a RequestError, one of something else, or which another process is
    writing, a MediaError.
    """
    with explained(folder):
        if folder.exists() and not folder.is_dir():
            raise MediaError(f"{folder} is a file, where a folder for parts was expected")
        folder.mkdir(exist_ok=True)
    with _locked(folder):
        yield Parts(folder, stream)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time; the system lets go when that process ends, however it does."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise MediaError(
            f"another process is writing {folder}: wait for it, or choose another name"
        ) from None
    finally:
        os.close(handle)


class Parts:
    """A stream's parts in a folder that is nobody else's; see `parts_of`."""

    def __init__(self, folder: Path, stream: Stream) -> None:
        self.folder, self.stream = folder, stream
        self.clip_id = str(uuid.uuid4())
        self._asked = provenance.plain(stream.course.to_json() | {"weights": stream.fingerprint})
        self.done = self._count()
        if self.done:
            self._check()
        for file in folder.iterdir():
            if file.name.startswith(".worldreel-"):  # a killed run's, half written
                file.unlink()
            elif not (file.stem.isdigit() and file.suffix in SUFFIXES):
                raise MediaError(f"{file} is no part of a stream: choose another name")

    def _path(self, index: int, suffix: str) -> Path:
        return self.folder / f"{index:05d}{suffix}"

    def _count(self) -> int:
        """Finished parts, in a row from the first; latents are written before their clip."""
        done = 0
        while self._path(done, ".mp4").is_file() and self._path(done, ".reel").is_file():
            done += 1
        return done

    def _check(self) -> None:
        """Refuse another stream's parts, and more than was asked; make anew what was cut short."""
        clip_id, found = self._said(0)
        # those of before it could be asked for do not say it
        found = {"flow_shift": self.stream.engine.limits.default_shift} | found
        for name, ours in self._asked.items():
            theirs = found.get(name)
            if theirs != ours:
                raise RequestError(
                    f"{self.folder} holds another stream, {_told(name, theirs)} and not"
                    f" {_told('', ours)}: ask for the same, choose another name for the video, or"
                    " remove that folder"
                )
        self.clip_id = clip_id
        made, last = self.stream.course, self.done - 1
        frames = int(self._said(last)[1].get("num_frames", 0))
        wanted = made.num_frames(last)
        if self.done > made.num_groups or frames > wanted:
            held = made.seconds(made.group(last)[0]) + frames / made.plan.fps
            raise RequestError(
                f"{self.folder} holds {held:.5g} s of this stream, more than"
                f" {made.plan.seconds:.5g}: ask for as much, choose another name for the video, or"
                " remove that folder"
            )
        if frames < wanted:
            self.done = last

    def _said(self, index: int) -> tuple[str, dict[str, Any]]:
        """The clip id of a part and what it was asked for: its latents tell, marked or not."""
        _, told = provenance.check_sidecar(self._path(index, ".mp4"))
        return told["clip_id"], told["request"]

    @property
    def seconds(self) -> float:
        """How much of the stream is here."""
        made = self.stream.course
        stop = made.group(self.done - 1)[1] if self.done else 0
        return min(made.seconds(stop), made.plan.seconds)

    def state(self) -> State:
        """From which the stream goes on."""
        made = self.stream.course
        if not self.done:
            return State()
        recent: tuple[Tensor, ...] = ()
        index = self.done
        while index and sum(r.shape[2] for r in recent) < made.held:
            index -= 1
            recent = (self._latents(index), *recent)
        anchored = max(group for group in made.anchors if group < self.done)
        flight: dict[str, Tensor] = {}
        if made.at_once > 1 and self.done > 1:
            flight = self._flight(self.done - 1)
        return State(
            done=self.done,
            recent=recent,
            anchor=self._latents(anchored)[:, :, : made.pace.anchor],
            anchored=anchored,
            flight=flight.get("flight"),
            velocity=flight.get("velocity"),
            memory=tuple(flight[k] for k in sorted(flight) if k.startswith("memory")),
        )

    def _latents(self, index: int) -> Tensor:
        latents = provenance.load_sidecar(self._path(index, ".mp4")).latents
        return latents.to(self.stream.engine.device)

    def _flight(self, index: int) -> dict[str, Tensor]:
        path = self._path(index, ".flight")
        try:
            found = load_file(path)
        except (OSError, SafetensorError) as error:
            raise MediaError(f"{path} cannot be read ({error}): remove {self.folder}") from None
        return {k: v.to(self.stream.engine.device) for k, v in found.items()}

    def add(self, chunk: Chunk) -> None:
        """Write a finished group. It counts when its clip is in its place, which comes last."""
        plan, first = self.stream.course.plan, chunk.index == 0
        held = {
            "space": self.stream.engine.space,
            "hidden": self.stream.course.dropped if first else 0,
            "decoded": False,  # not from these latents alone
        }
        if chunk.state.flight is not None and chunk.state.velocity is not None:
            flown = {"flight": chunk.state.flight, "velocity": chunk.state.velocity}
            flown |= {f"memory{i}": m for i, m in enumerate(chunk.state.memory)}
            with whole_file(self._path(chunk.index, ".flight")) as file:
                save_file({k: v.cpu().contiguous() for k, v in flown.items()}, file)
        write_mp4(
            self._path(chunk.index, ".mp4"),
            [chunk.frames],
            plan.fps,
            (plan.width, plan.height),
            {"request": self._asked, "clip_id": self.clip_id, "latents": held},
            len(chunk.frames),
            latents=chunk.latents,
            signed=False,  # the whole is, when it is there
        )
        self._path(chunk.index - 1, ".flight").unlink(missing_ok=True)
        self.done = chunk.index + 1

    def join(self, path: Path) -> dict[str, Any]:
        """Put the long video in its place; returns the mark that it carries."""
        parts = (self._path(i, ".mp4") for i in range(self.done))
        return mux.join(parts, path, self.stream.course.plan.fps, self._metadata())

    def _metadata(self) -> dict[str, Any]:
        """Of the whole, as a `Video` has it."""
        request = self.stream.course.plan.to_json() | self._asked | {"notes": self.stream.notes}
        return {"request": request, "clip_id": self.clip_id}

    def sheet(self) -> Video:
        """Some frames of the whole, evenly spaced, as a slow video."""
        plan, made = self.stream.course.plan, self.stream.course
        places = np.unique(np.linspace(0, plan.num_frames - 1, SHOWN).round().astype(int))
        frames, index, clip = [], -1, np.empty(0)
        for place in places.tolist():
            while index < 0 or place >= made.frames(index)[1]:
                index, clip = index + 1, np.empty(0)
            if not len(clip):
                clip = Video.open(self._path(index, ".mp4")).frames
            frames.append(clip[place - made.frames(index)[0]])
        slow = max(1, len(places) - 1) / max(1, plan.num_frames - 1)
        return Video(np.stack(frames), plan.fps * slow, None, self._metadata())

    def remove(self) -> None:
        """The last first, so that what a kill leaves is still the beginning of the stream."""
        for file in sorted(self.folder.iterdir(), reverse=True):
            file.unlink()
        self.folder.rmdir()


def _told(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    short = text if len(text) <= 60 else text[:57] + "..."
    return f"of {name.replace('_', ' ')} {short!r}" if name else repr(short)
