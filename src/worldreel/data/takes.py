"""Packed takes: scenes that were acted out, small enough to travel to where there is no physics.

    worldreel world pack --out out/takes --count 20000 --seconds 2

A take is its scene and how physics moved its bodies; all else follows (`act.taken`). A file holds
the scenes of some takes as JSON and, of every body and frame, seven whole numbers, compressed.
Places are then wrong by half of 1/4096 m along each axis at most, and what is turned by 0.3
milliradians; actors, and what has not moved, are exact, and so is a camera that follows neither.
A take of which that would change a fact is left out.

One take is many clips: its mirrored twin, and with every further `visit` other colours, light,
weather and backdrop, by the same rules as a scene's own (`casting.recast`).
"""

from __future__ import annotations

import functools
import json
import lzma
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from worldreel.data import synth
from worldreel.data.synth import Settings, Staged
from worldreel.errors import MediaError, RequestError
from worldreel.output import whole_file
from worldreel.progress import Progress
from worldreel.world import stage
from worldreel.world.act import Motion, stage_scene, taken
from worldreel.world.casting import known_words, recast
from worldreel.world.facts import facts
from worldreel.world.record import parts
from worldreel.world.scene import Scene, Take

PLACE, TURN = 1 / 4096, 1 / 16384  # steps of a metre, and of a quaternion's numbers
IMPULSE = 1 / 1000  # step of a contact's newton seconds
VISIT = 1 << 40  # what a visit adds to the number that a clip's luck is drawn from
_SUFFIX = ".takes"
_MAGIC = b"worldreel takes 1\n"
_OPEN = 8  # files that a process holds decompressed


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A take as a file holds it: seed, scene, and bodies' poses in steps (F, B, 7) int32."""

    seed: int
    scene: Scene
    poses: np.ndarray
    contacts: np.ndarray  # (n, 4) int32: frame, owner, owner, impulse in steps

    def motion(self) -> Motion:
        steps = np.array([PLACE] * 3 + [TURN] * 4)
        rows = tuple((int(f), int(a), int(b), float(n) * IMPULSE) for f, a, b, n in self.contacts)
        return Motion(pose=self.poses * steps, contacts=rows)

    def take(self, size: tuple[int, int], *, visit: int = 0, within: Sequence[str] = ()) -> Take:
        """The take, filmed for a picture of this size; visits after the first recast it."""
        scene = self.scene
        if visit:
            rng = np.random.default_rng([self.seed, visit])
            known = known_words(frozenset(within) or None)
            scene = replace(recast(rng, scene, known), seed=self.seed + visit * VISIT)
        return taken(scene, self.motion(), size=size)


def packed(seed: int, take: Take) -> Packed:
    """A take, not mirrored, in steps."""
    contacts = [(*row[:3], round(row[3] / IMPULSE)) for row in take.contacts]
    return Packed(
        seed=seed,
        scene=take.scene,
        poses=_steps(take),
        contacts=np.array(contacts, np.int32).reshape(-1, 4),
    )


def _steps(take: Take) -> np.ndarray:  # (F, B, 7) int32
    """Inverse of `act.taken`: where each body is, read off its first primitive."""
    bodies = stage.bodies(take.scene)
    free = {body.thing: list(parts(take, body.thing)) for body in bodies}
    poses = np.zeros((take.num_frames, len(bodies), 7))
    for number, body in enumerate(bodies):
        first, *_ = own = [free[body.thing].pop(0) for _ in body.parts]
        assert len(own) == len(body.parts)
        turn = take.rotation[:, first].astype(np.float64) @ body.parts[0].turn.T
        arm = turn @ np.array(body.parts[0].offset)
        poses[:, number, :3] = (take.position[:, first] - arm) / PLACE
        poses[:, number, 3:] = _quaternions(turn) / TURN
    return poses.round().astype(np.int32)


