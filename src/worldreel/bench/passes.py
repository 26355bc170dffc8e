"""Races of the transformer's passes: a forward of a whole clip, a chunk of a stream, a train step.

Shapes: B batch, C latent channels, T H W latents, N tokens, L words, E text width.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from worldreel.bench import twins
from worldreel.bench.machine import Product
from worldreel.bench.race import Race, Ready, Side
from worldreel.device import best_dtype
from worldreel.models.dit import Context, DiT, Read
from worldreel.tokens import patchify, positions

LEVEL = 0.7


@dataclass(frozen=True, kw_only=True)
class Clip:
    """What a transformer is run on, drawn from a seed; the network is told by diffusers' config."""

    net: Mapping[str, Any]
    latents: tuple[int, int, int]  # T H W
    words: int
    device: torch.device

    @property
    def patch(self) -> int:
        return self.net["patch_size"][1]

    @property
    def grid(self) -> tuple[int, int, int]:
        t, h, w = self.latents
        return t, h // self.patch, w // self.patch

    @property
    def tokens(self) -> int:
        t, h, w = self.grid
        return t * h * w

    def noise(self, seed: int = 1) -> Tensor:
        """1 C T H W."""
        g = Generator(self.device).manual_seed(seed)
        shape = (1, self.net["in_channels"], *self.latents)
        return torch.randn(shape, generator=g, device=self.device)

    def states(self) -> Tensor:
        """1 L E."""
        g = Generator(self.device).manual_seed(2)
        shape = (1, self.words, self.net["text_dim"])
        return torch.randn(shape, generator=g, device=self.device)

    def level(self) -> Tensor:
        return torch.full((1, 1), LEVEL, device=self.device)

    def products(self, tokens: int | None = None) -> tuple[Product, ...]:
        """A block's matrix products."""
        d = self.net["num_attention_heads"] * self.net["attention_head_dim"]
        n, mlp = tokens or self.tokens, self.net["ffn_dim"]
        return ((n, d, 3 * d), (n, d, d), (n, d, d), (n, d, d), (n, d, mlp), (n, mlp, d))

    def said(self) -> str:
        p = self.net
        dim = p["num_attention_heads"] * p["attention_head_dim"]
        return (
            f"width {dim}, {p['num_layers']} layers, {self.tokens} tokens"
            f" ({'x'.join(map(str, self.grid))}), {self.words} words"
        )


def formats(device: torch.device) -> tuple[torch.dtype, ...]:
    """float32, and bfloat16 where the hardware multiplies it."""
    best = best_dtype(device)[0]
    return (torch.float32,) if best == torch.float32 else (torch.float32, best)


def named(who: str, dtype: torch.dtype, how: str = "") -> str:
    return " ".join(filter(None, (who, str(dtype).removeprefix("torch."), how)))


def can_compile(device: torch.device) -> bool:
    return device.type == "cuda" or bool(shutil.which(os.environ.get("CXX", "g++")))


