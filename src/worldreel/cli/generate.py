"""`worldreel generate`: a sentence becomes a video."""

from typing import Annotated

import typer

from worldreel.cli.making import Files, length, make
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
from worldreel.cli.prompt import ChatModel, ChatUrl, written_by
from worldreel.request import LONGEST_PROMPT, Request
from worldreel.values import written_keyframe

app = typer.Typer(add_completion=False)

_WIDE, _HIGH = MARBLE.base_sizes[MARBLE.default_aspect]
_TRAINED = "{}x{}".format(*MARBLE.trained_sizes[0])
_MOST = int(MARBLE.max_seconds * MARBLE.fps)


@app.command(context_settings=HELP, epilog=EPILOG)
def generate(
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
            help=f"How long it lasts, up to {MARBLE.max_seconds:g}, or frames, as in 18f; rounded "
            f"to groups of {MARBLE.frames_per_latent} frames at {MARBLE.fps} a second.",
            show_default=f"{MARBLE.default_seconds:g}",
        ),
    ] = None,
    num_frames: Annotated[
        int | None,
        typer.Option(help=f"The same in frames, up to {_MOST}; 1: a still."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH",
            help=f"Pixels: multiples of {MARBLE.grid} from {MARBLE.min_side} to {MARBLE.max_side}; "
            f"marble was trained mostly at {_TRAINED} and is best there.",
            show_default=f"{_WIDE}x{_HIGH}",
        ),
    ] = None,
    aspect: Annotated[
        str | None,
        typer.Option(
            metavar="W:H",
            help=f"The shape instead of a size, such as {', '.join(MARBLE.base_sizes)}.",
            show_default=MARBLE.default_aspect,
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A picture: the first frame."),
    ] = None,
    last_image: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A picture: the last frame."),
    ] = None,
    keyframe: Annotated[
        list[str] | None,
        typer.Option(
            metavar="T:FILE[:STRENGTH]",
            help="A picture at a time, held at a strength up to 1; may be repeated.",
        ),
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="A picture of who or what is to be seen, for VACE; may be repeated.",
        ),
    ] = None,
    rewrite: Annotated[
        bool,
        typer.Option(
            "--rewrite/--no-rewrite",
            help="Make a full caption of the prompt first: see `worldreel prompt`.",
        ),
    ] = False,
    rewrite_url: ChatUrl = None,
    rewrite_model: ChatModel = None,
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
    """Turn a sentence into a video."""
    notes = []
    if output is not None and output.lower().endswith(".png") and seconds is num_frames is None:
        num_frames = 1
        notes.append("a .png is a picture: one frame was made")
    keyframes = [written_keyframe(text) for text in keyframe or ()]
    read = {"--image": image, "--last-image": last_image}
    read |= {f"--keyframe {time}": file for time, file, _ in keyframes}
    read |= {f"--reference {file}": file for file in reference or ()}
    request = Request(
        prompt=prompt,
        **length(seconds, num_frames),
        size=size,
        aspect=aspect,
        image=image,
        last_image=last_image,
        keyframes=keyframes,
        references=reference or (),
        rewrite=written_by(rewrite_url, rewrite_model) or rewrite,
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
    make(request, files, read, notes)
