"""Races told: a table for a terminal, and the same between marks in docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from worldreel.errors import RequestError
from worldreel.output import whole_file

PAGE = Path("docs/performance.md")


def marks(kind: str) -> tuple[str, str]:
    return f"<!-- races {kind} -->\n", f"<!-- end of races {kind} -->"


def table(about: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> str:
    """All races as Markdown."""
    lines = [where(about), ""]
    lines += [
        "| race | theirs | ours | theirs, s | ours, s | times as fast | interval | memory, MiB"
        " | of the machine's matrix rate |",
        "|---" * 9 + "|",
    ]
    for race in found:
        lines += _rows(race)
    lines.append("")
    lines += [_about(race) for race in found]
    return "\n".join(lines)


def where(about: Mapping[str, Any]) -> str:
    """The machine in a line."""
    said = (
        f"{about['machine']}, {about['cores']} cores, {about['threads']} threads,"
        f" {about['system']}, torch {about['torch']}, diffusers {about['diffusers']},"
        f" worldreel {about['worldreel']}"
    )
    if "cudnn" in about:
        said += f", CUDA {about['cuda']}, cuDNN {about['cudnn']}"
    if about["load_average"] > 0.5 * (about["cores"] or 1):
        said += (
            f". The machine was busy with other work (a load of {about['load_average']:g}): times"
            " are too long, and ratios are hints"
        )
    return said + "."


def _rows(race: Mapping[str, Any]) -> list[str]:
    head = f"| {race['race']} {race['title']} |"
    if race["state"] != "run":
        return [f"{head} {race['state']} | | | | | | | |"]
    rows = []
    for r in race["ratios"]:
        theirs, ours = race["sides"][r["theirs"]], race["sides"][r["ours"]]
        spread = f"{r['low']:.2f} to {r['high']:.2f}" if r["rounds"] > 1 else "one run"
        rows.append(
            f"{head} {r['theirs']} | {r['ours']} | {theirs['median']:.3g} | {ours['median']:.3g}"
            f" | {r['median']:.2f} | {spread} | {_mib(theirs)}, {_mib(ours)} | {_share(ours)} |"
        )
        head = "| |"
    return rows


def _mib(side: Mapping[str, Any]) -> str:
    peak = side.get("peak_mib")
    return "?" if peak is None else f"{peak:.0f}"


def _share(side: Mapping[str, Any]) -> str:
    return f"{side['share']:.0%}" if "share" in side else ""


def _about(race: Mapping[str, Any]) -> str:
    """One race in a line: what it is, its gate, what ran."""
    parts = [f"- **{race['race']}**: {race['shape']}."]
    if race["state"] != "run":
        return " ".join([*parts, f"{race['state'].capitalize()}: {race['why']}."])
    for v in race["verdicts"]:
        parts.append(
            f"{v['side']} differs by {v['error']:.1e} (allowed {v['allowed']:.1e}), cosine"
            f" {v['cosine']:.6f}."
        )
    if race.get("probe"):
        parts.append(f"Matrix rate, {race['probe_dtype']}: {race['probe'] / 1e9:.0f} GFLOP/s.")
    for name in ("chunk_growth", "memory_growth"):
        if name in race:
            parts.append(f"{name.replace('_', ' ').capitalize()}: {race[name]:.3f}.")
    for name, side in race["sides"].items():
        if side.get("operators"):
            ran = ", ".join(f"{o['name']} {o['share']:.0%}" for o in side["operators"])
            parts.append(f"{name}: {ran}.")
    return " ".join([*parts, *race["notes"]])


def write(page: Path, kind: str, text: str) -> None:
    """Put a table in its place; all else on the page stays as it is."""
    check(page, kind)
    whole = page.read_text("utf-8")
    first, last = marks(kind)
    head, _, rest = whole.partition(first)
    _, _, tail = rest.partition(last)
    with whole_file(page) as part:
        part.write_text(f"{head}{first}\n{text}\n\n{last}{tail}", "utf-8")


def check(page: Path, kind: str) -> None:
    """Say now, before a long run, whether there is a page with a place for the table."""
    first, last = marks(kind)
    text = page.read_text("utf-8") if page.is_file() else ""
    if first not in text or last not in text:
        raise RequestError(
            f"{page} is not here, or has no place for the races of {kind}: run this in the "
            "folder of worldreel's sources"
        )
