"""The scaling study for people: a page, its curves as an SVG, and pictures side by side.

    python -m recipes.chart runs/scaling/scaling.json docs

draws them again from what `recipes.scaling` found.
"""

from __future__ import annotations

import argparse
import json
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from worldreel.eval.scaling import Law
from worldreel.output import whole_file

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
_WIDE, _TALL = 460, 320  # of a panel, in pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 440, 34, 270  # of its axes
_COLORS = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#777777")


def write(docs: Path, about: Mapping[str, Any]) -> list[Path]:
    """docs/scaling.svg, and docs/scaling.md: its figures anew, its other words as they are."""
    docs.mkdir(parents=True, exist_ok=True)
    page, curves = docs / "scaling.md", docs / "scaling.svg"
    old = page.read_text("utf-8") if page.exists() else f"# Scaling\n\n{BEGIN}\n{END}\n"
    if BEGIN not in old or END not in old:
        raise ValueError(f"{page} has no place for figures: {BEGIN} and {END}")
    head, tail = old.split(BEGIN)[0], old.split(END)[1]
    with whole_file(curves) as part:
        part.write_text(svg(about), "utf-8")
    with whole_file(page) as part:
        part.write_text(f"{head}{BEGIN}\n{figures(about)}{END}{tail}", "utf-8")
    return [page, curves]


def figures(about: Mapping[str, Any]) -> str:
    """The laws, the advice, the prediction and the points, as Markdown."""
    laws, lines = about["laws"], []
    alpha, beta = laws["loss"]["exponents"]
    (a0, a1), (b0, b1) = laws["loss"]["exponent intervals"]
    f0, f1 = laws["loss"]["floor interval"]
    power, low, high = about["size exponent"], *about["size exponent interval"]
    lines += [
        "![held-out loss and wrong answers against compute](scaling.svg)",
        "",
        f"Held-out flow loss of N parameters after D clips: {laws['loss']['floor']:.3f} "
        f"({f0:.3f} to {f1:.3f}) + a N^-{alpha:.2f} ({a0:.2f} to {a1:.2f}) + "
        f"b D^-{beta:.2f} ({b0:.2f} to {b1:.2f}); intervals of 95 %. The best size grows as "
        f"compute to the power {power:.2f} ({low:.2f} to {high:.2f}).",
        "",
        "| budget, FLOP | best width | parameters | clips | loss |",
        "|---|---|---|---|---|",
    ]
    for row in about["advice"]:
        lines.append(
            f"| {row['flops']:.3g} | {row['width']} | {row['parameters'] / 1e6:.2f} M "
            f"| {row['clips']} | {row['loss']:.4f} |"
        )
    lines += ["", _checked(about), ""]
    lines += [
        "| run | parameters | clips | FLOP | processor s | loss, seen pairs | held-out pairs "
        "| right answers, % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in about["points"]:
        right = "-"
        if "right" in row:
            ends = " to ".join(f"{100 * end:.0f}" for end in row["wilson"])
            right = f"{100 * row['right']:.0f} ({ends})"
        lines.append(
            f"| {row['name']} | {row['parameters'] / 1e6:.2f} M | {row['clips']} "
            f"| {row['flops']:.3g} | {row['processor_seconds']:.0f} | {row['loss seen']:.4f} "
            f"| {row['loss held out']:.4f} | {right} |"
        )
    return "\n".join(lines) + "\n"


def _checked(about: Mapping[str, Any]) -> str:
    prediction, found = about["prediction"], about["check"]
    value, low, high = prediction["loss"]
    said = (
        f"The largest run ({prediction['run']['flops']:.3g} FLOP) was predicted at {value:.4f} "
        f"({low:.4f} to {high:.4f}) on {prediction['written']}"
    )
    if found is None:
        return f"{said}; it is not finished."
    right = "right" if found["within"] else "WRONG"
    within = 100 * prediction["tolerance"]
    return (
        f"{said}. Measured: {found['measured']:.4f}, off by {100 * found['error']:+.1f} %: the "
        f"prediction was {right} (within {within:g} % is right)."
    )


# Curves.


def svg(about: Mapping[str, Any]) -> str:
    """Two panels against compute: held-out loss, and the share of wrong answers."""
    points, laws = about["points"], about["laws"]
    widths = sorted({row["width"] for row in points})
    panels = [
        _panel(
            "held-out flow loss",
            [(row["flops"], row["loss"], None, widths.index(row["width"])) for row in points],
            _law(laws["frontier"]),
            about["prediction"]["run"]["flops"],
            about["prediction"]["loss"],
        )
    ]
    judged = [
        (
            row["flops"],
            1 - row["right"],
            [1 - end for end in row["wilson"]],
            widths.index(row["width"]),
        )
        for row in points
        if "right" in row and row["right"] < 1
    ]
    if judged:
        law = _law(laws["card"]) if laws["card"] else None
        wrong = about["prediction"]["wrong"]
        flops = about["prediction"]["run"]["flops"]
        panels.append(_panel("wrong answers, four lines", judged, law, flops, wrong))
    placed = "".join(
        f'<g transform="translate({_WIDE * i} 0)">{panel}</g>' for i, panel in enumerate(panels)
    )
    keys = "".join(
        f'<circle cx="{70 + 90 * i}" cy="{_TALL - 8}" r="4" fill="{_COLORS[i % len(_COLORS)]}"/>'
        f'<text x="{78 + 90 * i}" y="{_TALL - 4}">width {width}</text>'
        for i, width in enumerate(widths)
    )
    size = f'viewBox="0 0 {_WIDE * len(panels)} {_TALL}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="white"/>{placed}{keys}</svg>\n'
    )


