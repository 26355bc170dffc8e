"""`worldreel connect`: two clips become one."""

import typer

from worldreel.cli.making import Files, length, make
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
    Model,
    Negative,
    New,
    Output,
    Quiet,
    Seed,
    Sheet,
    Shift,
    ShowPlan,
    Steps,
    Variations,
    Weights,
    Words,
)
from worldreel.request import Request

app = typer.Typer(add_completion=False)


@app.command(context_settings=HELP, epilog=EPILOG)
def connect(
    first: Clip,
    second: Clip,
    prompt: Words = None,
    seconds: New = None,
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
    """Lead from one clip to another; the first frames of the second follow what is new."""
    request = Request(
        prompt=prompt,
        before=first,
        after=second,
        **length(seconds),
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
    make(request, files, {"FIRST": first, "SECOND": second})
