"""`worldreel stream`: a video of any length, from a sentence, or from one after the other."""

import dataclasses
import json
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from worldreel.cli import several
from worldreel.cli.making import length, peak_memory, read_prompt, with_pictures, written_lora
from worldreel.cli.options import Interval, Lora, Model, Shift
from worldreel.cli.progress import progress
from worldreel.cli.prompt import ChatModel, ChatUrl, written_by
from worldreel.course import LONGEST, USUAL, Pace, course, usual_pace
from worldreel.errors import RequestError
from worldreel.output import check_sheet, check_writable
from worldreel.request import (
    LONGEST_PROMPT,
    MOST_GUIDANCE,
    MOST_STEPS,
    Limits,
    Request,
    check,
)
from worldreel.settings import packaged
from worldreel.values import parse_time

app = typer.Typer(add_completion=False)

MARBLE, PACE = Limits(), Pace()
_WIDE, _HIGH = MARBLE.base_sizes[MARBLE.default_aspect]
_LATENT = MARBLE.frames_per_latent / MARBLE.fps  # seconds


def _seconds(latents: int) -> str:
    return f"{latents * _LATENT:.4g}"


def _latents(option: str, time: str, limits: Limits) -> int:
    return round(parse_time(time, limits.fps, option) / limits.frames_per_latent)