def _law(told: Mapping[str, Any]) -> Law:
    return Law(
        floor=told["floor"], scales=tuple(told["scales"]), exponents=tuple(told["exponents"])
    )


Dot = tuple[float, float, Sequence[float] | None, int]  # compute, value, its interval, color


def _panel(
    name: str,
    dots: Sequence[Dot],
    law: Law | None,
    there: float,
    predicted: Sequence[float] | None,
) -> str:
    """Points on logarithmic axes, the law through them, and what was predicted as a cross."""
    values = [end for _, y, ends, _ in dots for end in (y, *(ends or ())) if end > 0]
    values += list(predicted or ())
    low, high = math.log10(max(min(values), 1e-4)), math.log10(max(values))
    room = 0.08 * (high - low) or 0.1
    low, high = low - room, high + room
    first = math.log10(min(x for x, *_ in dots)) - 0.15
    last = math.log10(max(there, *(x for x, *_ in dots))) + 0.15

    def across(x: float) -> float:
        return _LEFT + (math.log10(x) - first) / (last - first) * (_RIGHT - _LEFT)

    def up(y: float) -> float:
        part = (math.log10(max(y, 1e-4)) - low) / (high - low)
        return _BOTTOM - part * (_BOTTOM - _TOP)

    parts = [
        f'<text x="{_LEFT}" y="20" font-size="13">{name}</text>',
        _axes(across, up, first, last, low, high),
    ]
    if law is not None:
        xs = np.logspace(first, last, 60)
        line = " ".join(f"{across(x):.1f},{up(float(law(x))):.1f}" for x in xs)
        parts.append(f'<polyline points="{line}" fill="none" stroke="#999" stroke-width="1.5"/>')
    for x, y, ends, color in dots:
        fill = _COLORS[color % len(_COLORS)]
        if ends:
            a, b = (up(end) for end in ends)
            parts.append(f'<path d="M{across(x):.1f} {a:.1f}V{b:.1f}" stroke="{fill}"/>')
        parts.append(f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="4" fill="{fill}"/>')
    if predicted is not None:
        x, (y, a, b) = across(there), (up(value) for value in predicted)
        parts.append(
            f'<path d="M{x - 6:.1f} {y - 6:.1f}l12 12m0 -12l-12 12" stroke="black"/>'
            f'<path d="M{x:.1f} {a:.1f}V{b:.1f}" stroke="black"/>'
            f'<text x="{x - 10:.1f}" y="{y - 10:.1f}" text-anchor="end">predicted</text>'
        )
    return "".join(parts)


def _axes(
    across: Callable[[float], float],
    up: Callable[[float], float],
    first: float,
    last: float,
    low: float,
    high: float,
) -> str:
    parts = [f'<path d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}" fill="none" stroke="#888"/>']
    for decade in range(math.ceil(first), math.floor(last) + 1):
        x = across(10.0**decade)
        parts.append(
            f'<path d="M{x:.1f} {_BOTTOM}v4" stroke="#888"/>'
            f'<text x="{x:.1f}" y="{_BOTTOM + 16}" text-anchor="middle">1e{decade}</text>'
        )
    for y in np.logspace(low, high, 6)[1:-1]:
        parts.append(
            f'<path d="M{_LEFT} {up(y):.1f}H{_RIGHT}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 5}" y="{up(y) + 4:.1f}" text-anchor="end">{y:.2g}</text>'
        )
    middle = (_LEFT + _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_BOTTOM + 32}" text-anchor="middle">FLOP</text>')
    return "".join(parts)


# Pictures.


def picture(
    file: Path, strips: Sequence[tuple[str, Sequence[np.ndarray]]], prompts: Sequence[str]
) -> Path:
    """A row for each strip, named; a column for each prompt: the middle frame of its clip."""
    from PIL import Image, ImageDraw

    _, height, width, _ = strips[0][1][0].shape
    margin, words, gap = 46, 40, 4
    page = Image.new(
        "RGB",
        (margin + len(prompts) * (width + gap), words + len(strips) * (height + gap)),
        "white",
    )
    pen = ImageDraw.Draw(page)
    for column, text in enumerate(prompts):
        for line, part in enumerate(textwrap.wrap(text, width // 6)[:3]):
            pen.text((margin + column * (width + gap), 2 + 12 * line), part, fill="black")
    for row, (name, clips) in enumerate(strips):
        y = words + row * (height + gap)
        pen.text((4, y + height // 2), name, fill="black")
        for column, frames in enumerate(clips):
            shown = Image.fromarray(frames[len(frames) // 2])
            page.paste(shown, (margin + column * (width + gap), y))
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as part:
        page.save(part, "PNG")
    return file


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m recipes.chart", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("found", type=Path)
    parser.add_argument("docs", type=Path)
    chosen = parser.parse_args(arguments)
    files = write(chosen.docs, json.loads(chosen.found.read_text("utf-8")))
    print(json.dumps([str(file) for file in files]))


if __name__ == "__main__":
    main()