def _quaternions(turns: np.ndarray) -> np.ndarray:
    """(F, 3, 3) to (F, 4), w first, without a jump of the sign from frame to frame."""
    m = turns
    xx, yy, zz = m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]
    # Four times the products of each pair of w, x, y and z; the largest row is the best known.
    square = np.array([1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz])
    wx, wy, wz = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    xy, xz, yz = m[:, 1, 0] + m[:, 0, 1], m[:, 0, 2] + m[:, 2, 0], m[:, 2, 1] + m[:, 1, 2]
    rows = np.array(
        [
            [square[0], wx, wy, wz],
            [wx, square[1], xy, xz],
            [wy, xy, square[2], yz],
            [wz, xz, yz, square[3]],
        ]
    )
    best = rows[square.argmax(0), :, np.arange(len(m))]
    best = best / np.linalg.norm(best, axis=1, keepdims=True)
    turned = np.sign((best[1:] * best[:-1]).sum(1))
    return best * np.cumprod(np.concatenate([[1.0], np.where(turned < 0, -1.0, 1.0)]))[:, None]


# --- files --------------------------------------------------------------------------------------


def write(path: Path, rows: Sequence[Packed], about: Mapping[str, Any]) -> None:
    """Write some takes, whole or not at all. about: JSON, see `told`."""
    numbers = [np.zeros(0, np.int32)]
    for row in rows:
        # Second differences in time are small: things rest, fly and roll evenly.
        start = np.zeros((2, *row.poses.shape[1:]), np.int32)
        change = np.diff(np.concatenate([start, row.poses]), n=2, axis=0)
        numbers += [change.transpose(1, 2, 0).ravel(), np.diff(row.contacts, axis=0, prepend=0)]
    flat = np.concatenate([part.ravel() for part in numbers]).astype(np.int32)
    folded = ((flat << 1) ^ (flat >> 31)).astype("<u4")  # 0, -1, 1, -2 are 0, 1, 2, 3
    sizes = [[row.seed, *row.poses.shape[:2], len(row.contacts)] for row in rows]
    text = _line({"sizes": sizes, "scenes": [asdict(row.scene) for row in rows]})
    planes = folded.view(np.uint8).reshape(-1, 4).T.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        head = _MAGIC + _line({**about, "takes": len(rows)})
        part.write_bytes(head + lzma.compress(text + planes, preset=9))