def plain(model: DiT, words: Sequence[Read], x: Tensor, level: Tensor, **more: Any) -> Tensor:
    """Our velocity of a whole clip at one level, in tokens: B N C."""
    p = model.preset.patch
    grid = (x.shape[2], x.shape[3] // p, x.shape[4] // p)
    pos = positions(grid, x.device)[None]
    which = torch.zeros(pos.shape[:2], dtype=torch.long, device=x.device)
    return model(patchify(x, p), level, level, which, pos, words, **more)


def forward(
    key: str,
    title: str,
    clip: Clip,
    *,
    kinds: Sequence[torch.dtype] | None = None,
    backends: Sequence[str] = ("",),
    compiled: bool,
    eager: bool = True,
    rounds: int = 7,
) -> Race:
    """One forward of a whole clip; our words are read before, once, as for every step of a clip.

    backends: of their attention. eager: sides that are not compiled run, too; where memory is short
    the compiled ones run alone.
    """
    device = clip.device
    dtypes = tuple(kinds or formats(device))

    def ours(dtype: torch.dtype, fast: bool) -> Ready:
        model = twins.ours(clip.net, dtype, device=device)
        model = twins.compiled(model) if fast else model
        words = model.read([(None, clip.states(), None)], 1)
        x, level = clip.noise(), clip.level()
        return Ready(
            parts={"forward": lambda: plain(model, words, x, level)},
            modules=(model,),
        )

    def theirs(dtype: torch.dtype, backend: str, fast: bool) -> Ready:
        model = twins.peer(clip.net, dtype, device=device, backend=backend)
        model = twins.compiled(model) if fast else model
        x, at = clip.noise().to(dtype), clip.level()[0] * 1000
        states = clip.states().to(dtype)
        work = lambda: model(x, at, states, return_dict=False)[0]  # noqa: E731
        return Ready(
            parts={"forward": work},
            output=lambda: patchify(work().float(), clip.patch),
            modules=(model,),
        )

    fastest = dtypes[-1]
    sides = []
    for dtype in dtypes if eager else ():
        for backend in backends if dtype == fastest else ("",):
            sides.append(
                Side(
                    name=named("diffusers", dtype, backend.strip("_")),
                    ours=False,
                    dtype=dtype,
                    prepare=lambda d=dtype, b=backend: theirs(d, b, False),
                )
            )
        sides.append(
            Side(
                name=named("worldreel", dtype),
                ours=True,
                dtype=dtype,
                prepare=lambda d=dtype: ours(d, False),
            )
        )
    if compiled:
        sides += [
            Side(
                name=named("diffusers", fastest, "compiled"),
                ours=False,
                dtype=fastest,
                prepare=lambda: theirs(fastest, backends[-1], True),
            ),
            Side(
                name=named("worldreel", fastest, "compiled"),
                ours=True,
                dtype=fastest,
                prepare=lambda: ours(fastest, True),
            ),
        ]
    reference = None
    if torch.float32 not in dtypes or not eager:
        reference = lambda: theirs(torch.float32, "", False).compared()  # noqa: E731
    return Race(
        key=key,
        title=title,
        shape=clip.said(),
        device=device,
        sides=tuple(sides),
        reference=reference,
        rounds=rounds,
        flops=lambda: _flops(clip),
        products=clip.products(),
    )


def _flops(clip: Clip) -> float:
    with torch.device("meta"):
        return DiT(twins.preset_of(clip.net)).flops(clip.tokens, clip.words)


# A chunk of a stream.


def keeping(model: DiT, clip: Clip, kept: int) -> Callable[[], Context]:
    """A call that reads a clip's first `kept` latents at level 0, chunk by chunk."""
    _, h, w = clip.grid
    pos = positions((kept, h, w), clip.device)[None]
    x = patchify(clip.noise()[:, :, :kept], clip.patch)
    rule = model.preset.chunk or 1
    chunks = (rule * h * w,) * (kept // rule)
    zero = torch.zeros(1, 1, device=clip.device)
    which = torch.zeros(pos.shape[:2], dtype=torch.long, device=clip.device)
    return lambda: model.remember(x, zero, which, pos, chunks=chunks)


def chunk_pass(model: DiT, clip: Clip, kept: int) -> Callable[[], Tensor]:
    """A call of one step's pass over what is painted, with the rest in sight."""
    context = keeping(model, clip, kept)()
    _, h, w = clip.grid
    pos = positions(clip.grid, clip.device)[None, kept * h * w :]
    words = model.read([(None, clip.states(), None)], 1)
    x, level = patchify(clip.noise()[:, :, kept:], clip.patch), clip.level()
    which = torch.zeros(pos.shape[:2], dtype=torch.long, device=clip.device)
    return lambda: model(x, level, level, which, pos, words, context=context)


def seen_by_rule(clip: Clip, kept: int, rule: int) -> tuple[Tensor, Tensor]:
    """Masks of our rule for a model that knows none: tokens of tokens, tokens of words."""
    each = clip.grid[1] * clip.grid[2]
    owner = torch.arange(clip.tokens, device=clip.device) // (each * rule)
    old = torch.arange(clip.tokens, device=clip.device) < each * kept
    tokens = ~old[:, None] | ((owner[:, None] == owner[None]) & old[None])
    words = ~old[:, None] | (torch.arange(1 + clip.words, device=clip.device) == 0)
    return tokens, words


def recomputed(clip: Clip, kept: int, rule: int, dtype: torch.dtype, *, masked: bool) -> Ready:
    """diffusers' pass over the whole window: masked, its answer is ours; without, it is faster."""
    model = twins.peer(clip.net, dtype, device=clip.device)
    null = twins.null_word(clip.net, 0, clip.device)
    states = torch.cat([null, clip.states()], dim=1).to(dtype)
    x, at = clip.noise().to(dtype), clip.level()[0] * 1000
    if masked:
        twins.show_only(model, *seen_by_rule(clip, kept, rule))
        each = clip.grid[1] * clip.grid[2]
        at = at.expand(clip.tokens).clone()[None]
        at[:, : each * kept] = 0
    work = lambda: model(x, at, states, return_dict=False)[0]  # noqa: E731
    return Ready(
        parts={"pass": work},
        output=lambda: patchify(work()[:, :, kept:].float(), clip.patch),
        modules=(model,),
    )


def chunk(key: str, title: str, clip: Clip, *, kept: int, rule: int, rounds: int = 9) -> Race:
    """A step of a stream's next latents, with those before it in sight.

    diffusers has no cache for it: it computes the window anew. The gate is on its answer under a
    mask that is our rule; what is timed is the same without a mask, which is faster.
    """
    dtype = formats(clip.device)[-1]

    def ours() -> Ready:
        model = twins.ours(clip.net, dtype, device=clip.device, chunk=rule)
        return Ready(parts={"pass": chunk_pass(model, clip, kept)}, modules=(model,))

    def masked(kind: torch.dtype) -> Ready:
        return recomputed(clip, kept, rule, kind, masked=True)

    sides = [
        Side(name=named("worldreel", dtype, "cached"), ours=True, dtype=dtype, prepare=ours),
        Side(
            name=named("diffusers", dtype, "whole window"),
            ours=False,
            dtype=dtype,
            equal=False,
            prepare=lambda: recomputed(clip, kept, rule, dtype, masked=False),
        ),
        Side(
            name=named("diffusers", dtype, "masked"),
            ours=False,
            dtype=dtype,
            prepare=lambda: masked(dtype),
        ),
    ]
    return Race(
        key=key,
        title=title,
        shape=f"{clip.said()}, of which {kept} latents are kept",
        device=clip.device,
        sides=tuple(sides),
        reference=lambda: masked(torch.float32).compared(),
        rounds=rounds,
        products=clip.products(clip.tokens * (clip.grid[0] - kept) // clip.grid[0]),
        notes=("The unmasked side does other sums, and no gate holds for it.",),
    )


# A step of training.


def train_step(
    key: str, title: str, clip: Clip, *, rounds: int = 5, checkpointed: bool = False
) -> Race:
    """Forward, backward and AdamW, weights in float32 and products in the machine's best format.

    What is compared is every gradient of the loss, under one name.
    """
    device = clip.device
    dtype = formats(device)[-1]
    preset = twins.preset_of(clip.net)

    def ours() -> Ready:
        model = twins.ours(clip.net, dtype, device=device, storage=torch.float32)
        if checkpointed:
            for block in model.blocks:
                block.forward = _again(block.forward)
        x, level, states = clip.noise(), clip.level(), clip.states()

        def loss() -> Tensor:
            words = model.read([(None, states, None)], 1)
            return functional.mse_loss(plain(model, words, x, level), -patchify(x, clip.patch))

        return _stepped(model, loss, lambda grads: grads)

    def theirs(kind: torch.dtype) -> Ready:
        model = twins.peer(clip.net, torch.float32, device=device).train()
        if checkpointed:
            model.enable_gradient_checkpointing()
        x, at, states = clip.noise(), clip.level()[0] * 1000, clip.states()

        def loss() -> Tensor:
            with torch.autocast(device.type, kind, enabled=kind != torch.float32):
                out = model(x, at, states, return_dict=False)[0]
            return functional.mse_loss(out.float(), -x)

        return _stepped(model, loss, lambda grads: twins.converted(grads, preset))

    return Race(
        key=key,
        title=title,
        shape=clip.said(),
        device=device,
        sides=(
            Side(name=named("worldreel", dtype), ours=True, dtype=dtype, prepare=ours),
            Side(
                name=named("diffusers", dtype, "autocast"),
                ours=False,
                dtype=dtype,
                prepare=lambda: theirs(dtype),
            ),
        ),
        reference=lambda: theirs(torch.float32).compared(),
        rounds=rounds,
        flops=lambda: 3 * _flops(clip),
        products=clip.products(),
        graph=True,
    )


def _again(block: Any) -> Any:
    """A block whose activations are computed again in the backward pass."""
    return lambda *args: checkpoint(block, *args, use_reentrant=False)


def _stepped(model: nn.Module, loss: Any, renamed: Any) -> Ready:
    """A training step, and the gradients of one, flat, in order of our names."""
    model.requires_grad_(True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    def gradients() -> Tensor:
        model.zero_grad(set_to_none=True)
        loss().backward()
        grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        found = renamed(grads)
        flat = torch.cat([found[name].detach().float().flatten() for name in sorted(found)])
        model.zero_grad(set_to_none=True)
        return flat

    return Ready(parts={"step": step}, output=gradients, modules=(model,))
