"""What people write, as values: sizes, times, spans, regions, pictures in time.

A time is seconds, as a number or as text ("1.5"), or frames, as text that ends in f ("18f"). What
cannot be read is a RequestError of one line that says what is expected. Nothing here knows a model.
"""

import math
import operator
import re
from fractions import Fraction
from typing import Any

from worldreel.errors import RequestError

Size = tuple[int, int]  # width, height in pixels
Region = tuple[int, int, int, int]  # x, y from the top left, width, height in pixels

_NUMBER = r"\d{1,9}(?:\.\d{0,9})?|\.\d{1,9}"


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
        raise RequestError(f"a size is WIDTHxHEIGHT in pixels, such as 256x144, not {short(size)}")
    return width, height


def parse_aspect(aspect: object) -> Fraction:
    """16/9 from "16:9"; decimals count too, as in "2.39:1"."""
    if isinstance(aspect, str):
        number = r"(\d{1,5}(?:\.\d{1,5})?)"
        match = re.fullmatch(rf"\s*{number}\s*[:/]\s*{number}\s*", aspect)
        if match and (wide := Fraction(match[1])) and (high := Fraction(match[2])):
            return wide / high
    raise RequestError(f"an aspect is WIDTH:HEIGHT, such as 16:9, not {short(aspect)}")


def parse_time(time: object, fps: float, what: str = "a time") -> float:
    """Frames, not rounded, from 1.5, "1.5" or "1.5s" (seconds), or "18f" (frames)."""
    if isinstance(time, str):
        match = re.fullmatch(rf"\s*({_NUMBER})\s*([sf]?)\s*", time)
        if match is None:
            raise RequestError(f"{what} is seconds, such as 1.5, or frames, 18f, not {short(time)}")
        return float(match[1]) * (1 if match[2] == "f" else fps)
    seconds = number(what, time)
    if seconds < 0:
        raise RequestError(f"{what} counts from the start of the clip: {seconds:g} s is before it")
    return seconds * fps


def parse_span(span: object, fps: float) -> tuple[float, float | None]:
    """Frames from and to, from "0.5:1.5", "6f:18f" or a pair; an end left open is None."""
    pair: Any = span.split(":") if isinstance(span, str) else span
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise RequestError(
            f"a span is FROM:TO in seconds, such as 0.5:1.5, or frames, 6f:18f, not {short(span)}"
        )
    open_ends = [end is None or (isinstance(end, str) and not end.strip()) for end in pair]
    start = 0.0 if open_ends[0] else parse_time(pair[0], fps, "the start of the span")
    stop = None if open_ends[1] else parse_time(pair[1], fps, "the end of the span")
    if stop is not None and stop <= start:
        raise RequestError(f"the span {short(span)} ends before it starts: give FROM:TO")
    return start, stop


def parse_interval(interval: object) -> tuple[float, float]:
    """Levels of noise, the lower first, from "0.3:0.9" or a pair; an end left open is 0 or 1."""
    pair: Any = interval.split(":") if isinstance(interval, str) else interval
    try:
        low, high = (
            default if end is None or end == "" else float(end)
            for end, default in zip(pair, (0.0, 1.0), strict=True)
        )
    except (TypeError, ValueError, OverflowError):
        low = high = math.nan
    if not 0 <= low <= high <= 1:
        raise RequestError(
            "a guidance interval is LOW:HIGH, two levels of noise from 0 to 1 such as 0.3:0.9, not"
            f" {short(interval)}"
        )
    return low, high


def parse_region(region: object) -> Region:
    """(16, 0, 64, 48) from "16,0,64,48": x and y from the top left, width and height."""
    parts: Any = region.split(",") if isinstance(region, str) else region
    try:
        x, y, width, height = (int(n) if isinstance(n, str) else operator.index(n) for n in parts)
    except (TypeError, ValueError):
        x = y = width = height = -1
    if min(x, y) < 0 or min(width, height) < 1:
        raise RequestError(
            "a region is X,Y,WIDTH,HEIGHT in pixels from the top left, such as 16,0,64,48, not "
            f"{short(region)}"
        )
    return x, y, width, height


