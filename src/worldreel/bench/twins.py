"""The same random weights in our class and in diffusers': both sides of a race.

Weights are drawn tensor by tensor under diffusers' names, so that either side can be made without
the other, in a process of its own, and have the same numbers. This is the one file that knows
diffusers, which the extra `dev` brings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Generator, Tensor, nn

from worldreel.extras import missing
from worldreel.models.dit import DiT
from worldreel.models.presets import DitPreset, WanVaePreset
from worldreel.models.streaming import Past
from worldreel.models.wan import preset_of
from worldreel.models.wan_names import transformer_place, vae_place
from worldreel.models.wan_vae import WanVae

Config = Mapping[str, Any]
FLOAT32 = ("level_in", "table", "norm", "norm_q", "norm_k", "null_word")


def config(
    *, dim: int, heads: int, layers: int, mlp: int, channels: int = 16, text: int = 4096,
    patch: int = 2,
) -> dict[str, Any]:  # fmt: skip
    """diffusers' config of a Wan transformer."""
    return {
        "num_attention_heads": heads, "attention_head_dim": dim // heads, "in_channels": channels,
        "out_channels": channels, "text_dim": text, "freq_dim": 256, "ffn_dim": mlp,
        "num_layers": layers, "patch_size": (1, patch, patch), "rope_max_seq_len": 1024,
        "eps": 1e-6,
    }  # fmt: skip


def diffusers() -> Any:
    if find_spec("diffusers") is None:
        raise missing("diffusers")
    return import_module("diffusers")


def drawn(module: nn.Module, seed: int, device: torch.device) -> Iterator[tuple[str, Tensor]]:
    """A module's parameters by name, float32: no zeros, no ones, outputs of ordinary size."""
    generator = Generator(device).manual_seed(seed)
    for name, w in module.named_parameters():
        value = torch.randn(w.shape, generator=generator, device=device)
        if name.endswith("bias"):
            value = value.mul_(0.02)
        elif "gamma" in name or w.ndim == 1:
            value = value.mul_(0.1).add_(1)
        else:
            value = value.mul_(w[0].numel() ** -0.5)
        yield name, value


# The transformer.


def _shell(config: Config) -> Any:
    with torch.device("meta"):
        return diffusers().WanTransformer3DModel(**config)


def peer(
    config: Config, dtype: torch.dtype, *, seed: int = 0, device: torch.device, backend: str = ""
) -> Any:
    """diffusers' transformer, stored as its `from_pretrained` does: some parts stay in float32.

    backend: of attention, by diffusers' name.
    """
    model = _shell(config)
    own = {}
    for name, value in drawn(model, seed, device):
        held = any(part in name.split(".") for part in model._keep_in_fp32_modules)
        own[name] = value if held else value.to(dtype)
    model.load_state_dict(own, strict=True, assign=True)
    rope = type(model.rope)(
        config["attention_head_dim"], config["patch_size"], config["rope_max_seq_len"]
    )
    model.rope = rope.to(device)
    if backend:
        model.set_attention_backend(backend)
    return model.requires_grad_(False).eval()


def ours(
    config: Config,
    dtype: torch.dtype,
    *,
    seed: int = 0,
    device: torch.device,
    chunk: int | None = None,
    storage: torch.dtype | None = None,
) -> DiT:
    """Our transformer of the same numbers. chunk: with marble's rule of what is kept, and its null
    word. storage: of the large matrices, `dtype` if left out."""
    preset = preset_of(config)
    if chunk is not None:
        preset = dataclasses.replace(preset, chunk=chunk, null_word=True)
    with torch.device("meta"):
        model = DiT(preset, dtype=dtype)
    state = converted(dict(drawn(_shell(config), seed, device)), preset)
    if chunk is not None:
        state["null_word"] = null_word(config, seed, device)
    stored = {
        name: value if any(p in FLOAT32 for p in name.split(".")) else value.to(storage or dtype)
        for name, value in state.items()
    }
    model.load_state_dict(stored, strict=True, assign=True)
    return model.requires_grad_(False).eval()


def null_word(config: Config, seed: int, device: torch.device) -> Tensor:
    generator = Generator(device).manual_seed(seed + 1)
    return 0.5 * torch.randn(1, 1, config["text_dim"], generator=generator, device=device)


def converted(tensors: Mapping[str, Tensor], preset: DitPreset) -> dict[str, Tensor]:
    """Tensors of diffusers' names under ours: weights, or their gradients."""
    parts: dict[str, dict[int, Tensor]] = {}
    for key, value in tensors.items():
        place = transformer_place(key, preset)
        if place is None:
            raise ValueError(f"no place of ours for {key}")
        turned = value if place.turn is None else place.turn(value)
        parts.setdefault(place.name, {})[place.part] = turned
    return {name: torch.cat([p[i] for i in sorted(p)]) for name, p in parts.items()}


