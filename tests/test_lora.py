"""Laws of LoRAs: every file's names mean the same, merged equals beside, and undoing is exact."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from worldreel import lora
from worldreel.adapted import attach, merge
from worldreel.errors import CheckpointError, RequestError
from worldreel.models.dit import DiT
from worldreel.models.places import places
from worldreel.models.presets import TINY_DIT
from worldreel.models.wan import preset_of
from worldreel.models.wan_names import transformer_place
from worldreel.tokens import patchify, positions, unpatchify

SHAPE, GRID = (1, 4, 2, 4, 4), (2, 2, 2)
# some layers of each kind, as diffusers names them, and as Wan's own code does
LAYERS = {
    "blocks.0.attn1.to_q": "blocks.0.self_attn.q",
    "blocks.0.attn1.to_k": "blocks.0.self_attn.k",
    "blocks.0.attn1.to_v": "blocks.0.self_attn.v",
    "blocks.1.attn1.to_out.0": "blocks.1.self_attn.o",
    "blocks.1.attn2.to_q": "blocks.1.cross_attn.q",
    "blocks.1.attn2.to_v": "blocks.1.cross_attn.v",
    "blocks.0.ffn.net.0.proj": "blocks.0.ffn.0",
    "blocks.0.ffn.net.2": "blocks.0.ffn.2",
    "condition_embedder.text_embedder.linear_1": "text_embedding.0",
    "condition_embedder.time_embedder.linear_2": "time_embedding.2",
    "condition_embedder.time_proj": "time_projection.1",
    "proj_out": "head.head",
}


@pytest.fixture(scope="module")
def peer():
    from diffusers import WanTransformer3DModel

    torch.manual_seed(0)
    model = WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=24, in_channels=4, out_channels=4, text_dim=16,
        freq_dim=32, ffn_dim=64, num_layers=2, rope_max_seq_len=32,
    )  # fmt: skip
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    return model.eval()


def from_diffusers(tensors, preset):
    """A state dict of diffusers' as ours."""
    parts = {}
    for key, value in tensors.items():
        place = transformer_place(key, preset)
        turned = value if place.turn is None else place.turn(value)
        parts.setdefault(place.name, {})[place.part] = turned
    return {name: torch.cat([found[i] for i in sorted(found)]) for name, found in parts.items()}


@pytest.fixture
def ours(peer):
    preset = preset_of(peer.config)
    model = DiT(preset).requires_grad_(False).eval()
    model.load_state_dict(from_diffusers(peer.state_dict(), preset))
    return model


def drawn(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def output(model):
    """What our transformer makes of fixed latents and words."""
    text, level = drawn(1, 5, model.preset.text_dim, seed=3), torch.full((1, 1), 0.6)
    words = model.read([(None, text, None)], 1)
    x = patchify(drawn(1, model.preset.channels, *SHAPE[2:], seed=2), model.preset.patch)
    which = torch.zeros(1, x.shape[1], dtype=torch.long)
    grid = GRID if model.preset.patch == 2 else SHAPE[2:]
    with torch.no_grad():
        return unpatchify(
            model(x, level, level, which, positions(grid)[None], words), grid, model.preset.patch
        )


def their_output(peer, state):
    """What diffusers' transformer makes of the same with other weights."""
    old = {name: value.clone() for name, value in peer.state_dict().items()}
    peer.load_state_dict(state)
    with torch.no_grad():
        out = peer(drawn(*SHAPE, seed=2), torch.tensor([600.0]), drawn(1, 5, 16, seed=3))[0]
    peer.load_state_dict(old)
    return out


def pairs(state, rank=3):
    """A random pair of matrices for every one of LAYERS: {layer: (down, up)}."""
    shapes = {name: state[f"{name}.weight"].shape for name in LAYERS}
    return {
        name: (drawn(rank, shape[1], seed=2 * i), drawn(shape[0], rank, seed=2 * i + 1) / 4)
        for i, (name, shape) in enumerate(shapes.items())
    }


def by_hand(state, thin, scale):
    """diffusers' weights with a LoRA merged: W + scale * up @ down."""
    state = {name: value.clone() for name, value in state.items()}
    for name, (down, up) in thin.items():
        state[f"{name}.weight"] += scale * (up @ down)
    return state


FORMATS = {  # how a layer's key is written; what its two matrices are called
    "peft": ("base_model.model.{0}", "lora_A.weight", "lora_B.weight"),
    "peft, named": ("base_model.model.{0}", "lora_A.default.weight", "lora_B.default.weight"),
    "diffusers": ("transformer.{0}", "lora_A.weight", "lora_B.weight"),
    "wan": ("diffusion_model.{1}", "lora_down.weight", "lora_up.weight"),
    "wan, as peft": ("diffusion_model.{1}", "lora_A.weight", "lora_B.weight"),
    "kohya": ("lora_unet_{2}", "lora_down.weight", "lora_up.weight"),
}


def written(path, form, thin, alpha=None):
    """A LoRA's file in one of FORMATS, with a tensor for the alpha of each layer."""
    key, down, up = FORMATS[form]
    tensors = {}
    for name, matrices in thin.items():
        layer = key.format(name, LAYERS[name], LAYERS[name].replace(".", "_"))
        tensors |= {f"{layer}.{end}": m for end, m in zip((down, up), matrices, strict=True)}
        if alpha is not None:
            tensors[f"{layer}.alpha"] = torch.tensor(alpha)
    save_file(tensors, path)
    return path


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_changes_the_output_as_it_changes_diffusers(form, peer, ours, tmp_path):
    thin, alpha, strength = pairs(peer.state_dict()), 1.5, 0.8
    style = lora.load(written(tmp_path / "a.safetensors", form, thin, alpha), ours.preset)
    truth = their_output(peer, by_hand(peer.state_dict(), thin, strength * alpha / 3))
    before = output(ours)
    assert (truth - before).abs().max() > 0.01 * truth.abs().max()
    for apply in (merge, attach):
        with apply(ours, [(style, strength)]):
            error = (output(ours) - truth).abs().max() / truth.abs().max()
            assert error < 1e-4, f"{form}: {error:.1e}"
        assert torch.equal(output(ours), before)


def test_merged_weights_are_those_that_the_state_dict_gives(peer, ours, tmp_path):
    """The same names and rows as `wan_names`."""
    thin = pairs(peer.state_dict())
    style = lora.load(written(tmp_path / "a.safetensors", "wan", thin), ours.preset)
    merge(ours, [(style, 1.0)], keep=False)
    truth = from_diffusers(by_hand(peer.state_dict(), thin, 1.0), ours.preset)
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, truth[name], rtol=1e-6, atol=1e-6)


