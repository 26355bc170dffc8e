"""A run's record: measures as lines of JSON, progress on stderr, and curves as an SVG."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

_EVERY = 10.0  # seconds between lines of progress where there is no terminal


class Log:
    """Appends measures to `metrics.jsonl` in a run's folder and tells how far the run is.

    step: where the run resumes; lines of later steps, which it will write again, are dropped.
    Seconds count the whole run, those before it was stopped too; `processor` counts those that
    this process computed, in all its threads: they do not grow while other work has the machine.
    """

    def __init__(self, run_dir: str | Path, *, total: int, step: int = 0) -> None:
        self.run_dir, self.total = Path(run_dir), total
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.file = self.run_dir / "metrics.jsonl"
        self.before, self.computed = _truncate(self.file, step)
        self.stream = self.file.open("a", encoding="utf-8")
        self.began, self.first, self.told = time.monotonic(), step, 0.0
        self.began_computing = time.process_time()
        self.shown: dict[str, float] = {}
        self.bar = _bar(self.run_dir.name, total, step)

    @property
    def seconds(self) -> float:
        """How long the run has taken until now, without its pauses and the steps it lost."""
        return self.before + time.monotonic() - self.began

    @property
    def processor(self) -> float:
        """Seconds of processor time until now."""
        return self.computed + time.process_time() - self.began_computing

    def write(self, step: int, **measures: float) -> None:
        """Note measures at a step (steps count from 1) and show progress."""
        values = {name: float(value) for name, value in measures.items()}
        finite = {name: v if math.isfinite(v) else None for name, v in values.items()}
        took = {"seconds": round(self.seconds, 2), "processor": round(self.processor, 2)}
        self.stream.write(json.dumps({"step": step, **took, **finite}) + "\n")
        self.stream.flush()
        self.shown |= values
        self._tell(step)

    def close(self) -> None:
        """Stop the progress bar and close the file."""
        if self.bar is not None:
            self.bar.stop()
        self.stream.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell(self, step: int) -> None:
        now = time.monotonic()
        words = "  ".join(f"{name} {value:.4g}" for name, value in self.shown.items())
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=step, words=words)
            return
        if now - self.told < _EVERY and step < self.total:
            return
        self.told = now
        rate = (step - self.first) / max(now - self.began, 1e-9)
        left = _span((self.total - step) / rate) if rate > 0 else "?"
        line = f"{self.run_dir.name} {step}/{self.total}  {words}  {rate:.2f} steps/s, {left} left"
        print(line, file=sys.stderr, flush=True)


def read(run_dir: str | Path) -> list[dict[str, Any]]:
    """All lines of a run's metrics; one cut short by a crash is left out."""
    lines = []
    file = Path(run_dir) / "metrics.jsonl"
    for text in file.read_text("utf-8").splitlines() if file.exists() else ():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


def plot(
    run_dir: str | Path, *, names: Sequence[str] | None = None, log: Collection[str] | None = None
) -> Path:
    """Draw a run's curves into `metrics.svg`, a panel for each measure.

    names: which measures, all when None. log: those with a logarithmic axis; when None, the
    positive ones that span more than a factor of 20.
    """
    curves: dict[str, list[tuple[float, float]]] = {}
    for line in read(run_dir):
        for name, value in line.items():
            if name not in ("step", "seconds", "processor") and isinstance(value, int | float):
                curves.setdefault(name, []).append((line["step"], value))
    chosen = [name for name in (names if names is not None else curves) if name in curves]
    panels = []
    for place, name in enumerate(chosen):
        values = [y for _, y in curves[name]]
        wide = min(values) > 0 and max(values) > 20 * min(values)
        is_log = (wide if log is None else name in log) and min(values) > 0
        x, y = place % 2 * _WIDTH, place // 2 * _HEIGHT
        panel = _panel(name, curves[name], is_log)
        panels.append(f'<g transform="translate({x} {y})">{panel}</g>')
    width, height = _WIDTH * min(2, max(1, len(chosen))), _HEIGHT * max(1, -(-len(chosen) // 2))
    file = Path(run_dir) / "metrics.svg"
    fresh = file.with_name(f".metrics.svg.tmp-{os.getpid()}")
    fresh.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(panels)}</svg>\n',
        "utf-8",
    )
    os.replace(fresh, file)
    return file


