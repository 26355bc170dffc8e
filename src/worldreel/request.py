"""What a person asks for, what a model can do, and the plan that follows from both.

    request = Request(prompt="a red ball rolls to the left on a wooden table", seconds=2.1)
    made = plan(request, Limits())
    made.num_frames     24
    made.notes          ("2.1 s became 24 frames (2.0 s): clips are whole groups of four frames",)

Nothing here needs a model: a bad request ends in one line, before any weights are read.
"""

import dataclasses
import difflib
import functools
import inspect
import math
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from worldreel.errors import RequestError

Size = tuple[int, int]  # width, height in pixels

LONGEST_PROMPT = 5_000  # characters, for a model whose limits are not known yet
MOST_STEPS = 1_000
MOST_GUIDANCE = 100.0
WIDEST_MISFIT = 1.25  # an aspect may be missed by this factor, no more

_BASE = MappingProxyType({"16:9": (256, 144), "9:16": (144, 256), "1:1": (192, 192)})

# What others call what is asked for here.
_ELSEWHERE = MappingProxyType(
    {
        "text": "prompt",
        "frames": "num_frames",
        "video_length": "num_frames",
        "duration": "seconds",
        "length": "seconds",
        "width": "size",
        "height": "size",
        "resolution": "size",
        "aspect_ratio": "aspect",
        "generator": "seed",
        "steps": "num_inference_steps",
        "guidance": "guidance_scale",
        "cfg": "guidance_scale",
        "cfg_scale": "guidance_scale",
        "callback": "progress",
    }
)

P = ParamSpec("P")
R = TypeVar("R")


class RequestWarning(UserWarning):
    """What is made differs from what was asked: a word that is not known, a length rounded."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked. None means: as the model likes it best."""

    prompt: str
    negative_prompt: str = ""
    seconds: float | None = None
    num_frames: int | None = None
    size: Size | str | None = None  # (width, height), or "256x144"
    aspect: str | None = None  # "16:9"; not together with size
    seed: int = 0
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    image: Any = dataclasses.field(default=None, compare=False)  # the first frame
    last_image: Any = dataclasses.field(default=None, compare=False)
    rewrite: Any = False  # True, or who writes the caption that the prompt becomes
    model: str = "marble"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What a model can do. The defaults are marble's."""

    name: str = "marble"
    fps: int = 12
    frames_per_latent: int = 4
    grid: int = 16  # pixels: width and height are multiples of it
    base_sizes: Mapping[str, Size] = dataclasses.field(default_factory=lambda: _BASE)
    default_aspect: str = "16:9"
    default_seconds: float = 4.0
    max_seconds: float = 10.0
    min_side: int = 64
    max_side: int = 512
    default_steps: int = 20
    default_guidance: float = 4.5
    max_prompt_characters: int = LONGEST_PROMPT
    # What training saw, most of it first, and its longest clip; empty: not known. Other requests
    # are made, with a note.
    trained_sizes: tuple[Size, ...] = ((144, 80), (256, 144), (80, 144), (96, 96))
    trained_seconds: float | None = 4.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """A request that can be made: every choice taken, and `notes` says what was rounded."""

    prompt: str
    negative_prompt: str
    width: int
    height: int
    num_frames: int  # 1 is a picture, else whole groups of frames_per_latent
    fps: int
    seconds: float
    seed: int
    num_inference_steps: int
    guidance_scale: float
    image: Any = dataclasses.field(default=None, compare=False)
    last_image: Any = dataclasses.field(default=None, compare=False)
    model: str = "marble"
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The plan as plain JSON values; of a picture only that there was one."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        fields["image"] = self.image is not None
        fields["last_image"] = self.last_image is not None
        fields["notes"] = list(self.notes)
        return fields


def plan(request: Request, limits: Limits) -> Plan:
    """Take every choice that the request leaves open, or raise the one line that says why not."""
    check(request, longest=limits.max_prompt_characters)
    frames, note = _frames(request, limits)
    _leave_room(request, frames, limits)
    width, height = _size(request, limits)
    steps, guidance = request.num_inference_steps, request.guidance_scale
    return Plan(
        prompt=request.prompt.strip(),
        negative_prompt=request.negative_prompt.strip(),
        width=width,
        height=height,
        num_frames=frames,
        fps=limits.fps,
        seconds=frames / limits.fps,
        seed=operator.index(request.seed),
        num_inference_steps=limits.default_steps if steps is None else operator.index(steps),
        guidance_scale=limits.default_guidance if guidance is None else float(guidance),
        image=request.image,
        last_image=request.last_image,
        model=request.model,
        notes=(*((note,) if note else ()), *_untrained((width, height), frames, limits)),
    )


