"""`worldreel retake`: a span of a clip, played again."""

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
    Model,
    Negative,
    Output,
    Quiet,
    Sheet,
    Shift,
    ShowPlan,
    Span,
    Steps,
    Variations,
    Weights,
    Words,
)
from worldreel.errors import RequestError
from worldreel.request import Request

app = typer.Typer(add_completion=False)


@app.command(context_settings=HELP, epilog=EPILOG)
def retake(
    clip: Clip,
    prompt: Words = None,
    time: Span = None,
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
    """Play a span of a clip again; the rest stays as it is."""
    if time is None:
        raise RequestError("say what to play again: --time 0.5:1.5, or --time : for all of it")
    request = Request(
        prompt=prompt,
        under=clip,
        time=time,
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
    make(request, files, {"CLIP": clip})
