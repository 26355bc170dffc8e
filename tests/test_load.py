"""Loading a model: what is refused and how, what a machine computes in, what marble may do."""

import dataclasses
import json
import runpy
import shutil
from pathlib import Path

import pytest
import torch

import worldreel
from worldreel import checkpoint, device, engine, loading, shelf
from worldreel.cli import main
from worldreel.errors import CheckpointError, RequestError
from worldreel.models import presets, processor
from worldreel.models.compressor import Compressor
from worldreel.request import Limits
from worldreel.settings import packaged, settings_of

ROOT = Path(__file__).parents[1]


def edit(file: Path, **changed) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))


def edit_config(part: Path, **changed) -> None:
    config = json.loads((part / "config.json").read_text())["config"]
    edit(part / "config.json", config=config | changed)


def flip(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


def other_compressor(f: Path) -> None:
    preset = dataclasses.replace(presets.TINY_COMPRESSOR, channels=4)
    net, held = Compressor(preset), dataclasses.asdict(preset)
    checkpoint.save(f / "compressor", kind="compressor", config=held, tensors=net.state_dict())


DAMAGE = {
    "no model.json": (lambda f: (f / "model.json").unlink(), "no model of worldreel's: give"),
    "model.json cut": (lambda f: (f / "model.json").write_text("{"), "model.json cannot be used"),
    "a list": (lambda f: (f / "model.json").write_text("[]"), "model.json cannot be used"),
    "another key": (lambda f: edit(f / "model.json", odd=1), "'odd'"),
    "another sampler": (lambda f: edit(f / "model.json", sampler="magic"), "euler, heun, ab2"),
    "parts of nobody's": (lambda f: edit(f / "model.json", shares="nobody"), "of 'nobody'"),
    "no steps": (lambda f: edit(f / "model.json", steps=0), "steps"),
    "levels the wrong way": (
        lambda f: edit(f / "model.json", guidance_interval=[0.8, 0.2]),
        "context_interval makes no sense",
    ),
    "text for a number": (lambda f: edit(f / "model.json", flow_shift="2"), "model.json cannot"),
    "no text": (lambda f: shutil.rmtree(f / "text"), "text is no checkpoint: it has no config"),
    "no dit": (lambda f: shutil.rmtree(f / "dit"), "dit is no checkpoint: it has no config.json"),
    "no weights": (lambda f: (f / "dit/weights.safetensors").unlink(), "is missing: fetch"),
    "damaged": (lambda f: flip(f / "compressor/weights.safetensors"), "is damaged"),
    "truncated": (
        lambda f: (f / "dit/weights.safetensors").write_bytes(b"x" * 99),
        "99 bytes of .* truncated",
    ),
    "foreign": (
        lambda f: (f / "dit/config.json").write_text('{"_class_name": "WanTransformer3DModel"}'),
        "not worldreel's: convert",
    ),
    "two kinds mixed up": (
        lambda f: shutil.copytree(f / "dit", f / "text", dirs_exist_ok=True),
        "of kind 'dit', not 'text': give",
    ),
    "an unknown key": (lambda f: edit_config(f / "dit", odd=1), "dit holds .*unknown key 'odd'"),
    "a wrong width": (lambda f: edit_config(f / "dit", dim=48), "dit holds .*table is .*fetch"),
    "a width of text": (lambda f: edit_config(f / "dit", dim="wide"), "cannot|can be built"),
    "no lexicon": (lambda f: edit_config(f / "text", lexicon=None), "text holds no model"),
    "no labels": (lambda f: edit_config(f / "text", labels=[]), "text holds no model"),
    "parts of two models": (other_compressor, "parts of .* are of different models"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_bad_folder_is_one_line_that_says_what_to_do(tiny_model, tmp_path, what):
    copy = tmp_path / "model"
    shutil.copytree(tiny_model, copy)
    damage, says = DAMAGE[what]
    damage(copy)
    with pytest.raises(CheckpointError, match=says) as error:
        engine.load(copy)
    message = str(error.value)
    assert str(copy) in message and len(message) < 600
    assert any(word in message for word in ("fetch", "give ", "convert"))


def test_what_a_model_has_not_it_shares_with_another(tiny_model, tmp_path, monkeypatch, capsys):
    """A folder of a transformer alone, that paints what the whole model paints."""
    monkeypatch.setattr(shelf, "PACKAGED", tiny_model.parent)
    monkeypatch.setattr(loading, "PACKAGED", tiny_model.parent)
    alone = tmp_path / "alone"
    shutil.copytree(tiny_model / "dit", alone / "dit")
    shutil.copy(tiny_model / "model.json", alone)
    edit(alone / "model.json", shares=tiny_model.name, steps=3, guidance_scale=1.0)
    asked = {"num_frames": 4, "size": (64, 64), "seed": 1}
    ours, theirs = worldreel.load(alone), worldreel.load(tiny_model)
    made = ours.generate("a red ball", **asked)
    known = theirs.generate("a red ball", num_inference_steps=3, guidance_scale=1.0, **asked)
    assert (made.frames == known.frames).all()
    assert loading.described(alone)[0].dit == loading.described(tiny_model)[0].dit
    assert main(["prompt", "a red ball", "--model", str(alone), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_unknown_models_devices_and_dtypes_are_refused(tiny_model, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CheckpointError, match="no model of worldreel's"):
        engine.load(tmp_path / "file")
    for asked, says in (
        (dict(model="no-such-model"), "no model 'no-such-model'"),
        (dict(model=""), "no model ''"),
        (dict(dtype="float8"), "unknown dtype 'float8': one of auto, float32, bfloat16"),
        (dict(device="abacus"), "unknown device 'abacus': one of auto, cpu, cuda"),
        (dict(device="meta"), "unknown device 'meta'"),
        (dict(device="cuda:99"), "no cuda:99: `worldreel doctor`"),
        (dict(threads=0), "0 threads"),
    ):
        with pytest.raises(RequestError, match=says) as error:
            engine.load(**{"model": tiny_model, **asked})
        assert "\n" not in str(error.value)


def test_threads_and_dtype_are_as_asked(tiny_model):
    before = torch.get_num_threads()
    try:
        loaded = engine.load(tiny_model, threads=1, dtype="bfloat16", device="cpu")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert loaded.dit.dtype == loaded.compressor.dtype == torch.bfloat16
    assert worldreel.load(tiny_model).dit.dtype == device.best_dtype(torch.device("cpu"))[0]


# What a machine and a model may be.


@pytest.mark.parametrize(
    ("own", "capped", "expected"),
    [
        ((), None, torch.float32),
        (("avx512_bf16",), None, torch.bfloat16),
        (("amx_tile",), None, torch.bfloat16),
        (("avx512_bf16", "amx_tile"), "AVX2", torch.float32),
        (("avx512_bf16", "amx_tile"), "avx2", torch.float32),
        (("avx512_bf16",), "AVX512_CORE", torch.float32),
        (("avx512_bf16",), "AVX512_CORE_BF16", torch.bfloat16),
        (("avx512_bf16",), "ALL", torch.bfloat16),
        ((), "AVX512_CORE_AMX", torch.float32),
    ],
)
def test_bfloat16_is_for_processors_that_multiply_it(monkeypatch, own, capped, expected):
    for name in ("avx512_bf16", "amx_tile"):
        monkeypatch.setattr(torch.cpu, f"_is_{name}_supported", lambda have=name in own: have)
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    if capped is not None:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", capped)
    dtype, why = device.best_dtype(torch.device("cpu"))
    assert dtype == expected and why
    assert (capped is None or not own or expected is torch.bfloat16) or capped in why
    assert device.best_dtype(torch.device("cuda"))[0] == torch.bfloat16


@pytest.mark.parametrize(
    ("own", "capped", "expected"),
    [
        (("avx512_bf16", "amx_tile"), "", "amx"),
        (("avx512_bf16", "amx_tile"), "avx512_core_amx", "amx"),
        (("avx512_bf16", "amx_tile"), "AVX512_CORE_BF16", "avx512_bf16"),
        (("avx512_bf16", "amx_tile"), "AVX512_CORE_FP16", "avx512_bf16"),
        (("avx512_bf16", "amx_tile"), "AVX512_CORE", ""),
        (("avx512_bf16",), "", "avx512_bf16"),
        ((), "", ""),
    ],
)
def test_what_multiplies_bfloat16(monkeypatch, own, capped, expected):
    for name in ("avx512_bf16", "amx_tile"):
        monkeypatch.setattr(torch.cpu, f"_is_{name}_supported", lambda have=name in own: have)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", capped)
    assert processor.multiplier() == expected


def test_marbles_limits_are_those_that_requests_are_checked_against():
    """The command line refuses a request before it loads weights: by `Limits()`."""
    recipe = runpy.run_path(str(ROOT / "recipes/marble.py"))
    for settings in (recipe["SETTINGS"], settings_of(checkpoint.PACKAGED / "marble")):
        marble = engine.Engine.__new__(engine.Engine)
        marble.settings, marble.public = settings, None
        marble.compressor = Compressor(presets.TINY_COMPRESSOR)
        assert marble.limits == Limits()


@pytest.mark.parametrize("model", ["marble", "marble-few"])
def test_a_packaged_models_limits_are_known_before_it_is_loaded(model):
    known = packaged(model)
    assert known is not None and known == worldreel.load(model).limits
    assert known.name == model and known.default_steps == {"marble": 20, "marble-few": 4}[model]


def test_what_is_not_packaged_has_no_limits_yet(tiny_model):
    assert [packaged(name) for name in ("", "..", "marble/..", str(tiny_model), "tiny")] == [
        None
    ] * 5
