"""`worldreel fill`: a part of a clip is painted anew."""

from typing import Annotated

import typer

from worldreel.cli.making import Files, make
from worldreel.cli.options import (
    EPILOG,
    HELP,
    Another,
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
    Sheet,
    Shift,
    ShowPlan,
    Steps,
    Time,
    Variations,
    Weights,
    Words,
)
from worldreel.errors import RequestError
from worldreel.request import Request

app = typer.Typer(add_completion=False)


@app.command(context_settings=HELP, epilog=EPILOG)
def fill(
    clip: Clip,
    prompt: Words = None,
    time: Time = None,
    region: Region = None,
    mask: Mask = None,
    canvas: Annotated[
        str | None,
        typer.Option(
            metavar="WxH",
            help="A larger frame around the clip, or WxH+X+Y: the clip X from its left, Y from its "
            "top.",
            show_default="the clip's",
        ),
    ] = None,
    output: Output = None,
    seed: Another = None,
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
    """Paint a part of a clip: missing frames, something in the picture, a larger frame."""
    if time is region is mask is canvas is None:
        raise RequestError("say what to fill: --time, --region, --mask or --canvas")
    request = Request(
        prompt=prompt,
        under=clip,
        time=time,
        region=region,
        mask=mask,
        canvas=canvas,
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
