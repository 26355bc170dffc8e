"""Where a result's parts stand in time, in whole latents: plain numbers, no tensors.

    lead        the clip that stands before, kept whole        | under: a clip that is changed,
    paint       the latents that may change: a half-open span  | of which `paint` is a part
    trail       the clip that stands after, kept whole         |

On a ring what stands before also stands after. The network is shown a window: all that is painted,
and beside it as much as it is used to see.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from worldreel.errors import RequestError
from worldreel.values import parse_keyframe, parse_span, parse_time

if TYPE_CHECKING:
    from worldreel.request import Limits, Request

CONTEXT = 4  # latents: the least that is shown on each side of what is painted, where there are any
WHOLE = {2: "two", 4: "four", 8: "eight"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Keyframe:
    """A picture that a latent is held to."""

    latent: int
    picture: Any = dataclasses.field(compare=False)
    strength: float = 1.0  # 1 - freedom
    name: str = "the picture"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timeline:
    """See the module's docstring. Frames count from the first that is shown."""

    num_latents: int
    num_frames: int
    hidden: int  # frames of the first latent that are not shown
    lead: int
    trail: int
    paint: tuple[int, int]
    window: tuple[int, int]  # the first latent that is shown to the network, and how many
    ring: bool
    keyframes: tuple[Keyframe, ...]
    notes: tuple[str, ...]


