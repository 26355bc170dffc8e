"""What a person asks for, what a model can do, and the plan that follows from both.

    request = Request(prompt="a red ball rolls to the left on a wooden table", seconds=2.1)
    made = plan(request, Limits())
    made.num_frames     24
    made.notes          ("2.1 s became 24 frames (2.0 s): clips are whole groups of four frames",)

Nothing here needs a model: a bad request ends in one line, before any weights are read.
"""

import dataclasses
import math
import operator
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from worldreel.errors import RequestError
from worldreel.framing import Framing, frame
from worldreel.timeline import WHOLE, Timeline, in_force, lay
from worldreel.values import (
    Size,
    integer,
    number,
    parse_aspect,
    parse_canvas,
    parse_interval,
    parse_keyframe,
    parse_region,
    parse_size,
    parse_span,
    parse_time,
    short,
    strength_of,
    text,
    within,
)

LONGEST_PROMPT = 5_000  # characters, for a model whose limits are not known yet
MOST_STEPS = 1_000
MOST_GUIDANCE = 100.0
SHIFTS = 0.1, 100.0

_BASE = MappingProxyType({"16:9": (256, 144), "9:16": (144, 256), "1:1": (192, 192)})


class RequestWarning(UserWarning):
    """What is made differs from what was asked: a word that is not known, a length rounded."""


