"""A card on disk: JSON for programs, Markdown for people, a sheet of pictures for eyes."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from worldreel.output import explained, whole_file

FRAMES_SHOWN = 4
COLUMNS = ("all", "seen", "held out", "ruler", "ceiling", "floor")
OTHERS = ("all", "ruler", "floor")  # of another's videos: what was seen is a matter of marble's
BRIEF = COLUMNS[3:]


def write(where: Path, name: str, card: Mapping[str, Any], clips: Sequence[Any]) -> None:
    """The card's JSON, with its clips, and its Markdown, in a folder that is made."""
    with explained(where):
        where.mkdir(parents=True, exist_ok=True)
    write_json(where / f"{name}.json", {**card, "clips": list(clips)})
    with whole_file(where / f"{name}.md") as part:
        part.write_text(markdown(card), "utf-8")


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """JSON, whole or not at all: each key of the first levels on a line of its own."""
    with whole_file(path) as part:
        part.write_text(_laid_out(data, 0) + "\n", "utf-8")


def _laid_out(data: Any, depth: int) -> str:
    flat = json.dumps(data, ensure_ascii=False)
    if len(flat) + depth <= 96 or not isinstance(data, dict | list) or not data:
        return flat
    pad = " " * (depth + 1)
    if isinstance(data, list):
        body = [pad + _laid_out(item, depth + 1) for item in data]
        return "[\n" + ",\n".join(body) + "\n" + " " * depth + "]"
    body = [
        f"{pad}{json.dumps(str(key), ensure_ascii=False)}: {_laid_out(value, depth + 1)}"
        for key, value in data.items()
    ]
    return "{\n" + ",\n".join(body) + "\n" + " " * depth + "}"


def title(card: Mapping[str, Any]) -> str:
    return f"What {card['model']} makes of a prompt"


