"""What a stream is asked for: a request of any length, words for spans of time, and a pace.

    made = course(Request(prompt="a ball rolls", seconds=60), [(20, "it snows")], Limits())
    made.spans      ((0, "a ball rolls"), (60, "it snows"))     from which latent, which words
    made.group(1)   (6, 9)                                      the latents of the second group

Like request.py it needs no model: what cannot be made is said before any weights are read.
"""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

from worldreel.errors import RequestError
from worldreel.request import Limits, Plan, Request, check, plan

LONGEST = 24 * 3600.0  # seconds
USUAL = 60.0  # seconds, where none are asked for
SHOWN = 5  # latents before a window of public weights that it shows: 17 frames


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pace:
    """How a stream moves on, in latents and steps (docs/stream.md has what was measured).

    window: latents that the transformer sees at once, references aside; as many are painted first.
    advance: latents of every later group. lag: steps after which the next group sets out; None:
    when the group before is done. A lower lag, a divisor of the steps, paints several groups at
    once on staggered levels. context_level: the noise under which what is kept is shown. anchor: of
    the first latents, how many are shown as references for ever, once they have left the window;
    under other words, of the first that were painted with nothing of the old ones in sight.
    """

    window: int = 6
    advance: int = 3
    lag: int | None = None
    context_level: float = 0.3
    anchor: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Course:
    """A stream that can be made: every choice taken."""

    plan: Plan
    spans: tuple[tuple[int, str], ...]  # the first latent of each span, and its prompt
    pace: Pace
    frames_per_latent: int
    first_frame: bool = False  # the first latent is one frame
    behind: int = 0  # latents before the context, from which it is decoded anew

    @property
    def lag(self) -> int:
        """Steps between the starts of two groups."""
        return self.pace.lag or self.plan.num_inference_steps

    @property
    def at_once(self) -> int:
        """Groups that are painted at once."""
        return self.plan.num_inference_steps // self.lag

    @property
    def context(self) -> int:
        """Latents before those that are being painted, which the window shows."""
        return self.pace.window - self.at_once * self.pace.advance

    @property
    def held(self) -> int:
        """Finished latents from which the stream goes on."""
        return max(self.context + self.behind, 2)  # marble's decoder looks at two

    @property
    def dropped(self) -> int:
        """Frames before the first that is shown: a picture is kept as a latent of equal frames."""
        return self.frames_per_latent - 1 if self.plan.image or self.first_frame else 0

    @property
    def num_latents(self) -> int:
        return math.ceil((self.plan.num_frames + self.dropped) / self.frames_per_latent)

    @property
    def num_groups(self) -> int:
        later = max(0, self.num_latents - self.pace.window)
        return 1 + math.ceil(later / self.pace.advance)

    def group(self, index: int) -> tuple[int, int]:
        """The half-open span of latents of a group; that of the last may pass the end."""
        stop = self.pace.window + index * self.pace.advance
        return (stop - self.pace.advance if index else 0), stop

    @property
    def anchors(self) -> tuple[int, ...]:
        """For each span the group that holds its anchor."""
        before = self.pace.window - self.context
        starts = (start for start, _ in self.spans)
        return tuple(1 + math.ceil((t - before) / self.pace.advance) if t else 0 for t in starts)

    def anchor(self, latent: int) -> int:
        """The group whose first latents stay in sight while a latent is painted."""
        return next(
            group
            for group, (start, _) in reversed([*zip(self.anchors, self.spans, strict=True)])
            if start <= latent
        )

    def num_frames(self, index: int) -> int:
        """Frames of a group that are shown."""
        start, stop = self.frames(index)
        return stop - start

    def frames(self, index: int) -> tuple[int, int]:
        """The half-open span of frames of a group, which the end may cut short."""
        start, stop = (self.frames_per_latent * t - self.dropped for t in self.group(index))
        return max(0, start), min(stop, self.plan.num_frames)

    def seconds(self, latent: int) -> float:
        """When a latent begins."""
        return max(0, latent * self.frames_per_latent - self.dropped) / self.plan.fps

    def to_json(self) -> dict[str, Any]:
        """What makes this stream the one it is, as plain JSON values: all but its length.

        The first minute of an hour is the minute that is asked for alone.
        """
        lasting = {"num_frames", "seconds", "changed", "notes"}
        fields = {k: v for k, v in self.plan.to_json().items() if k not in lasting}
        then = [[round(self.seconds(t), 3), prompt] for t, prompt in self.spans[1:]]
        return fields | {"then": then, "pace": dataclasses.asdict(self.pace)}


