"""The card as one page that needs nothing beside it: figures, and pictures of right and wrong."""

from __future__ import annotations

import html
import io
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from worldreel.eval import report
from worldreel.output import whole_file

SHOWN = 3  # clips that are right, and as many that are wrong, of each line: the first
WIDTH = 160  # pixels of a frame

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #222; background: #fff }
table { border-collapse: collapse; width: 100% } th { text-align: left }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top }
figure { display: inline-block; margin: .4rem .8rem .4rem 0; width: 40rem }
figure img { width: 100%; border-left: 6px solid } figcaption { font-size: 13px; color: #555 }
.right img { border-color: #2a8a3e } .wrong img { border-color: #c0392b }
.bar { background: #eee; height: .5rem; width: 8rem; position: relative }
.bar i { position: absolute; top: 0; bottom: 0; background: #9db8d9 }
.bar b { position: absolute; top: 0; bottom: 0; width: 2px; background: #1b3a63 }
small { color: #777 }
"""


class Album:
    """Pictures of the first clips that are right and that are wrong on each line."""

    def __init__(self) -> None:
        self.shown: dict[str, dict[bool, list[tuple[str, str, str]]]] = {}

    def add(
        self, frames: np.ndarray, text: str, wanted: Mapping[str, str], read: Mapping[str, str]
    ) -> None:
        """Keep a clip, F H W 3 uint8, for the lines that have too few of its sort, with what was
        asked of it and read in it on each."""
        wanting = []
        for line, right in wanted.items():
            good = read[line] == right
            rows = self.shown.setdefault(line, {True: [], False: []})[good]
            if len(rows) < SHOWN:
                wanting.append((rows, "" if good else report.missed(right, read[line])))
        source = strip(frames) if wanting else ""
        for rows, missed in wanting:
            rows.append((source, text, missed))


def strip(frames: np.ndarray) -> str:
    """Frames from first to last side by side, as a data URI."""
    picked = np.linspace(0, len(frames) - 1, report.FRAMES_SHOWN).round().astype(int)
    row = [Image.fromarray(frames[i]) for i in picked]
    height = max(1, round(WIDTH * row[0].height / row[0].width))
    page = Image.new("RGB", (WIDTH * len(row), height))
    for place, one in enumerate(row):
        page.paste(one.resize((WIDTH, height), Image.Resampling.BICUBIC), (place * WIDTH, 0))
    stream = io.BytesIO()
    page.save(stream, "WEBP", quality=60)
    return f"data:image/webp;base64,{b64encode(stream.getvalue()).decode()}"


def write(path: Path, card: Mapping[str, Any], album: Album) -> None:
    """The page of a card, whole or not at all."""
    with whole_file(path) as part:
        part.write_text(_page(card, album), "utf-8")


def _page(card: Mapping[str, Any], album: Album) -> str:
    title = html.escape(report.title(card))
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>',
        f"<style>{_STYLE}</style><h1>{title}</h1>",
        *(f"<p>{html.escape(text)}</p>" for text in report.notes(card)),
        _table(card),
    ]
    for line, row in card["lines"].items():
        shown = album.shown.get(line, {})
        pictures = [
            f'<figure class="{name}"><img alt="{name}" src="{source}">'
            f"<figcaption>{html.escape(text)}{_small(missed)}</figcaption></figure>"
            for good, name in ((True, "right"), (False, "wrong"))
            for source, text, missed in shown.get(good, ())
        ]
        if pictures:
            parts.append(f"<h2>{html.escape(row['what'])}</h2>{''.join(pictures)}")
    return "\n".join(parts) + "\n"


def _small(text: str) -> str:
    return f"<br><small>{html.escape(text)}</small>" if text else ""


def _table(card: Mapping[str, Any]) -> str:
    columns = report.columns(card)
    head = "".join(f"<th>{name}</th>" for name in ("line", *columns))
    rows = []
    for row in card["lines"].values():
        cells = [_cell(row[column], brief=column in report.BRIEF) for column in columns]
        name = html.escape(report.named(row))
        rows.append(f"<tr><td>{name}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _cell(row: Mapping[str, Any] | None, *, brief: bool) -> str:
    if not row or not row["count"]:
        return ""
    share = 100 * row["share"]
    if brief:
        return f"{share:.1f}"
    low, high = (100 * end for end in row["interval"])
    bar = (
        f'<i style="left:{low:.1f}%;width:{high - low:.1f}%"></i><b style="left:{share:.1f}%"></b>'
    )
    return f'{share:.1f} <small>of {row["count"]}</small><div class="bar">{bar}</div>'
