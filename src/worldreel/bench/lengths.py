"""Races of long video: a stream whose window is bounded beside attention over all of it.

    python -m worldreel.bench.lengths '{"what": "stream", ...}'    one measurement, as JSON

diffusers has no stream, so one forward over the whole video is measured and counted once a step;
its decoder is left out, which favours it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from worldreel.bench import machine, twins
from worldreel.bench.clips import PROMPT, SEED, marble, words_of
from worldreel.bench.gate import judge
from worldreel.bench.passes import (
    Clip,
    chunk_pass,
    context_of,
    formats,
    named,
    plain,
    recomputed,
)
from worldreel.bench.race import Race, Ready, Side
from worldreel.models.compressor import FRAMES, STRIDE
from worldreel.models.dit import Context, DiT
from worldreel.stream import stream
from worldreel.tokens import patchify, positions, unpatchify

FPS = 12
Told = Callable[[str], None]


def measured(asked: Mapping[str, Any]) -> dict[str, Any]:
    """One measurement in a process of its own, which has its own peak of memory."""
    command = [sys.executable, "-m", "worldreel.bench.lengths", json.dumps(dict(asked))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word of why"])[-1]
        raise RuntimeError(f"a measurement of {asked['what']} failed: {last}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def growth(
    key: str,
    title: str,
    *,
    size: tuple[int, int],
    seconds: Sequence[int],
    whole: Sequence[int],
    steps: int = 4,
) -> Race:
    """marble's stream at several lengths. One run of the longest has all: a stream's first minute
    is the minute that is asked for alone. whole: lengths of which they see all at once."""
    device = torch.device("cpu")
    width, height = size

    def measure(told: Told) -> dict[str, Any]:
        told("gate")
        verdicts = [_same_marble(device)]
        theirs, curve = {}, []
        common = {"width": width, "height": height, "steps": steps}
        for number, length in enumerate(whole):
            if number == len(whole) - 1:  # ours between theirs, so that both see the same machine
                told("stream")
                curve = measured({"what": "stream", "seconds": list(seconds), **common})["curve"]
            told(f"whole {length} s")
            theirs[length] = measured({"what": "whole", "seconds": length, **common})
        sides = {
            f"worldreel {row['seconds']:g} s": {
                "ours": True,
                "median": row["wall"],
                "peak_mib": row["peak_mib"],
                "per_second": row["wall"] / row["seconds"],
            }
            for row in curve
        }
        by_length = {round(row["seconds"]): row for row in curve}
        ratios = []
        for length, row in theirs.items():
            sides[f"diffusers {length} s"] = {
                "ours": False,
                "median": steps * row["forward"],
                "peak_mib": row["peak_mib"],
                "per_second": steps * row["forward"] / length,
            }
            ratios.append(
                _once(
                    f"diffusers {length} s",
                    f"worldreel {length} s",
                    steps * row["forward"] / by_length[length]["wall"],
                )
            )
        return {"verdicts": verdicts, "sides": sides, "ratios": ratios, "curve": curve}

    return Race(
        key=key,
        title=title,
        shape=f"{width}x{height}, {steps} steps, no guidance, up to {seconds[-1]} s",
        device=device,
        measure=measure,
        notes=(
            "One run of each: no interval.",
            f"diffusers is one forward over the whole video, counted {steps} times, undecoded.",
        ),
    )


def _once(theirs: str, ours: str, value: float) -> dict[str, Any]:
    return {
        "theirs": theirs, "ours": ours, "median": value, "low": value, "high": value,
        "coverage": 0.0, "rounds": 1,
    }  # fmt: skip


@torch.inference_mode()
def _same_marble(device: torch.device) -> dict[str, Any]:
    """marble's transformer beside diffusers' of its weights, on a clip, in float32."""
    engine = marble(device)
    dit = engine.dit
    dit.dtype = torch.float32
    twin = twins.peer_like(dit, torch.float32, device)
    assert dit.null_word is not None
    states = words_of(engine)
    g = torch.Generator(device).manual_seed(SEED)
    x = torch.randn((1, dit.preset.channels, 3, 5, 9), generator=g)
    level = torch.full((1, 1), 0.7)
    ours = plain(dit, dit.read([(None, states, None)], 1), x, level)
    said = torch.cat([dit.null_word, states], dim=1)
    theirs = patchify(twin(x, level[0] * 1000, said, return_dict=False)[0], dit.preset.patch)
    return asdict(judge(theirs, {"worldreel float32": (torch.float32, ours)}, {})[0])


def _streamed(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds and memory at each length of one stream, frames included."""
    engine = marble(torch.device("cpu"))
    lengths = sorted(asked["seconds"])
    made = stream(
        engine, PROMPT, seconds=lengths[-1], size=f"{asked['width']}x{asked['height']}",
        num_inference_steps=asked["steps"], guidance_scale=1, seed=SEED,
    )  # fmt: skip
    curve, frames, began = [], 0, time.perf_counter()
    for chunk in made:
        frames += len(chunk.frames)
        while lengths and frames >= FPS * lengths[0]:
            curve.append(
                {
                    "seconds": lengths.pop(0),
                    "wall": time.perf_counter() - began,
                    "peak_mib": machine.peak_memory() / 2**20,
                }
            )
    return {"curve": curve}