def course(
    request: Request,
    then: Iterable[tuple[float, str]],
    limits: Limits,
    pace: Pace | None = None,
    *,
    chunk: int = 1,
) -> Course:
    """Take every choice, or raise the one line that says why not.

    then: from how many seconds on, which prompt. chunk: latents of the model's attention rule.
    """
    pace = usual_pace(limits) if pace is None else pace
    if request.last_image is not None or request.keyframes:
        raise RequestError("a stream is cut where it is: it takes a first picture, and no last")
    if any(clip is not None for clip in (request.before, request.after, request.under)):
        raise RequestError("a stream begins with words, or with a picture: give no clip")
    if request.ring:
        raise RequestError("a stream is no loop: it is cut where it is")
    long = {"max_seconds": LONGEST, "default_seconds": USUAL, "trained_seconds": None}
    made = plan(request, dataclasses.replace(limits, **long))
    spans, notes = _spans(made, then, limits)
    _check_pace(pace, made, chunk, limits)
    lone = limits.frames_per_latent - 1 if limits.first_frame else 0
    sight = (pace.window * limits.frames_per_latent - lone) / limits.fps
    if limits.trained_seconds is not None and sight > limits.trained_seconds + 1e-9:
        notes.append(
            f"{limits.name} was trained on clips of up to {limits.trained_seconds:g} s, and the"
            f" window is {sight:.3g} s: it may look worse"
        )
    return Course(
        plan=dataclasses.replace(made, notes=(*made.notes, *notes)),
        spans=spans,
        pace=pace,
        frames_per_latent=limits.frames_per_latent,
        first_frame=limits.first_frame,
        behind=limits.reach if limits.first_frame else 0,
    )


def usual_pace(limits: Limits) -> Pace:
    """The pace of a model: marble's, or windows of the length of training."""
    if not limits.first_frame or limits.trained_seconds is None:
        return Pace()
    latents = 1 + round(limits.trained_seconds * limits.fps - 1) // limits.frames_per_latent
    return Pace(window=latents, advance=latents - SHOWN, context_level=0.0, anchor=0)


def _spans(
    made: Plan, then: Iterable[tuple[float, str]], limits: Limits
) -> tuple[tuple[tuple[int, str], ...], list[str]]:
    """The first latent and the prompt of every span, and notes of what was rounded."""
    spans, notes, before = [(0, made.prompt)], [], 0.0
    latent = limits.frames_per_latent / limits.fps  # seconds
    held = made.image or limits.first_frame
    late = latent - 1 / limits.fps if held else 0.0  # see `Course.dropped`
    for at, prompt in then:
        check(Request(prompt=prompt), longest=limits.max_prompt_characters)
        said = f"the prompt at {at:g} s"
        if not math.isfinite(at) or at <= 0:
            raise RequestError(f"{said}: later prompts begin after 0 s")
        if at <= before:
            raise RequestError(f"{said} comes after the one at {before:g} s: put them in order")
        start = round((at + late) / latent)
        begins = start * latent - late
        if begins >= made.seconds - 1e-6:
            raise RequestError(f"{said} begins after the end, which is at {made.seconds:g} s")
        if start <= spans[-1][0]:
            raise RequestError(
                f"{said} is nearer to the one before than {latent:.2g} s, the least that can be"
                " told apart: leave more time between them"
            )
        if abs(begins - at) > 1e-6:
            notes.append(f"the prompt at {at:g} s begins at {begins:.4g} s")
        spans.append((start, prompt.strip()))
        before = at
    return tuple(spans), notes


def _check_pace(pace: Pace, made: Plan, chunk: int, limits: Limits) -> None:
    latent = limits.frames_per_latent / limits.fps
    steps = made.num_inference_steps
    lag = steps if pace.lag is None else pace.lag
    if pace.advance < 1 or pace.anchor < 0 or not 0 <= pace.context_level < 1:
        raise RequestError(
            f"a pace of {pace.advance} latents a group, {pace.anchor} references and a context"
            f" level of {pace.context_level:g}: give at least 1, at least 0, and from 0 to below 1"
        )
    if limits.first_frame and (lag != steps or pace.anchor or pace.context_level):
        raise RequestError(
            f"{limits.name} paints one window after the other, beside the end of the last: give no"
            " lag, anchor or context level"
        )
    if not 1 <= lag <= steps or steps % lag:
        raise RequestError(f"a lag of {lag} does not divide {steps} steps: give a divisor")
    at_once, least = steps // lag, steps // lag * pace.advance + chunk
    if pace.window < least:
        groups = f"{at_once} groups of {pace.advance}" if at_once > 1 else f"{pace.advance}"
        raise RequestError(
            f"a window of {pace.window} latents is too short to paint {groups} and see something"
            f" before them: give {least} latents ({least * latent:.3g} s) or more, or advance by"
            f" less than {pace.advance} ({pace.advance * latent:.3g} s)"
        )
    if any(n % chunk for n in (pace.window, pace.advance)):
        raise RequestError(f"window and advance must be multiples of {chunk}, the model's chunk")