def parse_canvas(canvas: object) -> tuple[Size, Size | None]:
    """A size, and where the clip stands on it: "256x144", or "256x144+0+32" from the top left."""
    if isinstance(canvas, str) and "+" in canvas:
        size, *place = canvas.split("+")
        if len(place) == 2 and all(re.fullmatch(r"\d{1,6}", n) for n in place):
            return parse_size(size), (int(place[0]), int(place[1]))
        raise RequestError(f"a canvas is WxH or WxH+X+Y, such as 256x144+0+32, not {short(canvas)}")
    return parse_size(canvas), None


def parse_keyframe(keyframe: object) -> tuple[Any, Any, float]:
    """A time, a picture and its strength, of (time, picture) or (time, picture, strength)."""
    parts: list[Any] = [*keyframe] if isinstance(keyframe, tuple | list) else []
    if len(parts) not in (2, 3):
        raise RequestError(
            "a keyframe is a time and a picture, and a strength if not 1: "
            f"(1.5, 'tree.png', 0.8), not {short(keyframe)}"
        )
    time, picture, *rest = parts
    return time, picture, strength_of("a keyframe", rest[0] if rest else 1.0)


def written_keyframe(text: str) -> tuple[str, str, float]:
    """The same from "T:FILE" or "T:FILE:STRENGTH", as one writes it on a command line."""
    time, colon, rest = text.partition(":")
    file, _, last = rest.rpartition(":")
    held = re.fullmatch(rf"-?(?:{_NUMBER})", last) if file else None
    if not colon or not rest:
        raise RequestError(
            f"a keyframe is TIME:FILE or TIME:FILE:STRENGTH, such as 1.5:a.png, not {short(text)}"
        )
    return time, file if held else rest, float(last) if held else 1.0


def strength_of(what: str, strength: object) -> float:
    """How far, above 0 and up to 1."""
    value = number(f"the strength of {what}", strength)
    if not 0 < value <= 1:
        raise RequestError(f"the strength of {what} is above 0 and at most 1, not {value:g}")
    return value


def within(what: str, value: object, low: float, high: float) -> float:
    """A number from low to high."""
    found = number(what, value)
    if not low <= found <= high:
        raise RequestError(f"{what} must be from {low:g} to {high:g}, not {found:g}")
    return found


def text(what: str, value: object, longest: int) -> str:
    """Unicode text of a bounded length, without the space around it."""
    if not isinstance(value, str):
        raise RequestError(f"the {what} must be text, not {type(value).__name__}")
    if len(value) > longest:
        raise RequestError(
            f"the {what} has {len(value):,} characters, and the limit is {longest:,}: shorten it"
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RequestError(f"the {what} is not valid Unicode text") from None
    return value.strip()


def number(what: str, value: object) -> float:
    """A finite number."""
    try:
        if isinstance(value, bool | str | bytes):
            raise TypeError
        found = float(value)  # type: ignore[arg-type]
    except OverflowError:
        found = math.inf
    except (TypeError, ValueError):
        raise RequestError(f"{what} must be a number, not {short(value)}") from None
    if not math.isfinite(found):
        raise RequestError(f"{what} must be a finite number, not {short(value)}")
    return found


def integer(what: str, value: object) -> int:
    """A whole number of any integer type."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise RequestError(f"{what} must be a whole number, not {short(value)}") from None


def short(value: object) -> str:
    """A value in a message: one line, never long."""
    if isinstance(value, int) and abs(value) >= 10**24:
        return "a number of more than 24 digits"
    said = " ".join((repr(value) if isinstance(value, str) else str(value)).split())
    return said if len(said) <= 60 else said[:57] + "..."