_WIDTH, _HEIGHT = 420, 260  # of a panel, in pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 400, 30, 226  # of its axes


def _panel(name: str, points: Sequence[tuple[float, float]], log: bool) -> str:
    """One measure over steps: the raw curve pale, its running mean on top."""
    xs = [x for x, _ in points]
    ys = [math.log10(y) if log else y for _, y in points]
    x0, x1 = min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1
    low, high = min(ys), max(ys)
    room = 0.05 * (high - low) or 0.5 * abs(high) or 0.5
    low, high = low - room, high + room

    def across(x: float) -> float:
        return _LEFT + (x - x0) / (x1 - x0) * (_RIGHT - _LEFT)

    def up(y: float) -> float:
        return _BOTTOM - (y - low) / (high - low) * (_BOTTOM - _TOP)

    parts = [f'<text x="{_LEFT}" y="18" font-size="13">{escape(name)}{" (log)" * log}</text>']
    for y in _ticks(low, high):
        label = f"{10**y:.3g}" if log else f"{y:.6g}"
        parts.append(
            f'<path d="M{_LEFT} {up(y):.1f}H{_RIGHT}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 5}" y="{up(y) + 4:.1f}" text-anchor="end">{label}</text>'
        )
    for x in _ticks(x0, x1):
        parts.append(
            f'<path d="M{across(x):.1f} {_BOTTOM}v4" stroke="#888"/>'
            f'<text x="{across(x):.1f}" y="{_BOTTOM + 16}" text-anchor="middle">{x:g}</text>'
        )
    parts.append(f'<path d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}" fill="none" stroke="#888"/>')
    smooth, mean, keep = [], ys[0], 1 - 1 / max(1, len(ys) / 40)
    for y in ys:
        mean = keep * mean + (1 - keep) * y
        smooth.append(mean)
    for curve, color, width in ((ys, "#a9c7e8", 1), (smooth, "#1f5fa8", 1.6)):
        dots = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in zip(xs, curve, strict=True))
        parts.append(
            f'<polyline points="{dots}" fill="none" stroke="{color}" stroke-width="{width}"/>'
        )
    if len(points) == 1:
        parts.append(f'<circle cx="{across(xs[0]):.1f}" cy="{up(ys[0]):.1f}" r="2.5"/>')
    return "".join(parts)


def _ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers between low and high."""
    raw = (high - low) / 5
    unit = 10 ** math.floor(math.log10(raw))
    step = unit * min((1, 2, 5, 10), key=lambda m: abs(m - raw / unit))
    first = math.ceil(low / step)
    count = math.floor(high / step) - first + 1
    return [round((first + i) * step, 12) for i in range(count)]


def _truncate(file: Path, step: int) -> tuple[float, float]:
    """Drop the lines of later steps; the seconds and processor seconds of the last that is left."""
    if not file.exists():
        return 0.0, 0.0
    kept = [line for line in read(file.parent) if line["step"] <= step]
    fresh = file.with_name(f".{file.name}.tmp-{os.getpid()}")
    fresh.write_text("".join(json.dumps(line) + "\n" for line in kept), "utf-8")
    os.replace(fresh, file)
    last = kept[-1] if kept else {}
    return float(last.get("seconds", 0)), float(last.get("processor", 0))


def _bar(name: str, total: int, step: int) -> Any:
    """rich's progress bar on a terminal; None where there is no terminal or no rich."""
    if not sys.stderr.isatty():
        return None
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
    except ImportError:
        return None
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), "{task.fields[words]}")
    bar = Progress(name, *columns, console=Console(stderr=True))
    bar.add_task(name, total=total, completed=step, words="")
    bar.start()
    return bar


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