def _given() -> Any:
    """A picture or a clip, which two requests are not compared by."""
    return dataclasses.field(default=None, compare=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked. None means: as the model likes it best.

    Clips are files, `Video`s or `clips.Clip`s: what stands before and after what is new, and what
    lies under it (in that case nothing is added, and `time`, `region`, `mask` and `canvas` say
    where it may change, all over where none is given).
    """

    prompt: str | None = None  # None: what a clip says of itself
    negative_prompt: str = ""
    seconds: float | None = None  # of what is new
    num_frames: int | None = None
    size: Size | str | None = None  # (width, height), or "256x144"
    aspect: str | None = None  # "16:9"; not together with size
    seed: int | None = 0  # None: one above that of the clip under it
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    guidance_interval: Any = None  # levels at which guidance counts, "0.3:0.9" or a pair
    flow_shift: float | None = None  # above 1: more of the steps near noise, where layout is made
    image: Any = _given()  # the first frame
    last_image: Any = _given()
    keyframes: Sequence[tuple[Any, ...]] = dataclasses.field(default=(), compare=False)
    references: Sequence[Any] = dataclasses.field(default=(), compare=False)  # who or what is seen
    before: Any = _given()
    after: Any = _given()
    under: Any = _given()
    time: Any = None  # "0.5:1.5", "6f:18f", or a pair
    region: Any = None  # (x, y, width, height) in the clip's pixels, or "16,0,64,48"
    mask: Any = _given()  # a picture or a clip of its size, white where it may change
    canvas: Any = None  # a larger size, "256x144", and where the clip stands on it: "256x144+0+32"
    strength: float = 1.0  # the freedom of what may change
    ring: bool = False  # the last frame is followed by the first
    rewrite: Any = False  # True, or who writes the caption that the prompt becomes
    model: str = "marble"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What a model can do. The defaults are marble's."""

    name: str = "marble"
    fps: int = 12
    frames_per_latent: int = 4
    first_frame: bool = False  # the first latent is one frame: F = 1 + 4(T - 1)
    stride: int = 16  # pixels of a latent's side
    grid: int = 16  # pixels: width and height are multiples of it
    base_sizes: Mapping[str, Size] = dataclasses.field(default_factory=lambda: _BASE)
    default_aspect: str = "16:9"
    default_seconds: float = 4.0
    max_seconds: float = 10.0
    min_side: int = 64
    max_side: int = 512
    default_steps: int = 20
    default_guidance: float = 3.0
    default_interval: tuple[float, float] = (0.0, 1.0)
    context_interval: tuple[float, float] = (0.8, 1.0)  # where a clip goes on in time
    default_shift: float = 5.0
    max_prompt_characters: int = LONGEST_PROMPT
    reach: int = 3  # latents' worth of frames that a latent touches: its own, and those after it
    # What training saw, most of it first, and its longest clip; empty: not known. Other requests
    # are made, with a note.
    trained_sizes: tuple[Size, ...] = ((144, 80), (256, 144), (80, 144), (96, 96))
    trained_seconds: float | None = 4.0
    from_picture: bool = False  # it goes on from a first frame that is known, and whole
    references: bool = False  # it is shown pictures of who or what is to be seen


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """A request that can be made: every choice taken, and `notes` says what was rounded."""

    prompt: str
    negative_prompt: str
    width: int
    height: int
    num_frames: int  # of the whole result; 1 is a picture
    fps: int
    seconds: float
    seed: int
    num_inference_steps: int
    guidance_scale: float
    guidance_interval: tuple[float, float]
    context_interval: tuple[float, float]  # of what is painted beside latents that are there
    flow_shift: float
    timeline: Timeline  # where its parts stand in time
    framing: Framing  # and in the picture
    # Seconds of the result that are not as they were, with what lies in reach of what is new; on a
    # ring that may be its first frames too.
    changed: tuple[float, float]
    before: Any = _given()
    after: Any = _given()
    under: Any = _given()
    strength: float = 1.0
    references: Sequence[Any] = dataclasses.field(default=(), compare=False)
    image: bool = False
    last_image: bool = False
    model: str = "marble"
    notes: tuple[str, ...] = ()

    @property
    def clips(self) -> tuple[Any, ...]:
        """The clips that it is made from."""
        return tuple(c for c in (self.before, self.after, self.under) if c is not None)

    def to_json(self) -> dict[str, Any]:
        """The plan as plain JSON values; of a picture or a clip only that there was one."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        line, framing = fields.pop("timeline"), fields.pop("framing")
        fields |= {n: fields[n] is not None for n in ("before", "after", "under")}
        return fields | {
            "changed": list(self.changed),
            "guidance_interval": list(self.guidance_interval),
            "context_interval": list(self.context_interval),
            "references": len(self.references),
            "notes": list(self.notes),
            "ring": line.ring,
            "keyframes": [{"latent": k.latent, "strength": k.strength} for k in line.keyframes],
            "region": framing.region and list(framing.region),
            "mask": framing.mask is not None,
            "place": list(framing.place),
        }


def plan(request: Request, limits: Limits) -> Plan:
    """Take every choice that the request leaves open, or raise the one line that says why not.

    Its clips and its mask are ready ones: see `clips.ready`.
    """
    check(request, longest=limits.max_prompt_characters)
    clips = [c for c in (request.under, request.before, request.after) if c is not None]
    frames, notes = _frames(request, limits)
    line = lay(request, frames, limits)
    own = in_force(request, line, limits.frames_per_latent)
    prompt = request.prompt if request.prompt is not None else next(iter(own), None)
    if prompt is None:
        raise RequestError(f"{clips[0].name} does not say what it shows: give a prompt")
    if request.prompt is None and len(own) > 1:
        notes.append(f"the prompt is the first clip's: {short(prompt)}")
    elif request.prompt is None and any(len(clip.spans) > 1 for clip in clips):
        notes.append(f"of the clip's prompts, the one in force there is taken: {short(prompt)}")
    framing, moved = frame(request, clips, limits)
    _check_shown(request, line, framing, limits)
    notes += [*line.notes, *moved]
    width, height = framing.size
    seed = request.seed
    if seed is None:
        seed = 0 if request.under.seed is None else (request.under.seed + 1) % 2**64
    steps, guidance = request.num_inference_steps, request.guidance_scale
    shift = request.flow_shift
    spans = limits.default_interval, limits.context_interval
    if request.guidance_interval is not None:
        spans = (parse_interval(request.guidance_interval),) * 2
    goes_on = clips and not framing.partly and line.paint != (0, line.num_latents)
    shown = line.window[1] * limits.frames_per_latent if clips else frames
    group, first = limits.frames_per_latent, line.paint[0] * limits.frames_per_latent - line.hidden
    last = (line.paint[1] + limits.reach - 1) * group - line.hidden
    return Plan(
        prompt=prompt.strip(),
        negative_prompt=request.negative_prompt.strip(),
        width=width,
        height=height,
        num_frames=line.num_frames,
        fps=limits.fps,
        seconds=line.num_frames / limits.fps,
        seed=operator.index(seed),
        num_inference_steps=limits.default_steps if steps is None else operator.index(steps),
        guidance_scale=limits.default_guidance if guidance is None else float(guidance),
        guidance_interval=spans[1] if goes_on else spans[0],
        context_interval=spans[1],
        flow_shift=limits.default_shift if shift is None else float(shift),
        timeline=line,
        changed=(max(first, 0) / limits.fps, min(last, line.num_frames) / limits.fps),
        before=request.before,
        after=request.after,
        under=request.under,
        framing=framing,
        strength=float(request.strength),
        references=tuple(request.references),
        image=request.image is not None,
        last_image=request.last_image is not None,
        model=request.model,
        notes=(
            *(note for clip in clips for note in clip.notes),
            *notes,
            *_untrained((width, height), shown, limits),
            *_unguided(request, guidance, limits),
        ),
    )


def _check_shown(request: Request, line: Timeline, framing: Framing, limits: Limits) -> None:
    """Refuse what a model cannot be shown, and say which public model can."""
    name = limits.name
    if request.references and not limits.references:
        raise RequestError(f"{name} takes no references: wan2.1-vace-1.3b and -14b do")
    if not limits.from_picture:
        return
    if framing.partly:
        raise RequestError(
            f"{name} knows whole frames alone: a region, a mask and a larger canvas are for"
            " wan2.1-vace-1.3b, -14b and wan2.2-ti2v-5b"
        )
    opened = any(k.latent == 0 for k in line.keyframes)
    if line.paint[0] == line.window[0] and not opened:
        raise RequestError(
            f"{name} goes on from a first picture: give one, or a clip that it continues; of words"
            " alone, and before a clip, wan2.2-ti2v-5b and wan2.1-vace-1.3b paint"
        )


def check(request: Request, *, longest: int = LONGEST_PROMPT) -> None:
    """Refuse what no model could make: it needs no limits but the length of a prompt."""
    beside = request.before is not None or request.after is not None
    clips = beside or request.under is not None
    if not (request.prompt is None and clips) and not text("prompt", request.prompt, longest):
        raise RequestError("the prompt is empty: say in a sentence what the video shows")
    text("negative prompt", request.negative_prompt, longest)
    if request.seconds is not None:
        if request.num_frames is not None:
            raise RequestError("give seconds or a number of frames, not both")
        seconds = number("seconds", request.seconds)
        if seconds <= 0:
            raise RequestError(f"a video cannot last {seconds:g} s: seconds must be above zero")
    if request.num_frames is not None and integer("the number of frames", request.num_frames) < 1:
        raise RequestError(
            f"the number of frames must be at least 1, not {short(request.num_frames)}"
        )
    if request.size is not None:
        if request.aspect is not None:
            raise RequestError("give a size or an aspect, not both")
        parse_size(request.size)
    if request.aspect is not None:
        parse_aspect(request.aspect)
    if request.seed is not None or request.under is None:
        if not 0 <= integer("the seed", request.seed) < 2**64:
            raise RequestError(f"the seed must be from 0 to 2**64 - 1, not {short(request.seed)}")
    if request.num_inference_steps is not None:
        steps = integer("the number of steps", request.num_inference_steps)
        if not 1 <= steps <= MOST_STEPS:
            raise RequestError(
                f"the number of steps must be from 1 to {MOST_STEPS}, not {short(steps)}"
            )
    if request.guidance_scale is not None:
        within("the guidance scale", request.guidance_scale, 0, MOST_GUIDANCE)
    if request.flow_shift is not None:
        within("the flow shift", request.flow_shift, *SHIFTS)
    if request.guidance_interval is not None:
        parse_interval(request.guidance_interval)
    if not isinstance(request.model, str) or not request.model.strip():
        raise RequestError("the model must be a name or a folder, such as 'marble'")
    if not isinstance(request.keyframes, list | tuple):
        raise RequestError(
            f"keyframes are a list of (time, picture), not {short(request.keyframes)}"
        )
    for keyframe in request.keyframes:
        parse_time(parse_keyframe(keyframe)[0], 1, "the time of a keyframe")
    if not isinstance(request.references, list | tuple):
        raise RequestError(f"references are a list of pictures, not {short(request.references)}")
    _check_change(request, beside)


def _check_change(request: Request, beside: bool) -> None:
    """What belongs to a clip that lies under, and what does not."""
    strength_of("a change", request.strength)
    wheres = ("time", "region", "mask", "canvas")
    where = [name for name in wheres if getattr(request, name) is not None]
    if request.under is None:
        if where or request.strength != 1:
            what = where[0] if where else "strength"
            raise RequestError(f"{what} says what of a clip may change: give that clip")
        return
    if beside or request.ring:
        raise RequestError("a clip is changed, or something is put beside it: not both at once")
    if request.seconds is not None or request.num_frames is not None:
        raise RequestError("a clip that is changed keeps its length: give no seconds")
    if request.canvas is not None and request.strength != 1:
        raise RequestError("outside of a clip there is nothing to keep: give no strength")
    if request.time is not None:
        parse_span(request.time, 1)
    if request.region is not None:
        parse_region(request.region)
    if request.canvas is not None:
        parse_canvas(request.canvas)


def _frames(request: Request, limits: Limits) -> tuple[int, list[str]]:
    """The number of new frames, and a note when it is not just what was asked."""
    group, fps = limits.frames_per_latent, limits.fps
    if request.under is not None:
        return 0, []
    beside = request.before is not None or request.after is not None
    if request.num_frames == 1 and not beside and not request.ring:
        return 1, []
    alone = int(limits.first_frame and request.before is None)  # a frame before the first group
    if request.num_frames is not None:
        wanted = float(min(operator.index(request.num_frames), 10**12))
        said = f"{short(request.num_frames)} frames"
    else:
        likes = limits.default_seconds / (2 if beside else 1)  # what is beside it is also shown
        seconds = likes if request.seconds is None else float(request.seconds)
        wanted, said = seconds * fps + alone, f"{seconds:g} s"
    most = math.floor(limits.max_seconds * fps / group + 1e-9)
    if wanted > limits.max_seconds * fps + alone + 1e-9:
        raise RequestError(
            f"{said} is too long: {limits.name} makes up to {limits.max_seconds:g} s "
            f"({most * group + alone} frames) at once, and `worldreel stream` goes on from there"
        )
    frames = group * min(max(math.floor((wanted - alone) / group + 0.5), 1), most) + alone
    if abs(frames - wanted) < 1e-6:
        return frames, []
    return frames, [
        f"{said} became {frames} frames ({round(frames / fps, 2)} s): "
        f"clips are {'one frame and ' * alone}whole groups of {WHOLE.get(group, group)} frames"
    ]


def _unguided(request: Request, guidance: float | None, limits: Limits) -> list[str]:
    """A note where a negative prompt is not heard."""
    scale = limits.default_guidance if guidance is None else guidance
    if scale != 1 or not request.negative_prompt.strip():
        return []
    return [
        "the negative prompt changes nothing at guidance scale 1: ask for a larger one, and for 20"
        " steps or more"
    ]


def _untrained(size: Size, frames: int, limits: Limits) -> list[str]:
    """Notes of what the model's training never showed it; none where that is not known."""
    notes, name = [], limits.name
    if limits.trained_sizes and size not in limits.trained_sizes:
        most, *others = (f"{width}x{height}" for width, height in limits.trained_sizes)
        known = f"mostly on {most}, then on {', '.join(others)}" if others else f"on {most} alone"
        notes.append(
            f"{name} was not trained on {size[0]}x{size[1]} but {known}: it may look worse"
        )
    seconds, longest = frames / limits.fps, limits.trained_seconds
    if longest is not None and seconds > longest + 1e-9:
        notes.append(
            f"{name} was trained on clips of up to {longest:g} s, not {seconds:.3g} s: "
            "it may look worse"
        )
    return notes