def columns(card: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of a card's table."""
    return OTHERS if "videos" in card else COLUMNS


def missed(wanted: str, read: str) -> str:
    """What was asked and what was read instead, in a few words."""
    return f"asked {wanted}, read {read}"


def amiss(wanted: Mapping[str, str], read: Mapping[str, str]) -> str:
    """All that was read otherwise than it was asked for."""
    return "; ".join(missed(right, read[k]) for k, right in wanted.items() if read[k] != right)


def notes(card: Mapping[str, Any]) -> list[str]:
    """What a reader has to know of a card's figures."""
    time = f"{card['seconds']:.0f} s in all"
    if "videos" in card:
        made = f"{card['count']} videos of {card['videos']}; what their prompts state was read by "
        made += f"{card['read by']}; {time}. Their rulers are those of the {card['world']} world."
    else:
        width, height = card["size"]
        last = card["first_seed"] + card["count"] - 1
        made = (
            f"{card['count']} clips of {card['frames']} frames at {width}x{height}, noise seeds "
            f"{card['first_seed']} to {last}, of the {card['world']} world: half of unseen seeds "
            f"of the ordinary mix (seen pairs), half of held-out pairs. {card['steps']} steps of "
            f"{card['sampler']}, guidance {card['guidance_scale']:g}, shift "
            f"{card['flow_shift']:g}, {card['dtype']} on {card['device']}, {card['threads']} "
            f"threads; {time}."
        )
    ceiling = "Ceiling: on the compressor's reconstructions of real renders of these scenes. "
    said = [
        made,
        "Percent right, with Wilson's 95 % interval and the number of clips that state it. Ruler: "
        f"the same ruler on real renders of the {card['world']} world. "
        f"{ceiling if 'ceiling' in columns(card) else ''}"
        "Floor: these clips, judged by other scenes' prompts.",
    ]
    of = card.get("prompts' world")
    if of and of != card["world"]:
        said.append(
            f"The file of prompts says that its scenes are of the {of} world: --world {of} has "
            "the rulers of that."
        )
    if card.get("of one frame"):
        said.append(
            f"{card['of one frame']} videos of one frame are not asked for camera, motion or any "
            "other line that takes time."
        )
    if card.get("stating nothing"):
        said.append(
            f"{card['stating nothing']} prompts state nothing that the rulers know, and their "
            "videos are not judged."
        )
    unknown = card.get("not understood") or ()
    if unknown:
        words = ", ".join(map(repr, unknown))
        said.append(f"Words of the prompts that were not understood, and not judged: {words}.")
    failed = card.get("failed") or ()
    if failed:
        names = ", ".join(f"{one['file']} ({one['why']})" for one in failed)
        said.append(f"{len(failed)} could not be read and count as wrong: {names}.")
    return said


def named(row: Mapping[str, Any]) -> str:
    """A line's name, with what its ruler allows."""
    return row["what"] + ("" if (row["ruler"] or {}).get("used") else " (no claim)")


def markdown(card: Mapping[str, Any]) -> str:
    """The card as a page: shares in percent, with Wilson's 95 % intervals."""
    lines = [f"# {title(card)}", ""]
    for text in notes(card):
        lines += [text, ""]
    lines += [
        *table(card),
        "",
        "A line marked (no claim) has a ruler that is right on too few real renders (below 97 % "
        "of words, sides, counts and cameras, 95 % of others), or cries wolf on more than 5 %.",
    ]
    if card["languages"]:
        lines += ["", "The same scenes in English and in Chinese, from the same noise:", ""]
        lines += ["| line | read differently | pairs |", "|---|---|---|"]
        for line, row in card["languages"].items():
            low, high = row["interval"]
            said = f"{100 * row['share']:.0f} ({100 * low:.0f} to {100 * high:.0f})"
            lines.append(f"| {line} | {said} | {row['count']} |")
    return "\n".join(lines) + "\n"


def table(card: Mapping[str, Any]) -> list[str]:
    """The figures of a card, a row for each line."""
    names = columns(card)
    rows = ["| line | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for row in card["lines"].values():
        short = [_cell(row[name], brief=name in BRIEF) for name in names]
        rows.append(f"| {named(row)} | " + " | ".join(short) + " |")
    return rows


def _cell(row: Mapping[str, Any] | None, *, brief: bool) -> str:
    if not row or not row["count"]:
        return ""
    said = f"{100 * row['share']:.1f}"
    if brief:
        return said
    low, high = row["interval"]
    return f"{said} ({100 * low:.0f} to {100 * high:.0f}), {row['count']}"


WORLDS = {
    "small": "The plain core: four kinds in eight colours on four grounds",
    "plain": "The whole world in clear weather and plain style",
}


def calibrated(found: Mapping[str, Any]) -> str:
    """What a calibration found, as a part of a page."""
    world, first = found["world"], found["first_seed"]
    lines = [
        f"## {WORLDS[world]}",
        "",
        f"`worldreel eval calibrate --world {world} --count {found['clips']} --write`: renders of "
        f"seeds from {first:,} on.",
        "",
        "| line | right | seen pairs | held-out pairs | false alarms | has to be | used |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, row in found["lines"].items():
        if row["count"]:
            alarms = row["false alarms"]
            cried = f"{100 * alarms['share']:.1f} of {alarms['count']}" if alarms["count"] else ""
            cells = [_cell(row, brief=False), _cell(row["seen"], brief=True)]
            cells += [_cell(row["held out"], brief=True), cried, f"{100 * row['required']:.0f}"]
            lines.append(f"| {key} | {' | '.join(cells)} | {'yes' if row['used'] else 'no'} |")
    keys = [key for key, row in found["lines"].items() if row["count"]]
    lines += _shares("By light, weather and style, apart:", found["apart"], keys)
    lines += _shares(
        "Clips that must fail, and how often they are taken for right (in bold: at most 5, or by "
        "chance for another prompt):",
        found["foils"],
        keys,
    )
    empty = found["nothing"]
    lines += [
        "",
        f"Of {empty['count']} clips of one colour or of noise, {empty['read as something']} were "
        "read as something.",
    ]
    if "damages" in found:
        lines += ["", "| damage | lines that have to say so | caught |", "|---|---|---|"]
        for name, row in found["damages"].items():
            lines.append(f"| {name} | {', '.join(row['lines'])} | {_cell(row, brief=False)} |")
    return "\n".join(lines) + "\n"


def _shares(what: str, rows: Mapping[str, Mapping[str, Any]], keys: Sequence[str]) -> list[str]:
    """Shares in percent, a row for each line and a column for each sort of clips."""
    if not rows:
        return []
    text = ["", what, "", f"| line | {' | '.join(rows)} |", "|---|" + "---|" * len(rows)]
    for key in keys:
        cells = [_cell(row.get(key), brief=True) for row in rows.values()]
        if any(cells):
            must = ["**" if key in row.get("fails", ()) else "" for row in rows.values()]
            cells = [f"{m}{cell}{m}" for m, cell in zip(must, cells, strict=True)]
            text.append(f"| {key} | {' | '.join(cells)} |")
    return text


def sheet(path: Path, shown: Sequence[tuple[np.ndarray, str, str]], columns: int = 2) -> None:
    """Clips as rows of frames from first to last, each with its prompt below, and with what was
    read amiss, if anything; none is chosen."""
    _, height, width, _ = shown[0][0].shape
    wide, line, gap = width * FRAMES_SHOWN, 12, 8
    tall = height + 3 * line + gap
    rows = -(-len(shown) // columns)
    page = Image.new("RGB", (columns * (wide + gap) - gap, rows * tall), "white")
    pen = ImageDraw.Draw(page)
    for place, (frames, text, amiss) in enumerate(shown):
        row, column = divmod(place, columns)
        x, y = column * (wide + gap), row * tall
        picked = np.linspace(0, len(frames) - 1, FRAMES_SHOWN).round().astype(int)
        page.paste(Image.fromarray(np.concatenate(list(frames[picked]), axis=1)), (x, y))
        said = textwrap.wrap(f"{place + 1}. {text}", wide // 6)[:2]
        for number, part in enumerate(said):
            pen.text((x + 2, y + height + number * line), part, fill="black")
        pen.text((x + 2, y + height + 2 * line), amiss[: wide // 6], fill="firebrick")
    with whole_file(path) as part:
        page.save(part, "PNG")