def lay(request: Request, frames: int, limits: Limits) -> Timeline:
    """Where everything stands; `frames` is how many are new (none where a clip lies under)."""
    group, under = limits.frames_per_latent, request.under
    before, after = request.before, request.after
    ring = request.ring or (under is not None and under.ring)
    pictures, notes = _pictures(request, limits)
    opens = 0
    if ring and limits.first_frame:
        raise RequestError(
            f"{limits.name} makes no loops, since its first frame is a latent of its own:"
            " marble makes them"
        )
    if under is not None:
        lead = trail = 0
        num_latents, num_frames, hidden = under.num_latents, under.num_frames, under.hidden
        paint, note = _span(request.time, under, limits)
        notes += [note] if note else []
    else:
        # The first frame of some models, and a picture at the start, has a latent of its own
        # before those that were asked for: of its four equal frames all but the last are dropped.
        # A loop has no start: there it rests.
        pictured = any(_group(frame, group) == 0 for _, frame, _, _ in pictures)
        opens = int(before is None and not ring and (pictured or limits.first_frame))
        lead = before.num_latents if before is not None else 0
        trail = after.num_latents if after is not None else 0
        new = max(1 - opens * limits.first_frame, frames // group) + opens
        num_latents, paint = lead + new + trail, (lead, lead + new)
        hidden = 0 if ring else before.hidden if before is not None else opens * (group - 1)
        num_frames = frames + (before.num_frames if before is not None else 0)
        if ring:
            num_frames = group * num_latents
        elif after is not None:
            num_frames = group * num_latents - hidden - after.rest
        rests = after if after is not None else before if ring else None
        if rests is not None and rests.hidden:
            notes.append(
                f"the video rests for {rests.hidden + 1} frames on the first of {rests.name}"
            )
    keyframes = _placed(pictures, num_frames, num_latents, paint, limits)
    _leave_room(keyframes, frames, opens, paint, limits)
    return Timeline(
        num_latents=num_latents,
        num_frames=num_frames,
        hidden=hidden,
        lead=lead,
        trail=trail,
        paint=paint,
        window=_window(paint, num_latents, hidden, ring, limits)
        if lead + trail or under
        else (0, num_latents),
        ring=ring,
        keyframes=keyframes,
        notes=tuple(notes),
    )


def in_force(request: Request, line: Timeline, group: int) -> list[str]:
    """What its clips say of themselves where they are changed or go on, each prompt once."""
    found: list[str | None] = []
    if request.under is not None:
        said = [request.under.saying(latent, group) for latent in range(*line.paint)]
        found.append(max(said, key=said.count))
    if request.before is not None:
        found.append(request.before.saying(line.lead - 1, group))
    if request.after is not None:
        found.append(request.after.saying(0, group))
    return list(dict.fromkeys(prompt for prompt in found if prompt))


def _seconds(frames: float, limits: Limits) -> str:
    return f"{round(frames / limits.fps, 3):g} s"


def _span(time: Any, under: Any, limits: Limits) -> tuple[tuple[int, int], str]:
    """The latents that hold a span of a clip, and a note when they hold more than was asked."""
    group, count = limits.frames_per_latent, under.num_frames
    if time is None:
        return (0, under.num_latents), ""
    start, stop = parse_span(time, limits.fps)
    stop = count if stop is None else stop
    if start > count - 0.5 or stop >= count + 0.5:
        raise RequestError(
            f"the span from {_seconds(start, limits)} to {_seconds(stop, limits)} does not lie "
            f"within {under.name}, which lasts {_seconds(count, limits)}"
        )
    first = min(int(start + 0.5), count - 1)
    last = max(int(stop + 0.5), first + 1)
    paint = (first + under.hidden) // group, -(-(last + under.hidden) // group)
    wide = max(0, paint[0] * group - under.hidden), min(count, paint[1] * group - under.hidden)
    if abs(wide[0] - start) < 1e-6 and abs(wide[1] - stop) < 1e-6:
        return paint, ""
    note = (
        f"{_seconds(start, limits)} to {_seconds(stop, limits)} became {_seconds(wide[0], limits)}"
        f" to {_seconds(wide[1], limits)}: whole groups of {WHOLE.get(group, group)} frames change"
    )
    last = min(count, wide[1] + (limits.reach - 1) * group)
    if last > wide[1]:  # which is what the result says is new
        note += f", and what follows in their reach, to {_seconds(last, limits)}"
    return paint, note


Asked = tuple[str, float | None, Any, float]  # its name and frame (None: the last), it, strength


def _group(frame: float | None, group: int) -> int | None:
    """The group of frames that begins nearest to a frame."""
    return None if frame is None else int(frame / group + 0.5)


def _pictures(request: Request, limits: Limits) -> tuple[list[Asked], list[str]]:
    group, notes = limits.frames_per_latent, []
    asked: list[Asked] = []
    if request.image is not None:
        asked.append(("the first picture", 0.0, request.image, 1.0))
    if request.last_image is not None:
        asked.append(("the last picture", None, request.last_image, 1.0))
    for keyframe in request.keyframes:
        time, picture, strength = parse_keyframe(keyframe)
        frame = parse_time(time, limits.fps, "the time of a keyframe")
        nearest = int(frame / group + 0.5) * group
        written = isinstance(time, str) and time.strip().endswith("f")
        name = f"the picture at {time.strip() if written else _seconds(frame, limits)}"
        if abs(nearest - frame) > 1e-6:
            notes.append(f"{name} stands at {_seconds(nearest, limits)}")
        asked.append((name, frame, picture, strength))
    return asked, notes


def _placed(
    pictures: list[Asked],
    num_frames: int,
    num_latents: int,
    paint: tuple[int, int],
    limits: Limits,
) -> tuple[Keyframe, ...]:
    group = limits.frames_per_latent
    found: dict[int, Keyframe] = {}
    for name, frame, picture, strength in pictures:
        if frame is not None and frame > num_frames + 0.5:
            raise RequestError(
                f"{name} comes after the end of a video of {_seconds(num_frames, limits)}"
            )
        at, last = _group(frame, group), num_latents - 1
        latent = last if at is None else min(at, last)
        if not paint[0] <= latent < paint[1]:
            raise RequestError(f"{name} would stand where the clip is kept: choose another time")
        if latent in found and num_latents > 1:
            raise RequestError(
                f"{found[latent].name} and {name} fall on the same {WHOLE.get(group, group)} "
                f"frames, from {_seconds(latent * group, limits)} on: keep them {group}f "
                f"({_seconds(group, limits)}) apart or more"
            )
        found[latent] = Keyframe(latent=latent, picture=picture, strength=strength, name=name)
    return tuple(found.values())


def _leave_room(
    keyframes: tuple[Keyframe, ...],
    frames: int,
    opens: int,
    paint: tuple[int, int],
    limits: Limits,
) -> None:
    """Something must be left to paint; a picture at the start takes no room from it."""
    held = sum(k.strength == 1 for k in keyframes)
    if held and held >= paint[1] - paint[0] or keyframes and frames == 1:
        if not frames:
            raise RequestError("pictures would leave nothing of that span to paint: widen it")
        given = {1: "a picture", 2: "two pictures"}.get(
            len(keyframes), f"{len(keyframes)} pictures"
        )
        least = (1 + max(held - opens, 0)) * limits.frames_per_latent
        raise RequestError(
            f"{frames} frame{'s' * (frames > 1)} from {given} would leave nothing to paint: "
            f"ask for {least} frames ({least / limits.fps:.2g} s) or more"
        )


def _window(
    paint: tuple[int, int], num_latents: int, hidden: int, ring: bool, limits: Limits
) -> tuple[int, int]:
    """What is shown to the network: all that is painted, and what it needs to see beside it."""
    group = limits.frames_per_latent
    most = int((limits.max_seconds * limits.fps + hidden + group - 1) / group + 1e-9)
    longest = limits.trained_seconds or limits.max_seconds
    used_to = int(longest * limits.fps / group + 1e-9)
    new, left, right = paint[1] - paint[0], paint[0], num_latents - paint[1]
    if ring:  # what is on one side of it is also on the other
        left, right = (left + right + 1) // 2, (left + right) // 2
    sides = (left > 0) + (right > 0)
    if new + sides > most:
        beside = "beside what is kept, " * bool(sides)
        raise RequestError(
            f"{_seconds(new * group, limits)} is too long: {beside}{limits.name} paints up to "
            f"{_seconds((most - sides) * group, limits)} at once"
        )
    beside = min(left + right, most - new, max(used_to - new, CONTEXT * sides))
    if ring and beside == left + right:
        return 0, num_latents
    on_left = min(left, beside - min(right, beside // 2))
    return (paint[0] - on_left) % num_latents, new + on_left + min(right, beside - on_left)
