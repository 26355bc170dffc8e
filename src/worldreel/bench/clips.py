"""Races of whole clips: what a decoder makes of latents, and a clip from its words to its bytes.

Shapes: B batch, C latent channels, T h w latents, F H W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from einops import rearrange
from torch import Generator, Tensor
from torch.utils.flop_counter import FlopCounterMode

from worldreel import canvas, flow, prompt
from worldreel.bench import twins
from worldreel.bench.machine import Product
from worldreel.bench.passes import Clip, formats, named, plain
from worldreel.bench.race import Race, Ready, Side
from worldreel.engine import Engine, load
from worldreel.models.compressor import FRAMES, STRIDE
from worldreel.tokens import unpatchify

PROMPT = "a red ball rolls to the left across a snowfield at sunset"
SEED = 0
ROWS = 1 << 16  # of a convolution as a matrix product: more change no rate


def latents(config: Mapping[str, Any], shape: tuple[int, int, int], device: torch.device) -> Tensor:
    """1 C T h w."""
    g = Generator(device).manual_seed(3)
    return torch.randn((1, config["z_dim"], *shape), generator=g, device=device)


def decode_flops(config: Mapping[str, Any], shape: tuple[int, int, int]) -> float:
    """Counted on a model that is described alone."""
    with torch.device("meta"):
        model = twins.diffusers().AutoencoderKLWan(**config)
        z = torch.empty(1, config["z_dim"], *shape)
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        model.decode(z)
    return float(counted.get_total_flops())


def decode(
    key: str,
    title: str,
    config: Mapping[str, Any],
    shape: tuple[int, int, int],
    device: torch.device,
    *,
    rounds: int = 5,
) -> Race:
    """Wan 2.1's decoder: in float32, as diffusers' recipes load it, and in the best format."""

    def ours(dtype: torch.dtype) -> Ready:
        model = twins.vae_ours(config, dtype, device=device)
        z = latents(config, shape, device)
        return Ready(parts={"decode": lambda: model.decode(z)}, modules=(model,))

    def theirs(dtype: torch.dtype, last: bool) -> Ready:
        model = twins.vae_peer(config, dtype, device=device, channels_last=last)
        z = latents(config, shape, device).to(dtype)
        return Ready(parts={"decode": lambda: model.decode(z).sample}, modules=(model,))

    sides = []
    for dtype in formats(device):
        for how in ("", "channels last") if dtype != torch.float32 else ("",):
            sides.append(
                Side(
                    name=named("diffusers", dtype, how),
                    ours=False,
                    dtype=dtype,
                    prepare=lambda d=dtype, h=how: theirs(d, bool(h)),
                )
            )
        sides.append(
            Side(
                name=named("worldreel", dtype),
                ours=True,
                dtype=dtype,
                prepare=lambda d=dtype: ours(d),
            )
        )
    t, h, w = shape
    width, pixels = config["base_dim"], (4 * t - 3) * h * w
    products: tuple[Product, ...] = (
        (min(ROWS, 64 * pixels), 27 * width, width),
        (min(ROWS, 4 * pixels), 27 * 4 * width, 4 * width),
    )
    return Race(
        key=key,
        title=title,
        shape=f"{4 * t - 3} frames of {8 * w}x{8 * h}, base width {width}",
        device=device,
        sides=tuple(sides),
        rounds=rounds,
        flops=lambda: decode_flops(config, shape),
        products=products,
    )


# marble, from words to bytes.


def marble(device: torch.device) -> Engine:
    """marble, by Euler's method: what both sides can walk, from the same noise to the same end."""
    engine = load("marble", device=str(device))
    engine.settings = replace(engine.settings, sampler="euler")
    return engine


def words_of(engine: Engine) -> Tensor:
    return prompt.read(engine.text, PROMPT).states


def walked(model: Any, x: Tensor, states: Tensor, sigmas: Tensor, dtype: torch.dtype) -> Tensor:
    """diffusers' loop over its own scheduler, without guidance: 1 C T h w."""
    scheduler = twins.diffusers().FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=sigmas[:-1].tolist(), device=x.device)
    for at in scheduler.timesteps:
        v = model(x.to(dtype), at[None], states, return_dict=False)[0]
        x = scheduler.step(v.float(), at, x, return_dict=False)[0]
    return x


