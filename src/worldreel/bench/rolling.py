"""Races of a stream at a public model's size: a chunk of it, and minutes of it.

Weights are the public model's in size and drawn at random; the rule of what is kept is marble's, so
that keys and values of what is kept serve every step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from worldreel.bench import machine, twins
from worldreel.bench.gate import judge
from worldreel.bench.passes import Clip, chunk_pass, formats, keeping, named, recomputed
from worldreel.bench.race import Race, Ready, Side
from worldreel.bench.timing import once
from worldreel.models.dit import Context, DiT
from worldreel.tokens import patchify, positions, unpatchify

Told = Callable[[str], None]


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
        output = chunk_pass(ours, small, kept)().float().cpu()
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
            ratios.append(once(name, ours_name, time_of_all / row["wall"]))
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
        step = chunk_pass(model, clip, kept)
        read = keeping(model, clip, rule)
        keep: Callable[[], Tensor] = lambda: read().keys[-1]  # noqa: E731
        check = chunk_pass(model, small, kept)
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
        notes=("diffusers has no cache: it computes the whole window in every step.",),
    )


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