def test_whole_changes_of_public_few_step_loras(peer, ours, tmp_path):
    """diff and diff_b: of matrices, biases, norms and the patch embedding's kernel."""
    theirs = {
        "blocks.0.self_attn.norm_q.diff": "blocks.0.attn1.norm_q.weight",
        "blocks.1.norm3.diff": "blocks.1.norm2.weight",
        "blocks.1.norm3.diff_b": "blocks.1.norm2.bias",
        "blocks.0.self_attn.k.diff_b": "blocks.0.attn1.to_k.bias",
        "patch_embedding.diff": "patch_embedding.weight",
        "head.head.diff": "proj_out.weight",
        "head.head.diff_b": "proj_out.bias",
    }
    state = {name: value.clone() for name, value in peer.state_dict().items()}
    tensors = {}
    for i, (key, name) in enumerate(theirs.items()):
        tensors[f"diffusion_model.{key}"] = drawn(*state[name].shape, seed=i) / 8
        state[name] += 0.5 * tensors[f"diffusion_model.{key}"]
    save_file(tensors, tmp_path / "a.safetensors")
    fast = lora.load(tmp_path / "a.safetensors", ours.preset)
    before, truth = output(ours), their_output(peer, state)
    for apply in (merge, attach):
        with apply(ours, [(fast, 0.5)]):
            assert (output(ours) - truth).abs().max() < 1e-4 * truth.abs().max()
        assert torch.equal(output(ours), before)
    lora.save(tmp_path / "b.safetensors", fast)
    assert same(fast, lora.load(tmp_path / "b.safetensors", ours.preset))


def same(a, b):
    """Whether two LoRAs are equal bit for bit."""
    mine, theirs = ({d.place: d for d in x.deltas} for x in (a, b))
    assert mine.keys() == theirs.keys()
    for place, delta in mine.items():
        assert delta.scale == theirs[place].scale
        for leaf in ("down", "up", "diff", "bias"):
            one, other = getattr(delta, leaf), getattr(theirs[place], leaf)
            assert (one is None) == (other is None)
            assert one is None or (one.dtype == other.dtype and torch.equal(one, other))
    return True


def test_several_at_once_and_beside_equals_merged(peer, ours, tmp_path):
    one, two = pairs(peer.state_dict()), pairs(peer.state_dict(), rank=5)
    both = [
        (lora.load(written(tmp_path / "a.safetensors", "kohya", one, 2.0), ours.preset), 0.7),
        (lora.load(written(tmp_path / "b.safetensors", "peft", two), ours.preset), -0.4),
    ]
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    with merge(ours, both):
        merged = output(ours)
    assert all(torch.equal(before[name], value) for name, value in ours.state_dict().items())
    with attach(ours, both):
        beside = output(ours)
        assert all(torch.equal(before[name], value) for name, value in ours.state_dict().items())
    assert (merged - beside).abs().max() < 1e-5 * merged.abs().max()
    assert not any(m._forward_hooks for m in ours.modules())


