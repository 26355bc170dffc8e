"""Many mp4 files become one, packet by packet: nothing is decoded, and memory stays flat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error

from worldreel import credentials, provenance
from worldreel.errors import MediaError
from worldreel.output import whole_file


def join(
    parts: Iterable[Path],
    path: Path,
    fps: float,
    metadata: Mapping[str, Any],
    **facts: Any,
) -> dict[str, Any]:
    """Put mp4 files that were encoded alike one after the other; returns the new file's mark.

    The new file is signed, and the latents of a clip that it replaces go with that.
    """
    marked = provenance.mark(metadata, fps=fps, **facts)
    stale = provenance.stale_sidecar(path, marked)
    with whole_file(path) as out:
        try:
            _join(parts, out, fps, provenance.shown(marked))
        except av.error.FFmpegError as error:
            if isinstance(error, OSError):  # no space, for one: `whole_file` explains it
                raise
            raise MediaError(f"{path} cannot be written: {error.strerror}") from error
        credentials.sign(out, ".mp4", metadata)
    if stale is not None:
        stale.unlink(missing_ok=True)
    return marked


def _join(parts: Iterable[Path], out: Path, fps: float, marked: Mapping[str, Any]) -> None:
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(out), "w", format="mp4", options={"movflags": "+faststart"}) as target:
        target.metadata["comment"] = provenance.to_text(marked)
        stream: Any = None
        head, before = b"", 0  # what a decoder must know first; frames of the parts before
        for part in parts:
            with av.open(str(part), format="mov", options={"protocol_whitelist": "file"}) as source:
                given: Any = source.streams.video[0]
                if stream is None:
                    stream = target.add_stream_from_template(given)
                    head = given.codec_context.extradata
                elif given.codec_context.extradata != head:
                    raise MediaError(f"{part} was encoded by another version than those before it")
                offset = round(before / rate / given.time_base)
                for packet in source.demux(given):
                    if packet.dts is None:  # the end
                        continue
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = stream
                    target.mux(packet)
                    before += 1
        if stream is None:
            raise MediaError("there are no parts to join")