def peer_like(model: DiT, dtype: torch.dtype, device: torch.device) -> Any:
    """diffusers' transformer with the weights of one of ours; the null word is left out.

    Conversion moves numbers about and changes none, so it is turned round by converting each
    number's place instead of the number.
    """
    p = model.preset
    given = config(
        dim=p.dim, heads=p.heads, layers=p.layers, mlp=p.mlp, channels=p.channels, text=p.text_dim,
        patch=p.patch,
    )  # fmt: skip
    shell, places, count = _shell(given), {}, 0
    for name, w in shell.named_parameters():
        places[name] = torch.arange(count, count + w.numel(), dtype=torch.int64).view(w.shape)
        count += w.numel()
    flat = torch.empty(count)
    own = dict(model.named_parameters())
    for name, where in converted(places, p).items():
        flat[where.flatten()] = own[name].detach().float().cpu().flatten()
    twin = peer(given, torch.float32, device=device)
    state = {name: flat[where].to(device) for name, where in places.items()}
    for name, value in twin.named_parameters():
        held = any(part in name.split(".") for part in twin._keep_in_fp32_modules)
        value.data = state[name] if held else state[name].to(dtype)
    return twin


def show_only(model: Any, tokens: Tensor, words: Tensor) -> None:
    """Let diffusers' tokens see what the masks say (N N and N L, True where seen), and no more."""
    module = import_module("diffusers.models.transformers.transformer_wan")

    class Masked(module.WanAttnProcessor):
        def __init__(self, mask: Tensor) -> None:
            super().__init__()
            self.mask = mask

        def __call__(
            self,
            attn: Any,
            hidden_states: Tensor,
            encoder_hidden_states: Tensor | None = None,
            attention_mask: Tensor | None = None,
            rotary_emb: Any = None,
        ) -> Tensor:
            return super().__call__(
                attn, hidden_states, encoder_hidden_states, self.mask, rotary_emb
            )

    for block in model.blocks:
        block.attn1.processor = Masked(tokens[None, None])
        block.attn2.processor = Masked(words[None, None])


def compiled(model: Any) -> Any:
    """Blocks compiled one by one, as diffusers' `compile_repeated_blocks` does, on either side."""
    torch._dynamo.config.recompile_limit = max(64, torch._dynamo.config.recompile_limit)
    for block in model.blocks:
        block.compile()
    return model


# The autoencoder.


def vae_config(*, base: int = 96, channels: int = 16) -> dict[str, Any]:
    """diffusers' config of Wan 2.1's autoencoder; latents are not scaled."""
    return {
        "base_dim": base, "z_dim": channels, "latents_mean": [0.0] * channels,
        "latents_std": [1.0] * channels,
    }  # fmt: skip


def vae_peer(
    config: Config,
    dtype: torch.dtype,
    *,
    seed: int = 0,
    device: torch.device,
    channels_last: bool = False,
) -> Any:
    """diffusers' autoencoder."""
    with torch.device("meta"):
        model = diffusers().AutoencoderKLWan(**config)
    own = {name: value.to(dtype) for name, value in _vae_weights(model, seed, device)}
    model.load_state_dict(own, strict=True, assign=True)
    if channels_last:
        for module in model.modules():
            if isinstance(module, nn.Conv3d):
                module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return model.requires_grad_(False).eval()


def _vae_weights(
    module: nn.Module, seed: int, device: torch.device
) -> Iterator[tuple[str, Tensor]]:
    for name, value in drawn(module, seed, device):
        # few pixels may be clamped: what is clamped is equal, whatever it was
        yield name, value * 0.3 if name == "decoder.conv_out.weight" else value


def vae_ours(config: Config, dtype: torch.dtype, *, seed: int = 0, device: torch.device) -> Any:
    """Our autoencoder of the same numbers."""
    preset = WanVaePreset(
        channels=config["z_dim"], encoder=config["base_dim"], decoder=config["base_dim"],
        mean=tuple(config["latents_mean"]), deviation=tuple(config["latents_std"]),
    )  # fmt: skip
    with torch.device("meta"):
        model = WanVae(preset, dtype=dtype)
        shell = diffusers().AutoencoderKLWan(**config)
    own = dict(model.named_parameters())
    state: dict[str, Tensor] = {name: b.to(device) for name, b in model.named_buffers()}
    for key, value in _vae_weights(shell, seed, device):
        place = vae_place(key, preset.blocks)
        if place is None:
            raise ValueError(f"no place of ours for {key}")
        turned = value if place.turn is None else place.turn(value)
        kind = dtype if turned.ndim > 1 else torch.float32
        laid = torch.empty_like(own[place.name], dtype=kind, device=device)
        state[place.name] = laid.copy_(turned)  # in the order of axes that the layer wants
    model.load_state_dict(state, strict=True, assign=True)
    return model.requires_grad_(False).eval()


def vae_past() -> Past:
    """What our decoder has seen of a stream: nothing yet."""
    return Past()
