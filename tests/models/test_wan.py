"""Law 11: our transformer equals an independent implementation's on random weights, from files of
both layouts; and every published size has the names and shapes that we expect."""

import dataclasses
import json

import pytest
import torch
from safetensors.torch import save_file

from worldreel.errors import CheckpointError
from worldreel.models.dit import DiT
from worldreel.models.unread import Unread, check
from worldreel.models.wan import (
    find_transformer,
    find_vae,
    load_transformer,
    load_vae,
    looks_like,
    preset_of,
)
from worldreel.models.wan_files import Entry, Tensors
from worldreel.models.wan_models import MODELS, VAES
from worldreel.models.wan_names import transformer_place, vae_place
from worldreel.models.wan_vae import WanVae
from worldreel.tokens import patchify, positions, unpatchify

SMALL = {
    "num_attention_heads": 2, "attention_head_dim": 24, "in_channels": 4, "out_channels": 4,
    "text_dim": 16, "freq_dim": 32, "ffn_dim": 64, "num_layers": 3, "rope_max_seq_len": 32,
}  # fmt: skip
VACE = {"vace_layers": [0, 2], "vace_in_channels": 6}

# diffusers' names, rewritten as the original ones, in this order: not by the table that is tested.
ORIGINAL = (
    ("condition_embedder.text_embedder.linear_1", "text_embedding.0"),
    ("condition_embedder.text_embedder.linear_2", "text_embedding.2"),
    ("condition_embedder.time_embedder.linear_1", "time_embedding.0"),
    ("condition_embedder.time_embedder.linear_2", "time_embedding.2"),
    ("condition_embedder.time_proj", "time_projection.1"),
    ("attn1.", "self_attn."), ("attn2.", "cross_attn."), ("to_out.0", "o"),
    ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("norm2.", "norm3."),
    ("ffn.net.0.proj", "ffn.0"), ("ffn.net.2", "ffn.2"),
)  # fmt: skip


def original(key: str) -> str:
    if key == "scale_shift_table":
        return "head.modulation"
    if key.startswith("proj_out"):
        return key.replace("proj_out", "head.head")
    for theirs, ours in ORIGINAL:
        key = key.replace(theirs, ours)
    key = key.replace("scale_shift_table", "modulation")
    return key.replace("proj_in", "before_proj").replace("proj_out", "after_proj")


def peer_of(config: dict):
    from diffusers import WanTransformer3DModel, WanVACETransformer3DModel

    torch.manual_seed(0)
    kind = WanVACETransformer3DModel if "vace_layers" in config else WanTransformer3DModel
    model = kind(**config)
    for p in model.parameters():  # norms and tables too: nothing may be at its default
        torch.nn.init.normal_(p, std=0.2)
    return model.eval()


@pytest.fixture(scope="module")
def peer():
    return peer_of(SMALL)


def loaded(peer, folder, rename=lambda key: key, config=None) -> DiT:
    state = {rename(k): v.contiguous() for k, v in peer.state_dict().items()}
    save_file(state, folder / "diffusion_pytorch_model.safetensors")
    given = dict(peer.config) if config is None else config
    (folder / "config.json").write_text(json.dumps(given))
    return load_transformer(find_transformer(folder), dtype=torch.float32)