def by_name(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, in which a parameter that it does not have is a RequestError."""
    known = [name for name in inspect.signature(function).parameters if name != "self"]

    @functools.wraps(function)
    def checked(*args: P.args, **asked: P.kwargs) -> R:
        for name in asked:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                meant = _ELSEWHERE.get(name) or next(iter(near), None)
                does = f"did you mean {meant}?" if meant in known else f"it has {', '.join(known)}"
                raise RequestError(f"{function.__name__} has no parameter {_short(name)}: {does}")
        return function(*args, **asked)

    return checked


def check(request: Request, *, longest: int = LONGEST_PROMPT) -> None:
    """Refuse what no model could make: it needs no limits but the length of a prompt."""
    _text("prompt", request.prompt, longest)
    if not request.prompt.strip():
        raise RequestError("the prompt is empty: say in a sentence what the video shows")
    _text("negative prompt", request.negative_prompt, longest)
    if request.seconds is not None:
        if request.num_frames is not None:
            raise RequestError("give seconds or num_frames, not both")
        seconds = _number("seconds", request.seconds)
        if seconds <= 0:
            raise RequestError(f"a video cannot last {seconds:g} s: seconds must be above zero")
    if request.num_frames is not None and _integer("num_frames", request.num_frames) < 1:
        raise RequestError(f"num_frames must be at least 1, not {_short(request.num_frames)}")
    if request.size is not None:
        if request.aspect is not None:
            raise RequestError("give a size or an aspect, not both")
        parse_size(request.size)
    if request.aspect is not None:
        parse_aspect(request.aspect)
    if not 0 <= _integer("the seed", request.seed) < 2**64:
        raise RequestError(f"the seed must be from 0 to 2**64 - 1, not {_short(request.seed)}")
    if request.num_inference_steps is not None:
        steps = _integer("the number of steps", request.num_inference_steps)
        if not 1 <= steps <= MOST_STEPS:
            raise RequestError(
                f"the number of steps must be from 1 to {MOST_STEPS}, not {_short(steps)}"
            )
    if request.guidance_scale is not None:
        guidance = _number("the guidance scale", request.guidance_scale)
        if not 0 <= guidance <= MOST_GUIDANCE:
            raise RequestError(
                f"the guidance scale must be from 0 to {MOST_GUIDANCE:g}, not {guidance:g}"
            )
    if not isinstance(request.model, str) or not request.model.strip():
        raise RequestError("the model must be a name or a folder, such as 'marble'")


def parse_size(size: object) -> Size:
    """(256, 144) from "256x144", or from a pair of integers."""
    if isinstance(size, str):
        match = re.fullmatch(r"\s*(\d{1,6})\s*[xX\u00d7*]\s*(\d{1,6})\s*", size)
        pair = match.groups() if match else ()
    else:
        pair = tuple(size) if isinstance(size, tuple | list) else ()
    try:
        width, height = (int(n) if isinstance(n, str) else operator.index(n) for n in pair)
    except (TypeError, ValueError):
        width = height = 0
    if width < 1 or height < 1:
        raise RequestError(f"a size is WIDTHxHEIGHT in pixels, such as 256x144, not {_short(size)}")
    return width, height


def parse_aspect(aspect: object) -> Fraction:
    """16/9 from "16:9"; decimals count too, as in "2.39:1"."""
    if isinstance(aspect, str):
        number = r"(\d{1,5}(?:\.\d{1,5})?)"
        match = re.fullmatch(rf"\s*{number}\s*[:/]\s*{number}\s*", aspect)
        if match and (wide := Fraction(match[1])) and (high := Fraction(match[2])):
            return wide / high
    raise RequestError(f"an aspect is WIDTH:HEIGHT, such as 16:9, not {_short(aspect)}")


def _frames(request: Request, limits: Limits) -> tuple[int, str]:
    """The number of frames, and a note when it is not just what was asked."""
    group, fps = limits.frames_per_latent, limits.fps
    if request.num_frames == 1:
        return 1, ""
    if request.num_frames is not None:
        wanted = float(min(operator.index(request.num_frames), 10**12))
        said = f"{_short(request.num_frames)} frames"
    else:
        seconds = limits.default_seconds if request.seconds is None else float(request.seconds)
        wanted, said = seconds * fps, f"{seconds:g} s"
    most = math.floor(limits.max_seconds * fps / group + 1e-9)
    if wanted > limits.max_seconds * fps + 1e-9:
        raise RequestError(
            f"{said} is too long: {limits.name} makes up to {limits.max_seconds:g} s "
            f"({most * group} frames) at once"
        )
    frames = group * min(max(math.floor(wanted / group + 0.5), 1), most)
    if abs(frames - wanted) < 1e-6:
        return frames, ""
    whole = {2: "two", 4: "four", 8: "eight"}.get(group, str(group))
    return frames, (
        f"{said} became {frames} frames ({round(frames / fps, 2)} s): "
        f"clips are whole groups of {whole} frames"
    )


def _leave_room(request: Request, frames: int, limits: Limits) -> None:
    """The last picture is kept in place of a latent, the first comes before them all."""
    group = limits.frames_per_latent
    pictures = (request.image is not None) + (request.last_image is not None)
    least = (1 + (request.last_image is not None)) * group
    if pictures and frames < least:
        given = "two pictures" if pictures == 2 else "a picture"
        raise RequestError(
            f"{frames} frame{'s' * (frames > 1)} from {given} would leave nothing to paint: "
            f"ask for {least} frames ({least / limits.fps:.2g} s) or more"
        )


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


def _size(request: Request, limits: Limits) -> Size:
    if request.aspect is not None:
        return _aspect_size(parse_aspect(request.aspect), request.aspect, limits)
    if request.size is None:
        return limits.base_sizes[limits.default_aspect]
    width, height = parse_size(request.size)
    fits = _on_grid(width, limits), _on_grid(height, limits)
    if fits != (width, height):
        raise RequestError(
            f"{limits.name} cannot make {width}x{height}: its sides are multiples of {limits.grid} "
            f"from {_on_grid(0, limits)} to {_on_grid(10**9, limits)}; "
            f"the nearest size is {fits[0]}x{fits[1]}"
        )
    return fits


def _aspect_size(aspect: Fraction, said: str, limits: Limits) -> Size:
    for name, size in limits.base_sizes.items():
        if parse_aspect(name) == aspect:
            return size
    wide, high = limits.base_sizes[limits.default_aspect]

    def misfit(size: Size) -> float:
        return abs(math.log(size[0] / size[1] / aspect)) + abs(
            math.log(size[0] * size[1] / (wide * high))
        )

    sides = range(_on_grid(0, limits), _on_grid(10**9, limits) + 1, limits.grid)
    best = min(((w, _on_grid(round(w / aspect), limits)) for w in sides), key=misfit)
    if abs(math.log(best[0] / best[1] / aspect)) > math.log(WIDEST_MISFIT):
        raise RequestError(
            f"an aspect of {said} is too narrow for {limits.name}: "
            f"the nearest size is {best[0]}x{best[1]}"
        )
    return best


def _on_grid(side: int, limits: Limits) -> int:
    """The nearest side that the grid and the limits hold."""
    grid = limits.grid
    least, most = -(-limits.min_side // grid) * grid, limits.max_side // grid * grid
    return min(max(grid * math.floor(side / grid + 0.5), least), most)


def _text(what: str, text: object, longest: int) -> None:
    if not isinstance(text, str):
        raise RequestError(f"the {what} must be text, not {type(text).__name__}")
    if len(text) > longest:
        raise RequestError(
            f"the {what} has {len(text):,} characters, and the limit is {longest:,}: shorten it"
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RequestError(f"the {what} is not valid Unicode text") from None


def _number(what: str, value: object) -> float:
    try:
        if isinstance(value, bool | str | bytes):
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError):
        raise RequestError(f"{what} must be a number, not {_short(value)}") from None
    if not math.isfinite(number):
        raise RequestError(f"{what} must be a finite number, not {_short(value)}")
    return number


def _integer(what: str, value: object) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise RequestError(f"{what} must be a whole number, not {_short(value)}") from None


def _short(value: object) -> str:
    """A value in a message: one line, never long."""
    if isinstance(value, int) and abs(value) >= 10**24:
        return "a number of more than 24 digits"
    text = " ".join((repr(value) if isinstance(value, str) else str(value)).split())
    return text if len(text) <= 60 else text[:57] + "..."
