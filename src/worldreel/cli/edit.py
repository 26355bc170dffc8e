"""`worldreel edit`: a clip as other words have it."""

from typing import Annotated

import typer

from worldreel.cli.making import Files, make
from worldreel.cli.options import (
    EPILOG,
    HELP,
    AsJson,
    Clip,
    Fit,
    Guidance,
    Interval,
    Latents,
    Lora,
    Mask,
    Model,
    Negative,
    Output,
    Quiet,
    Region,
    Seed,
    Sheet,
    Shift,
    ShowPlan,
    Steps,
    Time,
    Variations,
    Weights,
)
from worldreel.request import Request

app = typer.Typer(add_completion=False)


@app.command(context_settings=HELP, epilog=EPILOG)
def edit(
    clip: Clip,
    prompt: Annotated[str, typer.Argument(help="What it shows instead; - reads standard input.")],
    strength: Annotated[
        float,
        typer.Option(
            help="How much may change: at 0.3 shades of colour and light, at 0.6 ground, sky and "
            "light but no thing, at 0.9 things too, at 1 all of it (docs/edit.md has pictures)."
        ),
    ] = 0.5,
    time: Time = None,
    region: Region = None,
    mask: Mask = None,
    output: Output = None,
    seed: Seed = 0,
    variations: Variations = 1,
    size: Fit = None,
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
    """Show a clip as other words have it."""
    request = Request(
        prompt=prompt,
        under=clip,
        strength=strength,
        time=time,
        region=region,
        mask=mask,
        size=size,
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
    make(request, files, {"CLIP": clip, "--mask": mask})