@torch.inference_mode()
def _whole(asked: Mapping[str, Any]) -> dict[str, Any]:
    """One forward of diffusers over a whole video, after a short one that warms up."""
    device = torch.device("cpu")
    engine = marble(device)
    dtype = formats(device)[-1]
    twin = twins.peer_like(engine.dit, dtype, device)
    assert engine.dit.null_word is not None
    states = torch.cat([engine.dit.null_word, words_of(engine)], dim=1).to(dtype)
    plane = (asked["height"] // STRIDE, asked["width"] // STRIDE)
    took = 0.0
    for count in (2, FPS * asked["seconds"] // FRAMES):
        x = torch.randn((1, engine.dit.preset.channels, count, *plane)).to(dtype)
        began = time.perf_counter()
        twin(x, torch.full((1,), 700.0), states, return_dict=False)
        took = time.perf_counter() - began
    return {"forward": took, "peak_mib": machine.peak_memory() / 2**20}


# The 1.3B's size, with the kept-token rule.


class Rolling:
    """A stream at a public model's size: what is kept is read once, and leaves after `kept`."""

    def __init__(self, model: DiT, clip: Clip, kept: int, decoder: Any, steps: int) -> None:
        self.model, self.clip, self.kept, self.steps = model, clip, kept, steps
        self.rule = clip.latents[0] - kept
        self.words = model.read([(None, clip.states(), None)], 1)
        self.held: list[Context] = []
        self.decoder, self.past = decoder, None
        if decoder is not None:
            self.past = twins.vae_past()

    def next(self, number: int) -> None:
        """The next chunk: its steps, its keys and values, its pictures on the host."""
        clip, model = self.clip, self.model
        h, w = clip.grid[1:]
        z = clip.noise(seed=number)[:, :, : self.rule]
        x = patchify(z, clip.patch)
        shown = len(self.held) * self.rule
        pos = positions((shown + self.rule, h, w), clip.device)[None]
        which = torch.zeros(x.shape[:2], dtype=torch.long, device=clip.device)
        context = _together(self.held, pos[:, : shown * h * w]) if self.held else None
        level = torch.full((1, 1), 0.7, device=clip.device)
        for _ in range(self.steps):
            v = model(x, level, level, which, pos[:, shown * h * w :], self.words, context=context)
            x = x - v / self.steps
        own = pos[:, : self.rule * h * w]
        chunks = (self.rule * h * w,)
        self.held.append(model.remember(x, torch.zeros_like(level), which, own, chunks=chunks))
        self.held = self.held[-(self.kept // self.rule) :]
        if self.decoder is not None:
            latents = unpatchify(x, (self.rule, h, w), clip.patch)
            for part in self.decoder.stream(latents, past=self.past, uint8=True):
                part.to("cpu")


def _together(parts: Sequence[Context], pos: Tensor) -> Context:
    return Context(
        keys=[torch.cat(k, dim=2) for k in zip(*(p.keys for p in parts), strict=True)],
        values=[torch.cat(v, dim=2) for v in zip(*(p.values for p in parts), strict=True)],
        pos=pos,
    )


def rolling(
    key: str, title: str, clip: Clip, vae: Mapping[str, Any], *, kept: int, lengths: Sequence[int],
    whole: Sequence[int], steps: int = 4, fps: int = 16,
) -> Race:  # fmt: skip
    """Chunk after chunk to the longest of `lengths` (seconds), and diffusers over `whole` at once.

    Their time at other lengths is a n + b n^2, through two that are measured.
    """
    device, dtype = clip.device, formats(clip.device)[-1]
    rule = clip.latents[0] - kept

    def latents_of(seconds: float) -> int:
        return rule * max(1, round(seconds * fps / 4 / rule))

    @torch.inference_mode()
    def measure(told: Told) -> dict[str, Any]:
        told("gate")
        small = _small(clip, kept)
        ours = twins.ours(clip.net, dtype, device=device, chunk=rule)
        wanted = recomputed(small, kept, rule, torch.float32, masked=True).compared().cpu()
        output = chunk_pass(ours, small, kept)[0]().float().cpu()
        masked = recomputed(small, kept, rule, dtype, masked=True).compared().cpu()
        name = named("worldreel", dtype)
        verdict = judge(wanted, {name: (dtype, output)}, {"diffusers": (dtype, masked)})[0]
        wait = machine.wait_for(device)
        decoder = twins.vae_ours(vae, dtype, device=device)
        film = Rolling(ours, clip, kept, decoder, steps)
        film.next(0)  # warms up
        film = Rolling(ours, clip, kept, decoder, steps)
        marks, curve, took = sorted(lengths), [], []
        began = time.perf_counter()
        for number in range(latents_of(marks[-1]) // rule):
            wait()
            start = time.perf_counter()
            film.next(number)
            wait()
            took.append(time.perf_counter() - start)
            while marks and (number + 1) * rule >= latents_of(marks[0]):
                curve.append(
                    {
                        "seconds": marks.pop(0),
                        "wall": time.perf_counter() - began,
                        "chunk": took[-1],
                        "peak_mib": _held(device),
                    }
                )
        full = kept // rule  # the first chunk that has a whole window in sight
        sides = {
            f"worldreel {r['seconds']:g} s": {
                "ours": True, "median": r["wall"], "peak_mib": r["peak_mib"], "chunk": r["chunk"],
            }
            for r in curve
        }  # fmt: skip
        del film, ours
        theirs = twins.peer(clip.net, dtype, device=device)
        points = []
        for length in whole:
            told(f"whole {length} s")
            count = latents_of(length)
            x = torch.randn((1, clip.net["in_channels"], count, *clip.latents[1:]), device=device)
            times = []
            for _ in range(2):
                wait()
                start = time.perf_counter()
                theirs(
                    x.to(dtype), clip.level()[0] * 1000, clip.states().to(dtype), return_dict=False
                )
                wait()
                times.append(time.perf_counter() - start)
            points.append((count, min(times)))
        linear, square = fitted(points)
        ratios = []
        for row in curve:
            n = latents_of(row["seconds"])
            time_of_all = steps * (linear * n + square * n * n)
            how = "measured" if row["seconds"] in whole else "fitted"
            name = f"diffusers {row['seconds']:g} s, {how}"
            sides[name] = {"ours": False, "median": time_of_all}
            ours_name = f"worldreel {row['seconds']:g} s"
            ratios.append(_once(name, ours_name, time_of_all / row["wall"]))
        first = took[min(full, len(took) - 1)]
        return {
            "verdicts": [asdict(verdict)],
            "sides": sides,
            "ratios": ratios,
            "curve": curve,
            "chunk_growth": took[-1] / first,
            "memory_growth": curve[-1]["peak_mib"] / curve[0]["peak_mib"],
        }

    return Race(
        key=key,
        title=title,
        shape=f"{clip.said()}, of which {kept} latents are kept, {steps} steps, full decoder",
        device=device,
        measure=measure,
        without=twins.lacks_vae(),
        notes=("One run of each: no interval.", "diffusers' decoder is left out."),
    )


def fitted(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """a and b of a n + b n^2 through two points (n, time)."""
    (n, t), (m, u) = points
    if n == m:
        raise ValueError(f"two lengths are needed, and both are {n:g}")
    square = (u / m - t / n) / (m - n)
    return t / n - square * n, square


def _held(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return machine.peak_memory() / 2**20


def _small(clip: Clip, kept: int) -> Clip:
    """The same network on pictures so small that a mask of all pairs of tokens is no burden."""
    side = 4 * clip.patch
    latents = (clip.latents[0], min(side, clip.latents[1]), min(side, clip.latents[2]))
    return Clip(net=clip.net, latents=latents, words=clip.words, device=clip.device)


def stream_chunk(
    key: str, title: str, clip: Clip, vae: Mapping[str, Any], *, kept: int, steps: int = 4,
    rounds: int = 5,
) -> Race:  # fmt: skip
    """One chunk of a stream that has its whole window in sight, pictures on the host included.

    Theirs goes over the whole window in every step; its decoder starts a clip anew, and makes
    three frames less. The gate is on the pass, beside diffusers under a mask, on small pictures.
    """
    device, dtype = clip.device, formats(clip.device)[-1]
    rule, small = clip.latents[0] - kept, _small(clip, kept)

    def decoding(model: Any, latents: Tensor) -> Callable[[], None]:
        past = twins.vae_past()

        def work() -> None:
            for part in model.stream(latents, past=past, uint8=True):
                part.to("cpu")

        work()  # the clip has begun
        return work

    def ours(graph: bool) -> Ready:
        model = twins.ours(clip.net, dtype, device=device, chunk=rule)
        decoder = twins.vae_ours(vae, dtype, device=device)
        step = chunk_pass(model, clip, kept)[0]
        tail = _part(clip, rule)
        keep = lambda: context_of(model, tail, rule)[0].keys[-1]  # noqa: E731
        check = chunk_pass(model, small, kept)[0]
        if graph:
            step, keep, check = graphed(step), graphed(keep), graphed(check)
        z = clip.noise()[:, :, kept:]
        return Ready(
            parts={"step": step, "keep": keep, "decode": decoding(decoder, z)},
            times={"step": steps},
            output=check,
            modules=(model, decoder),
        )

    def theirs() -> Ready:
        whole = recomputed(clip, kept, rule, dtype, masked=False)
        decoder = twins.vae_peer(vae, dtype, device=device)
        z = clip.noise()[:, :, kept:].to(dtype)
        pixels = lambda: decoder.decode(z).sample.add(1).mul(127.5).to(torch.uint8).cpu()  # noqa: E731
        return Ready(
            parts={"step": whole.parts["pass"], "decode": pixels},
            times={"step": steps},
            modules=(*whole.modules, decoder),
        )

    def masked(kind: torch.dtype) -> Tensor:
        return recomputed(small, kept, rule, kind, masked=True).compared()

    hows = ("", "graph") if device.type == "cuda" else ("",)
    return Race(
        key=key,
        title=title,
        shape=f"{clip.said()}, of which {kept} latents are kept, {steps} steps",
        device=device,
        sides=(
            *(
                Side(
                    name=named("worldreel", dtype, how),
                    ours=True,
                    dtype=dtype,
                    prepare=lambda how=how: ours(bool(how)),
                )
                for how in hows
            ),
            Side(
                name=named("diffusers", dtype, "whole window"),
                ours=False,
                dtype=dtype,
                equal=False,
                prepare=theirs,
            ),
        ),
        reference=lambda: masked(torch.float32),
        rounds=rounds,
        without=twins.lacks_vae(),
        notes=("diffusers has no cache: it computes the whole window in every step.",),
    )


def _part(clip: Clip, latents: int) -> Clip:
    shape = (latents, *clip.latents[1:])
    return Clip(net=clip.net, latents=shape, words=clip.words, device=clip.device)


def graphed(work: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """A work whose kernels are recorded once and started together (CUDA alone)."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = work()

    def again() -> Tensor:
        graph.replay()
        return out

    return again


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps({"stream": _streamed, "whole": _whole}[given["what"]](given)))
