"""Public files are known before they are read: what is damaged, lost or foreign is named."""

import json
import os
import pickle
import weakref

import pytest
import torch
from safetensors.torch import save_file

from worldreel.errors import CheckpointError
from worldreel.models.presets import WanVaePreset
from worldreel.models.wan import (
    described_transformer,
    find_transformer,
    find_vae,
    load_transformer,
    load_vae,
    looks_like,
)
from worldreel.models.wan_files import Entry, open_tensors
from worldreel.models.wan_folder import find
from worldreel.models.wan_models import MODELS, WAN21_VAE

SIZES = {
    "num_attention_heads": 2, "attention_head_dim": 8, "in_channels": 4, "out_channels": 4,
    "text_dim": 8, "freq_dim": 8, "ffn_dim": 16, "num_layers": 2,
}  # fmt: skip
STATS = {"latents_mean": [0.0] * 4, "latents_std": [1.0] * 4}


@pytest.fixture(scope="module")
def peer():
    from diffusers import WanTransformer3DModel

    torch.manual_seed(0)
    return WanTransformer3DModel(**SIZES)


@pytest.fixture(scope="module")
def vae():
    from diffusers import AutoencoderKLWan

    torch.manual_seed(0)
    return AutoencoderKLWan(base_dim=4, z_dim=4, **STATS)


@pytest.fixture
def state(peer):
    return {k: v.detach().clone() for k, v in peer.state_dict().items()}