def test_bf16_weights_come_back_bit_for_bit(peer, ours, tmp_path):
    ours.bfloat16()
    style = lora.load(
        written(tmp_path / "a.safetensors", "wan", pairs(peer.state_dict())), ours.preset
    )
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    first = merge(ours, [(style, 1e3)])
    assert not torch.equal(before["head.weight"], ours.head.weight)
    second = merge(ours, [(style, 1.0)])
    with pytest.raises(RequestError, match="later"):
        first.undo()
    second.undo()
    first.undo()
    assert all(torch.equal(before[name], value) for name, value in ours.state_dict().items())
    with pytest.raises(RequestError, match="for good"):
        merge(ours, [(style, 1.0)], keep=False).undo()


def test_what_is_saved_is_read_back_equal_and_has_diffusers_names(peer, ours, tmp_path):
    thin = pairs(peer.state_dict())
    path = written(tmp_path / "a.safetensors", "kohya", thin, 0.7)
    style = lora.load(path, ours.preset)
    saved = lora.save(tmp_path / "b.safetensors", style)
    assert same(style, lora.load(saved, ours.preset))
    tensors = load_file(saved)
    for name, (down, up) in thin.items():
        assert torch.equal(tensors[f"transformer.{name}.lora_A.weight"], down)
        assert torch.equal(tensors[f"transformer.{name}.lora_B.weight"], up)
    assert set(tensors) <= {
        f"transformer.{name}.lora_{end}.weight" for name in LAYERS for end in "AB"
    }
    with safe_open(saved, framework="pt") as file:
        told = json.loads(file.metadata()["lora_adapter_metadata"])
    assert told["transformer.r"] == 3
    assert told["transformer.alpha_pattern"]["proj_out"] == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({"r": 3, "lora_alpha": 6}, 2.0),
        ({"r": 3, "lora_alpha": 6, "use_rslora": True}, 6 / 3**0.5),
        ({"r": 8, "rank_pattern": {"to_q": 3, "proj": 3}, "lora_alpha": 8}, None),
        ({"r": 3, "lora_alpha": 3, "alpha_pattern": {"attn1.to_q": 9}}, 3.0),
        ({}, 1.0),
    ],
)
def test_alpha_of_a_config_beside_the_file(config, scale, ours, peer, tmp_path):
    thin = {"blocks.0.attn1.to_q": pairs(peer.state_dict())["blocks.0.attn1.to_q"]}
    written(tmp_path / "adapter_model.safetensors", "peft", thin)
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"} | config))
    (delta,) = lora.load(tmp_path, ours.preset).deltas
    assert delta.scale == pytest.approx(8 / 3 if scale is None else scale)


def test_our_own_names_take_fused_layers_as_one(ours, tmp_path):
    down, up = drawn(2, 48), drawn(144, 2, seed=2)
    key = "base_model.model.blocks.1.self_attn.qkv"
    tensors = {f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up}
    save_file(tensors, tmp_path / "a.safetensors")
    style = lora.load(tmp_path / "a.safetensors", ours.preset)
    before = ours.blocks[1].self_attn.qkv.weight.clone()
    with merge(ours, [(style, 1.0)]):
        made = ours.blocks[1].self_attn.qkv.weight
        torch.testing.assert_close(made, before + up @ down)
    lora.save(tmp_path / "b.safetensors", style)  # by then as three layers of Wan's
    assert same(style, lora.load(tmp_path / "b.safetensors", ours.preset))


def test_marble_takes_loras_too(tmp_path):
    model = DiT(TINY_DIT).init(torch.Generator().manual_seed(0)).requires_grad_(False)
    for name, p in model.named_parameters():
        p += drawn(*p.shape, seed=len(name)) / 10  # the head too: nothing may be at zero
    thin = {n: m for n, m in pairs_of(model.preset).items() if n.startswith("blocks")}
    style = lora.load(written(tmp_path / "a.safetensors", "diffusers", thin), model.preset)
    with merge(model, [(style, 1.0)]):
        merged = output(model)
    with attach(model, [(style, 1.0)]):
        beside = output(model)
    assert (merged - beside).abs().max() < 1e-5 * merged.abs().max()
    assert (merged - output(model)).abs().max() > 0.01 * merged.abs().max()


def pairs_of(preset):
    """`pairs` for a preset of ours."""
    known = places(preset)[0]
    return pairs({f"{name}.weight": torch.empty(known[name].shape) for name in LAYERS})