def _line(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"


def told(path: Path) -> dict[str, Any]:
    """What was told about a file's takes, and how many there are; the takes stay unread."""
    try:
        with path.open("rb") as file:
            if file.readline() != _MAGIC:
                raise ValueError("it holds no takes of this version")
            return json.loads(file.readline())
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> MediaError:
    return MediaError(f"{path} cannot be read ({error}): delete it and pack again")


def read(path: Path) -> list[Packed]:
    """The takes of a file; a MediaError if it is damaged."""
    told(path)
    try:
        held = lzma.decompress(path.read_bytes().split(b"\n", 2)[2])
        text, _, planes = held.partition(b"\n")
        head = json.loads(text)
        places = np.frombuffer(planes, np.uint8).reshape(4, -1)
    except (OSError, EOFError, IndexError, lzma.LZMAError, ValueError) as error:
        raise _damaged(path, error) from None
    folded = np.ascontiguousarray(places.T).view("<u4").ravel()
    flat = (folded >> 1).astype(np.int32) ^ -(folded & 1).astype(np.int32)
    rows, at = [], 0
    for (seed, frames, bodies, touches), scene in zip(head["sizes"], head["scenes"], strict=True):
        count = frames * bodies * 7
        change = flat[at : at + count].reshape(bodies, 7, frames).transpose(2, 0, 1)
        poses = change.cumsum(0, dtype=np.int32).cumsum(0, dtype=np.int32)
        at += count
        contacts = flat[at : at + 4 * touches].reshape(-1, 4).cumsum(0, dtype=np.int32)
        at += 4 * touches
        scene = Scene.from_json(json.dumps(scene))
        rows.append(Packed(seed=seed, scene=scene, poses=poses, contacts=contacts))
    return rows


# --- folders ------------------------------------------------------------------------------------

Span = tuple[int, int]  # first seed, last seed + 1


def pack(
    out_dir: str | Path,
    settings: Settings,
    *,
    first_seed: int,
    count: int,
    jobs: int = 1,
    each: int = 512,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Stage the takes of `count` seeds into files of `each`; finished files are not made again.

    How many takes there are, how many were left out, and their bytes.
    """
    if settings.shots or settings.truth:
        raise RequestError("takes are packed of single shots, and without pixels' truth")
    out, tell = Path(out_dir), progress or (lambda stage, done, total: None)
    last = first_seed + count
    spans = [(start, min(start + each, last)) for start in range(first_seed, last, each)]
    todo = [span for span in spans if not _finished(_path(out, span), span, settings)]
    done = count - sum(stop - start for start, stop in todo)
    tell("pack", done, count)

    def finished(span: Span) -> None:
        nonlocal done
        done += span[1] - span[0]
        tell("pack", done, count)

    if jobs == 1:
        for span in todo:
            _make(out, span, settings)
            finished(span)
    else:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, spawn) as pool:
            running = [(pool.submit(_make, out, span, settings), span) for span in todo]
            for future, span in running:
                future.result()
                finished(span)
    files = [_path(out, span) for span in spans]
    kept = sum(told(file)["takes"] for file in files)
    size = sum(file.stat().st_size for file in files)
    return {"takes": kept, "left_out": count - kept, "bytes": size}


def _path(out: Path, span: Span) -> Path:
    return out / f"takes-{span[0]:010d}{_SUFFIX}"


def _about(settings: Settings, span: Span) -> dict[str, Any]:
    return {
        "frames": settings.num_frames,
        "split": settings.split,
        "within": sorted(settings.within),
        "seeds": list(span),
    }


def _finished(path: Path, span: Span, settings: Settings) -> bool:
    if not path.exists():
        return False
    try:
        about = {**told(path), "takes": len(read(path))}
    except MediaError:
        return False  # truncated by a full disk or a bad copy: made again
    wanted = _about(settings, span)
    if any(about[key] != value for key, value in wanted.items() if key != "seeds"):
        raise RequestError(f"{path} holds takes made with other settings: give another folder")
    return about["seeds"] == wanted["seeds"]


def _make(out: Path, span: Span, settings: Settings) -> None:
    rows = []
    for seed in range(*span):
        take = stage_scene(
            seed,
            split=settings.split,
            seconds=0.0 if settings.still else settings.seconds,
            size=settings.size,
            within=frozenset(settings.within) or None,
        )
        row = packed(seed, take)
        if facts(row.take(settings.size)) == facts(take):
            rows.append(row)
    write(_path(out, span), rows, _about(settings, span))


class Folder:
    """The takes of a folder in an endless order: all of them, and again at every later visit."""

    def __init__(self, path: str | Path) -> None:
        self.files = sorted(Path(path).glob(f"takes-*{_SUFFIX}"))
        if not self.files:
            raise MediaError(f"{path} has no packed takes: `worldreel world pack` writes them")
        abouts = [told(file) for file in self.files]
        self.about = abouts[0]
        self.ends = np.cumsum([about["takes"] for about in abouts])
        if not self.ends[-1]:
            raise MediaError(f"{path} holds no take: pack more seeds")
        self._rows = functools.lru_cache(_OPEN)(read)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def staged(self, number: int, settings: Settings) -> Staged:
        """What stands at a place of the endless order, with its words, as `synth.stage` has it."""
        if self.about["frames"] != settings.num_frames:
            raise RequestError(
                f"the packed takes have {self.about['frames']} frames, not {settings.num_frames}: "
                "pack takes of that length"
            )
        visit, place = divmod(number, len(self))
        which = int(np.searchsorted(self.ends, place, side="right"))
        rows = self._rows(self.files[which])
        row = rows[place - int(self.ends[which])]  # counted from the file's end
        take = row.take(settings.size, visit=visit, within=self.about["within"])
        return synth.staged(row.seed + visit * VISIT, (take,))


@functools.cache
def opened(path: str) -> Folder:
    """A folder, read once by each process."""
    return Folder(path)