@app.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="The parts of the video, clips that play, lie in a folder of its name ending in .parts "
    "until it is whole; a run that was stopped goes on from them when the same is asked again. "
    "Limits and defaults are marble's; another model may have its own.",
)
def stream(
    prompt: Annotated[
        str,
        typer.Argument(
            help=f"What the video shows, in up to {LONGEST_PROMPT:,} characters; "
            "- reads standard input."
        ),
    ],
    seconds: Annotated[
        str | None,
        typer.Option(
            metavar="S",
            help=f"How long it lasts, up to {LONGEST / 3600:g} hours, or frames, as in 18f.",
            show_default=f"{USUAL:g}",
        ),
    ] = None,
    then: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TIME:PROMPT",
            help="What it shows from then on, such as '20:it snows'; may be given again.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="An .mp4. A file of that name is replaced.",
            show_default="stream.mp4, numbered if it exists",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="As for generate.", show_default=f"{_WIDE}x{_HIGH}"),
    ] = None,
    aspect: Annotated[
        str | None,
        typer.Option(
            metavar="W:H", help="The shape instead of a size.", show_default=MARBLE.default_aspect
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same video; 0 to 2**64 - 1.")
    ] = 0,
    steps: Annotated[
        int | None,
        typer.Option(
            help=f"More steps: better, slower; 1 to {MOST_STEPS}.",
            show_default=f"{MARBLE.default_steps}",
        ),
    ] = None,
    guidance_scale: Annotated[
        float | None,
        typer.Option(
            help=f"How closely to follow the prompt, 0 to {MOST_GUIDANCE:g}; 1: no guidance.",
            show_default=f"{MARBLE.default_guidance:g}",
        ),
    ] = None,
    guidance_interval: Interval = None,
    flow_shift: Shift = None,
    negative_prompt: Annotated[str, typer.Option(help="What it should not show.")] = "",
    image: Annotated[
        str | None, typer.Option(metavar="FILE", help="A picture: the first frame.")
    ] = None,
    rewrite: Annotated[
        bool,
        typer.Option(
            "--rewrite/--no-rewrite",
            help="Make full captions of the prompts first: see `worldreel prompt`.",
        ),
    ] = False,
    rewrite_url: ChatUrl = None,
    rewrite_model: ChatModel = None,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="S",
            help="What is seen at once, and painted first.",
            show_default=_seconds(PACE.window),
        ),
    ] = None,
    advance: Annotated[
        str | None,
        typer.Option(
            metavar="S",
            help="What is painted at a time, beside what is before it.",
            show_default=_seconds(PACE.advance),
        ),
    ] = None,
    lag: Annotated[
        int | None,
        typer.Option(
            help="Steps after which the next latents set out, a divisor of --steps; "
            "fewer than all paint on staggered levels.",
            show_default="as many as --steps",
        ),
    ] = None,
    context_level: Annotated[
        float | None,
        typer.Option(
            help="Noise under which earlier latents are shown, 0 to below 1.",
            show_default=f"{PACE.context_level:g}",
        ),
    ] = None,
    anchor: Annotated[
        str | None,
        typer.Option(
            metavar="S",
            help="How much of the beginning stays in sight for ever.",
            show_default=_seconds(PACE.anchor),
        ),
    ] = None,
    model: Model = "marble",
    lora: Lora = None,
    contact_sheet: Annotated[
        str | None, typer.Option(metavar="FILE", help="Also a picture of some frames.")
    ] = None,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep the parts: a longer video can then go on from them."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Turn sentences into a long video, in memory that does not grow with it."""
    request = Request(
        prompt=read_prompt(prompt),
        negative_prompt=negative_prompt,
        **length(seconds),
        size=size,
        aspect=aspect,
        seed=seed,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        guidance_interval=guidance_interval,
        flow_shift=flow_shift,
        image=image,
        rewrite=written_by(rewrite_url, rewrite_model) or rewrite,
        model=model,
    )
    limits = packaged(model)
    if limits is None:
        limits = import_module("worldreel.loading").described(model)[1]
    else:
        check(request)
    spans = [_span(text, limits) for text in then or ()]
    times = {"window": window, "advance": advance, "anchor": anchor}
    asked: dict[str, Any] = {
        name: _latents(f"--{name}", time, limits) for name, time in times.items() if time
    }
    asked |= {} if context_level is None else {"context_level": context_level}
    pace = dataclasses.replace(usual_pace(limits), lag=lag, **asked)
    course(request, spans, limits, pace)  # refused before weights are loaded
    path = Path(_free_name() if output is None else output)
    if check_writable(path) != ".mp4":
        raise RequestError(f"a stream is an .mp4, and not {output}")
    if contact_sheet is not None:
        check_sheet(contact_sheet)
    request = with_pictures(request)
    started = time.perf_counter()
    with progress(quiet=quiet) as told:
        told("load", 0, 1)
        loras = tuple(map(written_lora, lora or ()))
        engine = import_module("worldreel.engine").load(model, loras=loras, team=several.team())
        told("load", 1, 1)
        parts, streams = (import_module(f"worldreel.{name}") for name in ("parts", "stream"))
        told("prompt", 0, 1)  # a chat server may take its time
        made = streams.opened(engine, request, spans, pace)
        told("prompt", 1, 1)
        try:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                marked, found = parts.record(made, path, sheet=contact_sheet, keep=keep, told=told)
        except KeyboardInterrupt:
            folder = parts.folder_of(path)
            print(f"\n{folder} has what is done: the same command goes on there", file=sys.stderr)
            raise
    notes = list(made.notes)
    notes += {str(w.message): None for w in warned if w.category is UserWarning}
    if found:
        notes.append(f"went on after {found:.3g} s that were there already")
    plan = made.course.plan
    answer = {
        "path": str(path),
        "parts": str(parts.folder_of(path)) if keep else None,
        "contact_sheet": contact_sheet,
        "width": plan.width,
        "height": plan.height,
        "num_frames": plan.num_frames,
        "fps": plan.fps,
        "seed": plan.seed,
        "model": plan.model,
        "clip_id": marked["clip_id"],
        "then": made.course.to_json()["then"],
        "resumed_at": found,
        "seconds": {"total": round(time.perf_counter() - started, 3)},
        "peak_memory": peak_memory(),
        "words": made.words,
        "notes": notes,
    }
    if as_json:
        print(json.dumps(answer))
    elif not quiet:
        for note in notes:
            print(f"note: {note}", file=sys.stderr)
        print(
            f"{path}: {plan.width}x{plan.height}, {plan.num_frames} frames, {plan.seconds:.5g} s, "
            f"made in {answer['seconds']['total']:.1f} s"
        )
        if contact_sheet is not None:
            print(f"{contact_sheet}: its contact sheet")


def _free_name() -> str:
    """A name of our choice never replaces a file; what was stopped amid its work goes on."""
    name, number = "stream.mp4", 1
    while Path(name).exists():
        number += 1
        name = f"stream-{number}.mp4"
    return name


def _span(text: str, limits: Limits) -> tuple[float, str]:
    """(20.0, "it snows") from "20:it snows"."""
    at, _, prompt = text.partition(":")
    try:
        if not prompt.strip():
            raise ValueError
        return parse_time(at, limits.fps) / limits.fps, prompt
    except ValueError:
        raise RequestError(
            f"--then is TIME:PROMPT, such as '20:it snows' or '36f:it snows', not {text[:60]!r}"
        ) from None
