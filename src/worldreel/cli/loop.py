"""`worldreel loop`: a video without an end."""

from typing import Annotated

import typer

from worldreel.cli.making import Files, is_clip, length, make
from worldreel.cli.options import (
    EPILOG,
    HELP,
    MARBLE,
    AsJson,
    Guidance,
    Interval,
    Latents,
    Lora,
    Model,
    Negative,
    Output,
    Quiet,
    Seed,
    Sheet,
    Shift,
    ShowPlan,
    Steps,
    Variations,
    Weights,
)
from worldreel.errors import RequestError
from worldreel.request import Request

app = typer.Typer(add_completion=False)


@app.command(context_settings=HELP, epilog=EPILOG)
def loop(
    what: Annotated[str, typer.Argument(help="What it shows, or a video that is kept whole.")],
    prompt: Annotated[
        str | None,
        typer.Argument(help="With a video: what it shows.", show_default="the clip's own"),
    ] = None,
    seconds: Annotated[
        str | None,
        typer.Option(
            metavar="S",
            help="How long it lasts, or with a video what is new: seconds, or frames, as in 18f.",
            show_default=f"{MARBLE.default_seconds:g}, with a video {MARBLE.default_seconds / 2:g}",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH",
            help="Pixels, or what a clip is fitted to that worldreel did not make.",
            show_default="{}x{}".format(*MARBLE.base_sizes[MARBLE.default_aspect]),
        ),
    ] = None,
    aspect: Annotated[
        str | None,
        typer.Option(
            metavar="W:H", help="The shape instead of a size.", show_default=MARBLE.default_aspect
        ),
    ] = None,
    output: Output = None,
    seed: Seed = 0,
    variations: Variations = 1,
    steps: Steps = None,
    guidance_scale: Guidance = None,
    guidance_interval: Interval = None,
    flow_shift: Shift = None,
    negative_prompt: Negative = "",
    model: Model = "marble",
    lora: Lora = None,
    weights: Weights = "auto",
    show_plan: ShowPlan = False,
    contact_sheet: Sheet = None,
    latents: Latents = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make a loop: of a sentence, or of a clip, which is kept and led back to its start."""
    clip = is_clip(what)
    if prompt is not None and not clip:
        raise RequestError(f"two sentences, and {what!r} is no video: put quotes around one")
    request = Request(
        prompt=prompt if clip else what,
        before=what if clip else None,
        ring=True,
        **length(seconds),
        size=size,
        aspect=aspect,
        seed=seed,
        negative_prompt=negative_prompt,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        guidance_interval=guidance_interval,
        flow_shift=flow_shift,
        model=model,
    )
    files = Files(
        output=output,
        contact_sheet=contact_sheet,
        latents=latents,
        variations=variations,
        as_json=as_json,
        quiet=quiet,
        loras=tuple(lora or ()),
        weights=weights,
        plan=show_plan,
    )
    make(request, files, {"WHAT": what if clip else None})
