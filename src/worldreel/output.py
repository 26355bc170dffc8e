"""Where a file goes: checked before any work, and never half written.

A file is written under a temporary name beside its place, flushed, and then renamed: whoever looks
sees the old file or the new one, whatever happens on the way.
"""

import contextlib
import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

from worldreel.errors import MediaError

StrPath = str | os.PathLike[str]

KINDS = (".mp4", ".gif", ".webp", ".png")
PICTURES = (".png", ".webp", ".gif")
WHOLE = (".gif", ".webp")  # written from all frames at once
NOTE = "clip.json"  # the mark in a folder of frames
KINDS_SAID = f"{', '.join(KINDS)}, or a folder of .png files (a name without an ending)"


def check_writable(path: StrPath, *, num_frames: int | None = None, overwrite: bool = True) -> str:
    """Say now, before any work, whether a clip can be saved there; returns the kind of file."""
    text, kind = os.fspath(path), Path(path).suffix.lower()
    if not text.strip() or "\0" in text:
        raise MediaError("the output has no name: give a file such as clip.mp4")
    if text.endswith(("/", os.sep)) or not kind:
        kind = "folder"
    elif kind not in KINDS:
        raise MediaError(f"{text} is no kind of file that worldreel writes: use {KINDS_SAID}")
    if kind == ".png" and num_frames not in (None, 1):
        raise MediaError(
            f"a .png holds one picture, not {num_frames} frames: "
            f"use a folder ({Path(text).with_suffix('')}/), .mp4, .gif or .webp"
        )
    path = Path(path)
    with explained(path):
        if path.exists():
            if not overwrite:
                raise MediaError(f"{path} exists already: choose another name")
            if kind != "folder" and path.is_dir():
                raise MediaError(f"{path} is a folder: give a file such as {path}/clip.mp4")
            if kind == "folder" and not _is_ours(path):
                what = (
                    "not an empty folder nor one of frames"
                    if path.is_dir()
                    else ("a file, and a name without an ending stands for a folder of frames")
                )
                raise MediaError(f"{path} is {what}: choose a new name, or one such as clip.mp4")
        if not path.parent.is_dir():
            raise MediaError(f"the folder {path.parent} does not exist: create it first")
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".worldreel-") as probe:
            probe.write(b"\0" * 65536)  # a full disk says so here
            probe.flush()
            os.fsync(probe.fileno())
    return kind


def check_folder(path: StrPath) -> Path:
    """Say now whether files can be put into a folder, which is made when there are some."""
    where = Path(path)
    near = next(place for place in (where, *where.parents, Path()) if place.exists())
    if not near.is_dir():
        raise MediaError(f"{near} is a file, where a folder was expected: choose another name")
    with explained(near / "."), tempfile.TemporaryFile(dir=near):
        return where


def check_sheet(path: StrPath) -> None:
    """Say now whether a contact sheet can be saved there: it is one picture."""
    text = os.fspath(path)
    if text.strip() and Path(text).suffix.lower() not in PICTURES:
        raise MediaError(f"a contact sheet is a picture, {', '.join(PICTURES)}, and not {text}")
    check_writable(path, num_frames=1)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that takes its place when all of it is written."""
    part = path.with_name(f".worldreel-{secrets.token_hex(6)}.part")
    try:
        with explained(path):
            yield part
            with open(part, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(part, path)
    finally:
        with contextlib.suppress(NotADirectoryError):  # as `explained` has said
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """What the operating system refused, in words that say what to do."""
    try:
        yield
    except OSError as error:
        number, why = error.errno, error.strerror
        if number in (errno.ENOSPC, errno.EDQUOT):
            why = "no space left on the disk: free some, or choose another folder"
        elif number == errno.EFBIG:
            why = "it would be larger than a file may be here (`ulimit -f` tells): ask for less"
        elif number in (errno.EACCES, errno.EPERM, errno.EROFS):
            why = f"the folder is not writable ({why}): choose another"
        elif number in (errno.ENOENT, errno.ENOTDIR):
            why = f"the folder {path.parent} does not exist, or takes no files ({why})"
        raise MediaError(f"{path} cannot be written: {why}") from error


def _is_ours(folder: Path) -> bool:
    """An empty folder, or one that holds frames and nothing else."""
    return folder.is_dir() and all(
        file.name == NOTE or (file.suffix == ".png" and file.stem.isdigit())
        for file in folder.iterdir()
    )
