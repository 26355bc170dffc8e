"""A clip that is made but for its pixels, which are decoded as they are asked for.

    footage = engine.film(request)
    footage.save("fox.mp4")             decoded into the file, a few frames at a time
    footage.video()                     a `Video`, which holds all of them

Both give the same bytes; a long or large clip goes to a file without its frames ever being held
whole. That is so of an mp4 and of a folder: a .gif and a .webp want all frames at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from worldreel import media, pictures
from worldreel.media import Video
from worldreel.output import StrPath, check_sheet

COLUMNS, SHOWN = 4, 8  # of a contact sheet


@dataclass(frozen=True, kw_only=True, eq=False)
class Footage:
    """What a `Video` is, with `decode` in place of its frames: chunks F H W 3 uint8, in order."""

    decode: Callable[[], Iterator[np.ndarray]]
    num_frames: int
    size: tuple[int, int]  # width, height
    fps: float
    latents: Any = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        return list((self.metadata.get("request") or {}).get("notes") or ())

    def chunks(self) -> Iterator[np.ndarray]:
        """All frames, decoded now; how long that took is in the metadata, whoever waits between."""
        parts, took = self.decode(), self.metadata.setdefault("seconds", {})
        took["decode"] = 0.0
        while True:
            began = time.perf_counter()
            part = next(parts, None)
            took["decode"] += time.perf_counter() - began
            if part is None:
                return
            yield part

    def video(self) -> Video:
        """All of it in memory."""
        width, height = self.size
        frames, done = np.empty((self.num_frames, height, width, 3), np.uint8), 0
        for part in self.chunks():
            frames[done : done + len(part)] = part
            done += len(part)
        assert done == self.num_frames
        return Video(frames, self.fps, self.latents, self.metadata)

    def save(
        self,
        path: StrPath,
        *,
        overwrite: bool = True,
        sidecar: bool | None = None,
        sheet: StrPath | None = None,
    ) -> Path:
        """Write the clip as `Video.save` does. sheet: also a picture of some of its frames."""
        if sheet is not None:
            check_sheet(sheet)
        places = pictures.evenly(self.num_frames, SHOWN) if sheet is not None else []
        shown: list[tuple[float, np.ndarray]] = []
        written = media.write(
            path,
            self._seen(places, shown),
            num_frames=self.num_frames,
            size=self.size,
            fps=self.fps,
            metadata=self.metadata,
            latents=self.latents,
            overwrite=overwrite,
            sidecar=sidecar,
        )
        if sheet is not None:
            picture = np.asarray(pictures.sheet(shown, COLUMNS))[None]
            Video(picture, self.fps, None, self.metadata).save(sheet)
        return written

    def _seen(
        self, places: list[int], shown: list[tuple[float, np.ndarray]]
    ) -> Iterator[np.ndarray]:
        """`chunks`, of which the frames at some places are kept as they pass, with their times."""
        done = 0
        for part in self.chunks():
            for place in places:
                if done <= place < done + len(part):
                    shown.append((place / self.fps, part[place - done].copy()))
            done += len(part)
            yield part