def product(
    key: str,
    title: str,
    device: torch.device,
    *,
    size: tuple[int, int],  # width and height
    frames: int,
    vae: Mapping[str, Any],
    steps: int = 4,
    share: int = 8,
    rounds: int = 5,
) -> Race:
    """The packaged marble, and diffusers' transformer with its weights and Wan's decoder.

    Theirs is given the states of the words. Its decoder is measured on a `share`-th of the area and
    counted so many times; of two decoders no output can be compared, so the gate is on latents.
    """
    width, height = size
    shape = (frames // FRAMES, height // STRIDE, width // STRIDE)
    best = formats(device)[-1]

    def ours() -> Ready:
        engine = marble(device)

        def paint() -> Tensor:
            board = canvas.blank((1, engine.dit.preset.channels, *shape), device=device)
            return engine.paint(
                board, [words_of(engine)], [None], seeds=[SEED], steps=steps, guidance_scale=1
            )

        z = paint()
        return Ready(
            parts={"paint": paint, "decode": lambda: engine.decode(z)},
            modules=(engine.dit, engine.compressor, engine.text),
        )

    def theirs(dtype: torch.dtype) -> Ready:
        engine = marble(device)
        model = twins.peer_like(engine.dit, dtype, device)
        null = engine.dit.null_word
        assert null is not None
        states = torch.cat([null.to(device), words_of(engine).to(device)], dim=1).to(dtype)
        g = Generator().manual_seed(SEED)
        x = torch.randn(1, engine.dit.preset.channels, *shape, generator=g).to(device)
        sigmas = flow.schedule(steps, shift=engine.settings.flow_shift)
        part = share_of((-(-(frames - 1) // 4) + 1, -(-height // 8), -(-width // 8)), share)
        decoder = twins.vae_peer(vae, best, device=device)
        z = latents(vae, part, device).to(best)
        return Ready(
            parts={
                "paint": lambda: walked(model, x, states, sigmas, dtype),
                "decode": lambda: decoder.decode(z).sample,
            },
            times={"decode": share},
            modules=(model, decoder),
        )

    return Race(
        key=key,
        title=title,
        shape=f"{frames} frames of {width}x{height}, {steps} steps, no guidance",
        device=device,
        sides=(
            Side(name=named("worldreel", best), ours=True, dtype=best, prepare=ours),
            Side(
                name=named("diffusers", best), ours=False, dtype=best,
                prepare=lambda: theirs(best),
            ),
        ),
        reference=lambda: theirs(torch.float32).compared(),
        rounds=rounds,
        notes=(
            "The decoders are different ones: marble's own beside Wan 2.1's.",
            f"diffusers' decoder ran on 1/{share} of the area; its time was taken {share} times.",
        ),
    )  # fmt: skip


def share_of(shape: tuple[int, int, int], share: int) -> tuple[int, int, int]:
    """A piece of latents T h w that has a `share`-th of the area."""
    t, h, w = shape
    for rows in range(1, share + 1):
        if share % rows == 0 and h % rows == 0 and w % (share // rows) == 0:
            return t, h // rows, w // (share // rows)
    raise ValueError(f"latents of {h}x{w} have no {share}-th part of whole rows and columns")


# The 1.3B, from words to bytes.


def wan_clip(
    key: str, title: str, clip: Clip, vae: Mapping[str, Any], *, steps: int = 4, rounds: int = 3,
    backend: str = "",
) -> Race:  # fmt: skip
    """A public model's clip in few steps without guidance: transformer, decoder, bytes on the host.

    Theirs decodes in float32, as its recipes do, and in the best format.
    """
    device, dtype = clip.device, formats(clip.device)[-1]
    sigmas = flow.schedule(steps, shift=5.0)

    def ours() -> Ready:
        model = twins.ours(clip.net, dtype, device=device)
        decoder = twins.vae_ours(vae, dtype, device=device)
        words = model.read([(None, clip.states(), None)], 1)

        def paint() -> Tensor:
            x = clip.noise()
            for here, after in zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True):
                level = torch.full((1, 1), here, device=device)
                v = unpatchify(plain(model, words, x, level), clip.grid, clip.patch)
                x = x + (after - here) * v
            return x

        z = paint()

        def decode() -> list[Tensor]:
            return [part.to("cpu") for part in decoder.stream(z, uint8=True)]

        return Ready(parts={"paint": paint, "decode": decode}, modules=(model, decoder))

    def theirs(kind: torch.dtype, held: torch.dtype) -> Ready:
        model = twins.peer(clip.net, kind, device=device, backend=backend)
        decoder = twins.vae_peer(vae, held, device=device)
        states = clip.states().to(kind)

        def paint() -> Tensor:
            return walked(model, clip.noise(), states, sigmas, kind)

        z = paint().to(held)

        def decode() -> Tensor:  # as diffusers' video processor: float32 on the host
            video = decoder.decode(z).sample
            pixels = rearrange(video, "b c f h w -> b f h w c").float()
            return pixels.mul(0.5).add(0.5).clamp(0, 1).cpu().mul(255).round().to(torch.uint8)

        return Ready(parts={"paint": paint, "decode": decode}, modules=(model, decoder))

    decoders = dict.fromkeys((torch.float32, dtype))
    return Race(
        key=key,
        title=title,
        shape=f"{clip.said()}, {steps} steps, no guidance",
        device=device,
        sides=(
            Side(name=named("worldreel", dtype), ours=True, dtype=dtype, prepare=ours),
            *(
                Side(
                    name=named("diffusers", dtype, f"decoder {str(held).removeprefix('torch.')}"),
                    ours=False,
                    dtype=dtype,
                    prepare=lambda held=held: theirs(dtype, held),
                )
                for held in decoders
            ),
        ),
        reference=lambda: theirs(torch.float32, torch.float32).compared(),
        rounds=rounds,
        notes=("The states of the words are given to both.",),
    )