def test_pairs_for_two_experts(peer, ours, tmp_path):
    thin = pairs(peer.state_dict())
    (tmp_path / "two").mkdir()
    for name, alpha in (("x_high_noise", 3.0), ("x_low_noise", 6.0)):
        written(tmp_path / "two" / f"{name}.safetensors", "wan", thin, alpha)
    pair = lora.load_pair(tmp_path / "two", ours.preset)
    assert (pair.high.deltas[0].scale, pair.low.deltas[0].scale) == (1.0, 2.0)
    one = load_file(lora.save(tmp_path / "high.safetensors", pair.high))
    other = {f"transformer_2.{k.removeprefix('transformer.')}": 2 * v for k, v in one.items()}
    save_file(one | other, tmp_path / "both.safetensors")
    both = lora.load_pair(tmp_path / "both.safetensors", ours.preset)
    assert same(both.high, pair.high)
    assert torch.equal(both.low.deltas[0].down, 2 * pair.high.deltas[0].down)
    with pytest.raises(CheckpointError, match="as a pair"):
        lora.load(tmp_path / "both.safetensors", ours.preset)
    shared = lora.load_pair(tmp_path / "high.safetensors", ours.preset)
    assert shared.high is shared.low
    (tmp_path / "two" / "x_low_noise.safetensors").unlink()
    with pytest.raises(CheckpointError, match="0 with 'low'"):
        lora.load_pair(tmp_path / "two", ours.preset)


Q = "transformer.blocks.0.attn1.to_q"
REFUSED = {
    "of another model": ({"unet.down.0.lora_A.weight": (2, 48)}, "unet.down.0"),
    "too deep": ({f"transformer.blocks.39.attn1.to_q.lora_{x}.weight": (2, 2) for x in "AB"},
                 "40 blocks where this model has 2"),
    "too wide": ({f"{Q}.lora_A.weight": (2, 96), f"{Q}.lora_B.weight": (96, 2)}, "96x96.*48x48"),
    "of two ranks": ({f"{Q}.lora_A.weight": (2, 48), f"{Q}.lora_B.weight": (48, 3)}, "rank 2"),
    "half": ({f"{Q}.lora_A.weight": (2, 48)}, "no lora_B"),
    "a bias that is not there": ({"blocks.0.attn1.norm_q.diff_b": (48,)}, "not there"),
    "a lokr": ({f"{Q}.lokr_w1": (2, 2)}, "lokr_w1"),
    "empty": ({}, "there are none"),
    "twice": ({f"{x}.lora_A.weight": (2, 48) for x in (Q, "diffusion_model.blocks.0.self_attn.q")},
              "twice"),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_what_does_not_fit_is_refused_by_name(why, ours, tmp_path):
    shapes, said = REFUSED[why]
    save_file({k: torch.ones(s) for k, s in shapes.items()}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match=said):
        lora.load(tmp_path / "a.safetensors", ours.preset)


def test_damage_is_refused(ours, tmp_path):
    good = {f"{Q}.lora_A.weight": drawn(2, 48), f"{Q}.lora_B.weight": drawn(48, 2)}
    bad = good | {f"{Q}.lora_B.weight": torch.full((48, 2), torch.nan)}
    save_file(bad, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="not finite"):
        lora.load(tmp_path / "a.safetensors", ours.preset)
    save_file(good | {f"{Q}.alpha": torch.tensor(torch.inf)}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="alpha"):
        lora.load(tmp_path / "a.safetensors", ours.preset)
    told = {"lora_adapter_metadata": json.dumps({"transformer.r": 16})}
    save_file(good, tmp_path / "a.safetensors", told)
    with pytest.raises(CheckpointError, match="rank 16"):
        lora.load(tmp_path / "a.safetensors", ours.preset)
    (tmp_path / "a.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(CheckpointError, match="cannot be read"):
        lora.load(tmp_path / "a.safetensors", ours.preset)
    with pytest.raises(CheckpointError, match="no file"):
        lora.load(tmp_path / "b.safetensors", ours.preset)


class Trap:
    """An object whose unpickling would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_of_tensors_is_read_and_nothing_is_executed(ours, tmp_path):
    good = {f"{Q}.lora_A.weight": drawn(2, 48), f"{Q}.lora_B.weight": drawn(48, 2)}
    torch.save(good, tmp_path / "a.pt")
    assert lora.load(tmp_path / "a.pt", ours.preset).rank == 2
    torch.save(good | {"x": Trap(tmp_path / "sprung")}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="executed"):
        lora.load(tmp_path / "a.pt", ours.preset)
    assert not (tmp_path / "sprung").exists()


def test_a_lora_of_another_preset_changes_nothing(peer, ours, tmp_path):
    path = written(tmp_path / "a.safetensors", "peft", pairs(peer.state_dict()))
    style = lora.load(path, ours.preset)
    other = DiT(TINY_DIT)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(CheckpointError, match="another transformer"):
        merge(other, [(style, 1.0)])
    assert all(torch.equal(before[name], value) for name, value in other.state_dict().items())
    with pytest.raises(RequestError, match="strength"):
        merge(ours, [(style, float("nan"))])