def written(folder, state, config=SIZES, shards: int = 1, index: bool = False):
    """A folder of weights, of so many shards."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**config, "patch_size": [1, 2, 2]}))
    names = sorted(state)
    home = {}
    for n in range(shards):
        name = f"diffusion_pytorch_model-{n + 1:05}-of-{shards:05}.safetensors"
        name = name if shards > 1 else "diffusion_pytorch_model.safetensors"
        part = {k: state[k] for k in names[n::shards]}
        save_file(part, folder / name)
        home |= dict.fromkeys(part, name)
    if index:
        file = folder / "diffusion_pytorch_model.safetensors.index.json"
        file.write_text(json.dumps({"metadata": {}, "weight_map": home}))
    return folder


def same(a, b) -> bool:
    pairs = zip(a.state_dict().items(), b.state_dict().items(), strict=True)
    return all(x == y and torch.equal(u, v) for (x, u), (y, v) in pairs)


def test_shards_with_an_index_or_without(state, tmp_path):
    whole = written(tmp_path / "whole", state)
    known = load_transformer(find_transformer(whole), dtype=torch.float32)
    for index in (True, False):
        folder = written(tmp_path / f"shards-{index}", state, shards=3, index=index)
        part = folder / "diffusion_pytorch_model-00002-of-00003.safetensors"
        ours = load_transformer(find_transformer(folder), dtype=torch.float32)
        assert same(ours, known)
        assert len(open_tensors(part).entries) == len(state)


@pytest.mark.parametrize("index", [True, False])
def test_a_lost_shard_is_named(state, tmp_path, index):
    folder = written(tmp_path / "m", state, shards=3, index=index)
    (folder / "diffusion_pytorch_model-00002-of-00003.safetensors").unlink()
    with pytest.raises(CheckpointError, match="00002-of-00003.safetensors"):
        find_transformer(folder)


@pytest.mark.parametrize("shards", [1, 2])
def test_a_truncated_file_is_named(state, tmp_path, shards):
    folder = written(tmp_path / "m", state, shards=shards)
    file = sorted(folder.glob("*.safetensors"))[-1]
    whole = file.read_bytes()
    for size in (len(whole) - 1, len(whole) // 2, 100, 4, 0):
        file.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=f"{file.name}.*truncated"):
            find_transformer(folder)
    file.write_bytes(whole[:8] + b"x" + whole[9:])
    with pytest.raises(CheckpointError, match="damaged header"):
        find_transformer(folder)


def test_a_bad_index_is_named(state, tmp_path):
    folder = written(tmp_path / "m", state, shards=2, index=True)
    file = folder / "diffusion_pytorch_model.safetensors.index.json"
    good = json.loads(file.read_text())
    first = next(iter(good["weight_map"]))
    for bad, word in (
        ("{", "no index"),
        (json.dumps({"weight_map": {}}), "names no file"),
        (json.dumps({"weight_map": {"a": "../../secret"}}), "not beside it"),
        (json.dumps({"weight_map": good["weight_map"] | {"lost": good["weight_map"][first]}}),
         "lacks 'lost'"),
    ):  # fmt: skip
        file.write_text(bad)
        with pytest.raises(CheckpointError, match=word):
            find_transformer(folder)


def test_what_is_no_weights_is_refused(state, tmp_path):
    with pytest.raises(CheckpointError, match="not there"):
        find(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="holds no weights"):
        find(tmp_path)
    (tmp_path / "wan.gguf").write_bytes(b"GGUF")
    with pytest.raises(CheckpointError, match="give safetensors"):
        find(tmp_path / "wan.gguf")
    for name in ("one", "two"):
        save_file(state, tmp_path / f"{name}.safetensors")
    with pytest.raises(CheckpointError, match="several weights"):
        find(tmp_path)
    for name in ("model.safetensors", "model.fp16.safetensors"):
        save_file(state, tmp_path / name)
    assert open_tensors(tmp_path).path == tmp_path / "model.safetensors"


def test_tensors_must_be_all_and_no_others(state, tmp_path):
    for change, word in (
        ({"patch_embedding.bias": None}, "lacks 1 of"),
        ({"blocks.1.attn1.to_k.bias": None}, "lacks 1 of .*self_attn.qkv.bias"),
        ({"more.weight": torch.zeros(2)}, "more.weight"),
        ({"blocks.2.norm2.bias": torch.zeros(16)}, "blocks.2.norm2.bias"),
        ({"proj_out.bias": torch.zeros(3)}, "proj_out.bias"),
        ({"blocks.0.attn1.to_q.weight": torch.zeros(16, 8)}, "different models"),
    ):
        changed = {k: v for k, v in (state | change).items() if v is not None}
        with pytest.raises(CheckpointError, match=word):
            find_transformer(written(tmp_path / "m", changed))


def test_fp8_is_read_with_its_scales_alone(state, tmp_path):
    name, kind = "blocks.0.ffn.net.2.weight", torch.float8_e4m3fn
    eight = state | {name: (state[name] / 0.01).to(kind)}
    with pytest.raises(CheckpointError, match="fp8 without a scale"):
        find_transformer(written(tmp_path / "m", eight))
    home = name.removesuffix("weight")
    for scale in (torch.tensor(0.01), torch.full((16, 1), 0.01)):
        repack = eight | {
            f"{home}scale_weight": scale, f"{home}scale_input": torch.ones(()),
            "scaled_fp8": torch.zeros(2, dtype=kind),
        }  # fmt: skip
        stored = find_transformer(written(tmp_path / "m", repack))
        ours = load_transformer(stored, dtype=torch.float32)
        error = (ours.blocks[0].mlp_out.weight - state[name]).abs().max()
        assert 0 < error < 0.05 * state[name].abs().max()
    whole = state | {name: torch.zeros(16, 16, dtype=torch.int8)}
    with pytest.raises(CheckpointError, match="integers"):
        find_transformer(written(tmp_path / "m", whole))


class Bomb:
    def __reduce__(self):
        return os.mkdir, (os.environ["BOMB"],)


def test_code_in_a_pickle_is_not_run(vae, tmp_path, monkeypatch):
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    file = tmp_path / "Wan2.1_VAE.pth"
    torch.save({**vae.state_dict(), "extra": Bomb()}, file)
    with pytest.raises(CheckpointError, match="nothing of it was run"):
        find_vae(file)
    file.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError):
        find_vae(file)
    assert not (tmp_path / "exploded").exists()
    torch.save({"step": 3}, file)
    with pytest.raises(CheckpointError, match="no table of named tensors"):
        find_vae(file)
    torch.save(vae.state_dict(), file)
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        find_vae(file)


def test_a_pickle_of_tensors_is_read(tmp_path):
    """Original names, no config: sizes come from shapes, statistics are the public ones."""
    from diffusers import AutoencoderKLWan

    state = AutoencoderKLWan(base_dim=4, z_dim=16).state_dict()
    for zipped in (True, False):
        file = tmp_path / f"{zipped}.pth"
        torch.save(state, file, _use_new_zipfile_serialization=zipped)
        ours = load_vae(find_vae(file), dtype=torch.bfloat16)
        assert ours.preset == WanVaePreset(
            channels=16, encoder=4, decoder=4, mean=WAN21_VAE.mean, deviation=WAN21_VAE.deviation
        )
        assert ours.encoder.into.weight.dtype == torch.bfloat16
        assert ours.encoder.into.weight.is_contiguous(memory_format=torch.channels_last_3d)
        assert ours.stats[0].device.type == "cpu" and ours.stats[0].dtype == torch.float32
        assert ours.decode(torch.zeros(1, 16, 2, 1, 1)).shape == (1, 3, 5, 8, 8)


def foreign():
    """Small models of other makes."""
    import diffusers

    with torch.device("meta"):
        yield (
            "HunyuanVideo",
            diffusers.HunyuanVideoTransformer3DModel(
                num_layers=1, num_single_layers=1, num_refiner_layers=1
            ),
        )
        yield "LTX-Video", diffusers.LTXVideoTransformer3DModel(num_layers=1)
        yield "CogVideoX", diffusers.CogVideoXTransformer3DModel(num_layers=1)
        yield "Mochi", diffusers.MochiTransformer3DModel(num_layers=2)
        yield "FLUX", diffusers.FluxTransformer2DModel(num_layers=1, num_single_layers=1)
        yield "Stable Diffusion 3", diffusers.SD3Transformer2DModel(num_layers=1)
        yield "Qwen-Image", diffusers.QwenImageTransformer2DModel(num_layers=1)
        yield "U-Net", diffusers.UNet2DConditionModel()
        yield (
            "through CLIP",
            diffusers.WanTransformer3DModel(num_layers=1, image_dim=32, added_kv_proj_dim=64),
        )


def test_foreign_models_are_named():
    for name, model in foreign():
        assert name in str(looks_like(model.state_dict())), name


@pytest.mark.parametrize("key, word", [
    ("double_blocks.0.img_attn_qkv.weight txt_in.individual_token_refiner.blocks.0.norm1.weight",
     "HunyuanVideo"),
    ("patchify_proj.weight transformer_blocks.0.attn1.to_q.weight", "LTX-Video"),
    ("diffusion_model.blocks.0.self_attn.q.lora_down.weight", "LoRA"),
    ("motion_encoder.dec.direction.weight patch_embedding.weight blocks.0.norm3.weight", "Animate"),
    ("token_embedding.weight blocks.0.attn.q.weight", "text encoder"),
    ("something.weight", "no model that is known"),
])  # fmt: skip
def test_foreign_files_are_refused_by_name(tmp_path, key, word):
    save_file({k: torch.zeros(1) for k in key.split()}, tmp_path / "model.safetensors")
    for open_it in (find, find_vae):
        with pytest.raises(CheckpointError, match=word):
            open_it(tmp_path / "model.safetensors")


def test_one_tensor_at_a_time_is_in_memory(state, tmp_path, monkeypatch):
    stored = find_transformer(written(tmp_path / "m", state, shards=2))
    alive, peak = weakref.WeakSet(), []
    rows = Entry.rows

    def watched(entry, first, count):
        peak.append(len(alive))
        value = rows(entry, first, count)
        alive.add(value)
        return value

    monkeypatch.setattr(Entry, "rows", watched)
    load_transformer(stored, dtype=torch.bfloat16)
    assert len(peak) == len(state) and max(peak) <= 1


def test_weights_may_stay_in_their_files(state, tmp_path):
    stored = find_transformer(written(tmp_path / "m", state, shards=2))
    whole = load_transformer(stored, dtype=torch.bfloat16)
    model, unread = described_transformer(stored, dtype=torch.bfloat16)
    unread.change = lambda name, x: x + 1 if name == "head.bias" else x
    unread.lay(model)
    assert model.head.weight.untyped_storage().nbytes() <= 4  # described, and in no memory
    for (name, truth), slot in zip(whole.named_parameters(), model.parameters(), strict=True):
        assert unread.name_of(slot) == name and slot.shape == truth.shape
        read = unread.read(name)
        assert read.dtype == slot.dtype == truth.dtype
        assert torch.equal(read, truth + (name == "head.bias"))
    assert unread.name_of(torch.zeros(1)) is None


def test_rows_are_read_without_the_others(state, tmp_path):
    key = next(k for k, v in state.items() if v.ndim == 2)
    for file in ("a.safetensors", "a.pth"):
        (save_file if file.endswith("rs") else torch.save)(state, tmp_path / file)
        tensors = open_tensors(tmp_path / file)
        assert torch.equal(tensors.rows(key, [3, 0, 3]), state[key][[3, 0, 3]])
    tensors = open_tensors(tmp_path / "a.safetensors")
    os.truncate(tmp_path / "a.safetensors", 200)
    with pytest.raises(CheckpointError, match="was cut"):
        tensors.read(key)
    (tmp_path / "a.safetensors").unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        tensors.rows(key, [0])


@pytest.fixture
def diffusers_folder(peer, vae, tmp_path):
    root = tmp_path / "wan"
    peer.save_pretrained(root / "transformer")
    vae.save_pretrained(root / "vae")
    (root / "text_encoder").mkdir()
    (root / "tokenizer").mkdir()
    parts = {"transformer": ["diffusers", "WanTransformer3DModel"], "transformer_2": [None, None]}
    (root / "model_index.json").write_text(json.dumps({"_class_name": "WanPipeline", **parts}))
    return root


def test_a_folder_of_diffusers(diffusers_folder):
    root = diffusers_folder
    found = find(root)
    assert found.model is None and found.boundary is None and len(found.transformers) == 1
    assert found.vae is not None and found.vae.preset.channels == 4
    assert (found.text, found.tokenizer) == (root / "text_encoder", root / "tokenizer")
    load_transformer(found.transformers[0], dtype=torch.float32)
    load_vae(found.vae, dtype=torch.float32)
    numbers = sum(t.numel() for s in ("transformer", "vae") for t in _values(root / s))
    assert found.nbytes(torch.bfloat16) == 2 * numbers


def _values(folder):
    from safetensors.torch import load_file

    return load_file(folder / "diffusion_pytorch_model.safetensors").values()


def test_parts_may_be_elsewhere(diffusers_folder, tmp_path):
    root = diffusers_folder
    file = root / "transformer/diffusion_pytorch_model.safetensors"
    with pytest.raises(CheckpointError, match="no size that Wan has"):
        find(file)  # heads of 8 are told by a config alone
    (root / "vae").rename(tmp_path / "elsewhere")
    assert find(root).vae is None
    with pytest.raises(CheckpointError, match="nothing is not there"):
        find(root, text=tmp_path / "nothing")
    found = find(root, vae=tmp_path / "elsewhere", text=file, tokenizer=root)
    assert found.vae is not None and (found.text, found.tokenizer) == (file, root)


def test_two_experts(diffusers_folder, peer):
    root = diffusers_folder
    index = json.loads((root / "model_index.json").read_text())
    index["transformer_2"] = index["transformer"]
    (root / "model_index.json").write_text(json.dumps(index | {"boundary_ratio": 0.875}))
    with pytest.raises(CheckpointError, match="transformer_2 is missing"):
        find(root)
    peer.save_pretrained(root / "transformer_2")
    found = find(root)
    assert len(found.transformers) == 2 and found.boundary == 0.875
    (root / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="boundary_ratio"):
        find(root)


def test_folders_that_make_no_sense(diffusers_folder):
    root = diffusers_folder
    config = json.loads((root / "vae/config.json").read_text())
    (root / "vae/config.json").write_text(json.dumps({**config, "z_dim": 5}))
    with pytest.raises(CheckpointError, match="latents_mean"):
        find(root)
    (root / "vae/config.json").write_text("[")
    with pytest.raises(CheckpointError, match=r"config\.json cannot be read"):
        find(root)
    (root / "model_index.json").write_text(json.dumps({"_class_name": "CogVideoXPipeline"}))
    with pytest.raises(CheckpointError, match="CogVideoXPipeline"):
        find(root)


def test_parts_of_different_models_are_refused(diffusers_folder):
    from diffusers import AutoencoderKLWan

    AutoencoderKLWan(base_dim=4, z_dim=16).save_pretrained(diffusers_folder / "vae")
    with pytest.raises(CheckpointError, match="different models"):
        find(diffusers_folder)


def test_the_original_folders(state, vae, tmp_path):
    root = written(tmp_path / "wan", state, shards=2, index=True)
    from diffusers import AutoencoderKLWan

    (root / "google/umt5-xxl").mkdir(parents=True)
    (root / "models_t5_umt5-xxl-enc-bf16.pth").touch()
    found = find(root)
    assert found.vae is None and found.text is not None and found.text.suffix == ".pth"
    assert found.tokenizer == root / "google/umt5-xxl"
    torch.save(AutoencoderKLWan(base_dim=4, z_dim=16).state_dict(), root / "Wan2.1_VAE.pth")
    with pytest.raises(CheckpointError, match="different models"):
        find(root)
    pair = tmp_path / "pair"
    pair.mkdir()
    written(pair / "low_noise_model", state)
    with pytest.raises(CheckpointError, match="high_noise_model is missing"):
        find(pair)
    (pair / "low_noise_model").rename(pair / "high_noise_model")
    with pytest.raises(CheckpointError, match="low_noise_model is missing"):
        find(pair)


def test_public_models_are_recognised_by_their_sizes():
    from worldreel.models.wan_models import recognised

    names = {(m.dit, m.experts): m.name for m in MODELS}
    for (dit, experts), name in names.items():
        assert recognised(dit, experts).name == name
    assert recognised(MODELS[3].dit, 1).name == "wan2.2-i2v-a14b"  # one expert of two
    assert recognised(MODELS[0].dit, 1).name == "wan2.1-t2v-1.3b"