def differ(ours: DiT, peer, shape, control=None) -> float:
    """The largest difference of the two, as a part of the largest value."""
    generator = torch.Generator().manual_seed(1)
    b, _, t, h, w = shape
    x = torch.randn(shape, generator=generator)
    text = torch.randn(b, 7, 16, generator=generator)
    level = torch.rand(b, generator=generator)
    grid = (t, h // 2, w // 2)
    more, asked = {}, {}
    if control is not None:
        clip = torch.randn(b, control, t, h, w, generator=generator)
        more, asked = {"control_hidden_states": clip}, {"control": patchify(clip, 2)}
    with torch.no_grad():
        theirs = peer(x, level * 1000, text, return_dict=False, **more)[0]
        n = t * grid[1] * grid[2]
        out = ours(
            patchify(x, 2), level[:, None], level[:, None], torch.zeros(b, n, dtype=torch.long),
            positions(grid).expand(b, -1, -1), ours.read([(None, text, None)], b), **asked,
        )  # fmt: skip
    return float((unpatchify(out, grid, 2) - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize("shape", [(2, 4, 3, 4, 6), (1, 4, 1, 2, 2), (1, 4, 5, 6, 4)])
def test_forward_equals_diffusers(peer, shape, tmp_path):
    assert differ(loaded(peer, tmp_path), peer, shape) < 1e-4


def test_the_original_layout_is_the_same_model(peer, tmp_path):
    config = {
        "_class_name": "WanModel", "model_type": "t2v", "dim": 48, "num_heads": 2, "in_dim": 4,
        "out_dim": 4, "text_dim": 16, "freq_dim": 32, "ffn_dim": 64, "num_layers": 3, "eps": 1e-6,
        "text_len": 512,
    }  # fmt: skip
    ours = loaded(peer, tmp_path, original, config)
    assert differ(ours, peer, (1, 4, 3, 4, 6)) < 1e-4


@pytest.mark.parametrize("rename", [lambda key: key, original])
def test_vace_equals_diffusers(rename, tmp_path):
    peer = peer_of({**SMALL, **VACE})
    config = {**SMALL, **VACE, "patch_size": (1, 2, 2)}
    ours = loaded(peer, tmp_path, rename, config)
    assert differ(ours, peer, (2, 4, 3, 4, 6), control=6) < 1e-4


def test_heads_of_128_need_no_config(tmp_path):
    config = {**SMALL, "attention_head_dim": 128, "num_layers": 4}
    peer = peer_of({**config, **VACE})
    state = {"model.diffusion_model." + original(k): v for k, v in peer.state_dict().items()}
    save_file(state, tmp_path / "wan.safetensors")
    stored = find_transformer(tmp_path / "wan.safetensors")
    assert stored.preset == preset_of({**config, **VACE})
    ours = load_transformer(stored, dtype=torch.float32)
    assert differ(ours, peer, (1, 4, 2, 4, 4), control=6) < 1e-4


def test_real_widths_equal_diffusers():
    from diffusers import WanTransformer3DModel

    with torch.device("meta"):
        peer = WanTransformer3DModel(
            **SMALL | {"num_attention_heads": 12, "attention_head_dim": 128, "ffn_dim": 8960,
                       "num_layers": 2, "freq_dim": 256}
        )  # fmt: skip
        ours = DiT(preset_of(peer.config))
    tape = torch.randn(100_003, generator=torch.Generator().manual_seed(0)) * 0.02
    for name, p in list(peer.named_parameters()):
        value = tape.repeat(1 + p.numel() // len(tape))[: p.numel()].view(p.shape)
        home, _, leaf = name.rpartition(".")
        setattr(peer.get_submodule(home), leaf, torch.nn.Parameter(value))
    peer.rope = type(peer.rope)(128, (1, 2, 2), 32)
    state = dict(peer.named_parameters())
    places = {k: transformer_place(k, ours.preset) for k in state}
    source = dataclasses.replace(on_meta(state), pickled=state)
    Unread(ours, source, places, lambda name: torch.float32).fill(ours)
    assert differ(ours, peer.eval(), (1, 4, 2, 4, 4)) < 1e-4


def test_half_precision_keeps_modulation_fine(peer, tmp_path):
    loaded(peer, tmp_path)
    ours = load_transformer(find_transformer(tmp_path), dtype=torch.bfloat16)
    kinds = {name: p.dtype for name, p in ours.named_parameters()}
    assert kinds["blocks.0.table"] == kinds["blocks.0.norm.weight"] == torch.float32
    assert kinds["level_in.0.weight"] == torch.float32
    assert kinds["blocks.0.self_attn.qkv.weight"] == kinds["head.bias"] == torch.bfloat16
    assert not any(p.requires_grad for p in ours.parameters())
    assert differ(ours, peer, (1, 4, 3, 4, 6)) < 0.1


def on_meta(state) -> Tensors:
    """A state dict as files would be described."""
    entries = {
        k: Entry(file=None, key=k, shape=tuple(v.shape), dtype=v.dtype) for k, v in state.items()
    }
    return Tensors(path="public weights", entries=entries)


PARAMETERS = {  # of one transformer, and tensors: as measured on the public files
    "wan2.1-t2v-1.3b": (1_418_996_800, 825), "wan2.1-t2v-14b": (14_288_491_584, 1095),
    "wan2.2-ti2v-5b": (4_999_787_712, 825),
}  # fmt: skip


SIZES = {m.dit: m for m in reversed(MODELS)}.values()  # two are of one size


@pytest.mark.parametrize("model", SIZES, ids=lambda m: m.name)
def test_every_public_size_has_our_names_and_shapes(model):
    from diffusers import WanTransformer3DModel, WanVACETransformer3DModel

    p = model.dit
    config = {
        "num_attention_heads": p.heads, "attention_head_dim": 128, "in_channels": p.channels,
        "out_channels": p.out_channels, "ffn_dim": p.mlp, "num_layers": p.layers,
    }  # fmt: skip
    kind = WanTransformer3DModel
    if p.control:
        kind = WanVACETransformer3DModel
        config |= {"vace_layers": list(p.control), "vace_in_channels": p.control_channels}
    with torch.device("meta"):
        peer, ours = kind(**config), DiT(p)
    assert preset_of(peer.config) == p
    state = peer.state_dict()
    size = (sum(v.numel() for v in state.values()), len(state))
    assert size == PARAMETERS.get(model.name, size)
    for layout in (state, {original(k): v for k, v in state.items()}):
        assert looks_like(layout) == "a Wan transformer"
        check(ours, on_meta(layout), {k: transformer_place(k, p) for k in layout})


def original_vae(key: str, nested: bool) -> str:
    """An autoencoder's original name, by the rules of the makers' modules."""
    for theirs, ours in (
        ("post_quant_conv", "conv2"), ("quant_conv", "conv1"), ("coder.conv_in", "coder.conv1"),
        ("norm_out", "head.0"), ("conv_out", "head.2"), ("mid_block.attentions.0", "middle.1"),
        ("mid_block.resnets.0", "middle.0"), ("mid_block.resnets.1", "middle.2"),
        ("conv_shortcut", "shortcut"), ("norm1.", "residual.0."), ("norm2.", "residual.3."),
    ):  # fmt: skip
        key = key.replace(theirs, ours)
    if "middle" in key or "down" in key or "up" in key:
        key = key.replace("conv1.", "residual.2.").replace("conv2.", "residual.6.")
    parts = key.split(".")
    if parts[1] == "down_blocks" and nested:
        parts[1] = "downsamples"
        parts[3:5] = (
            ["downsamples", parts[4]] if parts[3] == "resnets" else ["downsamples", "2", parts[4]]
        )
    elif parts[1] == "down_blocks":
        parts[1] = "downsamples"
    elif parts[1] == "up_blocks":
        within = parts[4] if parts[3] == "resnets" else "3"
        rest = parts[5:] if parts[3] in ("resnets", "upsamplers") else parts[4:]
        where = (
            [parts[2], "upsamples", within] if nested else [str(4 * int(parts[2]) + int(within))]
        )
        parts = [parts[0], "upsamples", *where, *rest]
    return ".".join(parts)


@pytest.mark.parametrize(
    "channels, tensors, numbers", [(16, 194, 126_892_531), (48, 196, 704_688_668)]
)
def test_public_autoencoders_have_our_names_and_shapes(channels, tensors, numbers):
    from diffusers import AutoencoderKLWan

    p, pixels = VAES[channels], 3 * VAES[channels].patch ** 2
    with torch.device("meta"):
        ours = WanVae(p)
        peer = AutoencoderKLWan(
            base_dim=p.encoder, decoder_base_dim=p.decoder, z_dim=channels, in_channels=pixels,
            out_channels=pixels, is_residual=p.residual, patch_size=p.patch,
        )  # fmt: skip
    state = peer.state_dict()
    assert (len(state), sum(v.numel() for v in state.values())) == (tensors, numbers)
    for renamed in (state, {original_vae(k, p.residual): v for k, v in state.items()}):
        assert looks_like(renamed) == "a Wan autoencoder"
        check(ours, on_meta(renamed), {k: vae_place(k, 2) for k in renamed})


def test_the_original_names_are_those_that_others_read(peer):
    """The rules above, by which the original layout is tested, against diffusers' own reader."""
    from diffusers import AutoencoderKLWan
    from diffusers.loaders import single_file_utils as reader

    names = {original(k): k for k in peer_of(SMALL | VACE).state_dict()}
    held = reader.convert_wan_transformer_to_diffusers(dict(names))
    assert all(k == v for k, v in held.items())
    with torch.device("meta"):
        names = {original_vae(k, False): k for k in AutoencoderKLWan(base_dim=4).state_dict()}
    held = reader.convert_wan_vae_to_diffusers(dict(names))
    assert all(k == v for k, v in held.items())


@pytest.mark.parametrize("residual", [False, True])
def test_an_original_autoencoder_is_the_same(residual, tmp_path):
    from diffusers import AutoencoderKLWan

    more = {"is_residual": True, "patch_size": 2, "in_channels": 12, "out_channels": 12}
    z = 48 if residual else 16
    peer = AutoencoderKLWan(base_dim=4, z_dim=z, **(more if residual else {}))
    public = {"latents_mean": VAES[z].mean, "latents_std": VAES[z].deviation}
    peer.register_to_config(**{k: list(v) for k, v in public.items()})
    peer.save_pretrained(tmp_path / "vae")
    state = {original_vae(k, residual): v for k, v in peer.state_dict().items()}
    torch.save(state, tmp_path / "wan.pth")
    one, other = (
        load_vae(find_vae(tmp_path / name), dtype=torch.float32) for name in ("vae", "wan.pth")
    )
    assert one.preset == other.preset
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_other_configs_are_refused(peer):
    good = dict(peer.config)
    for change, word in (
        ({"image_dim": 1280}, "image_dim"),
        ({"qk_norm": None, "cross_attn_norm": False}, "cross_attn_norm"),
        ({"_class_name": "LTXVideoTransformer3DModel"}, "LTXVideoTransformer3DModel"),
        ({"patch_size": (2, 2, 2)}, "patch"),
        ({"model_type": "s2v"}, "s2v"),
        ({"num_layers": None}, "num_layers"),
    ):
        with pytest.raises(CheckpointError, match=word):
            preset_of({**good, **change})


def test_presets_stay_hashable():
    assert len({m.dit for m in MODELS}) == 6  # two T2V of 14 B are of one size
    assert dataclasses.replace(MODELS[0].dit, dim=8) not in {m.dit for m in MODELS}
