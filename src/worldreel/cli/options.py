"""Options that several commands have."""

from typing import Annotated, Any

import typer

from worldreel.output import KINDS, PICTURES
from worldreel.request import MOST_GUIDANCE, MOST_STEPS, SHIFTS, Limits

MARBLE = Limits()
EPILOG = "Limits and defaults are marble's; another model may have its own."
HELP = {"help_option_names": ["-h", "--help"]}

Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help=f"{', '.join(KINDS[:-1])}, .png (a still), or a name without an ending: a folder "
        "of .png frames. A file of that name is replaced.",
        show_default="worldreel.mp4 or a still's worldreel.png, numbered if it exists",
    ),
]
Clip = Annotated[
    str, typer.Argument(help="A video, best one that worldreel made and its .reel beside it.")
]
Words = Annotated[
    str | None,
    typer.Argument(help="What it shows; - reads standard input.", show_default="the clip's own"),
]
New = Annotated[
    str | None,
    typer.Option(
        metavar="S",
        help="How long what is new lasts: seconds, or frames, as in 18f; rounded to groups of "
        f"{MARBLE.frames_per_latent} frames at {MARBLE.fps} a second.",
        show_default=f"{MARBLE.default_seconds / 2:g}",
    ),
]


def _time(what: str, default: str, more: str = "") -> Any:
    """--time, of which what changes is said."""
    groups = f"groups of {MARBLE.frames_per_latent} frames"
    text = f"{what}: seconds, or frames, as in 6f:18f; widened to {groups}{more}."
    return typer.Option("--time", metavar="FROM:TO", help=text, show_default=default)


Time = Annotated[str | None, _time("When it may change", "from start to end")]
Span = Annotated[
    str | None,
    _time("What is played again", "it must be said", "; a colon alone is all of it"),
]
Region = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y,W,H",
        help="Where it may change: pixels from the top left.",
        show_default="everywhere",
    ),
]
Mask = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="A picture of the clip's size, or a video as long, white where it may change.",
        show_default="everywhere",
    ),
]
Fit = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="WxH",
        help="What a clip is fitted to that worldreel did not make.",
        show_default="the nearest that can be made",
    ),
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same video; 0 to 2**64 - 1.")]
Another = Annotated[
    int | None,
    typer.Option(
        help="The same seed gives the same video; 0 to 2**64 - 1.",
        show_default="one above the clip's",
    ),
]
Variations = Annotated[
    int, typer.Option(help="So many videos, of the next seeds, in numbered files.")
]
Steps = Annotated[
    int | None,
    typer.Option(
        help=f"More steps: better, slower; 1 to {MOST_STEPS}.",
        show_default=f"{MARBLE.default_steps}",
    ),
]
Guidance = Annotated[
    float | None,
    typer.Option(
        help=f"How closely to follow the prompt, 0 to {MOST_GUIDANCE:g}; 1: no guidance.",
        show_default=f"{MARBLE.default_guidance:g}",
    ),
]
Interval = Annotated[
    str | None,
    typer.Option(
        metavar="LOW:HIGH",
        help="Levels of noise at which guidance counts, 0 (none left) to 1, such as 0.3:0.9: a "
        "step at another costs half.",
        show_default="0:1; 0.8:1 where a clip goes on",
    ),
]
Shift = Annotated[
    float | None,
    typer.Option(
        help="How far the steps crowd near noise, where the layout is decided: 1 is even, "
        f"{SHIFTS[0]:g} to {SHIFTS[1]:g}.",
        show_default=f"{MARBLE.default_shift:g}",
    ),
]
Negative = Annotated[str, typer.Option(help="What it should not show.")]
Model = Annotated[
    str,
    typer.Option(help="A name, or a folder of weights: marble's, or public Wan weights."),
]
Lora = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE[:STRENGTH]",
        help="A LoRA for the model, at a strength of 1 if not said; may be repeated.",
    ),
]
Weights = Annotated[
    str,
    typer.Option(
        metavar="auto|int8",
        help="int8: keep a public transformer's weights in 8 bits, which takes half of the memory "
        "and changes frames a little; auto: only where nothing else fits.",
    ),
]
ShowPlan = Annotated[
    bool,
    typer.Option(
        "--plan", help="Check it all, say how much memory it would take, and make nothing."
    ),
]
Sheet = Annotated[
    str | None,
    typer.Option(metavar="FILE", help=f"Also a picture of some frames: {', '.join(PICTURES)}."),
]
Latents = Annotated[
    bool | None,
    typer.Option(
        "--latents/--no-latents",
        help="NAME.reel beside NAME.mp4, from which the clip is continued without loss.",
        show_default="beside an .mp4",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
