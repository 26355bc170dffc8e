"""Public Wan weights through our engine: equal to an independent implementation, and our tasks."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.tiny_wan import letters, psnr, saved
from worldreel import engine, public
from worldreel.errors import CheckpointError, MissingExtraError, RequestError
from worldreel.request import Request, RequestWarning

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::worldreel.request.RequestWarning"),
]

KINDS = ("t2v", "pair", "level")
FRAMES = 9


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """{kind: (folder, diffusers' transformers, VAE and scheduler)}, as diffusers saves them."""
    return {kind: saved(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}


@pytest.fixture(scope="module")
def engines(folders):
    return {
        k: engine.load(v[0], dtype="float32", text=letters(), way="all resident")
        for k, v in folders.items()
    }


@torch.no_grad()
def theirs(parts, states, nothing, noise, *, steps, scales, kept=None):
    """Pixels F H W 3, 0 to 255, by WanPipeline's loop over diffusers' own components.

    kept: latents of the first frame, put in at every step with a level of 0, as its pipeline of
    pictures does for TI2V-5B.
    """
    _, transformers, vae, scheduler = parts
    scheduler.set_timesteps(steps)
    x = noise
    mask = torch.ones_like(x)
    if kept is not None:
        mask[:, :, :1] = 0
    for t in scheduler.timesteps:
        at = 0 if len(transformers) == 1 or t >= 875 else 1
        time = t.expand(1)
        seen = x if kept is None else (1 - mask) * kept + mask * x
        if kept is not None:
            time = (mask[0, 0, :, ::2, ::2] * t).flatten()[None]
        said, unsaid = (
            transformers[at](
                hidden_states=seen, timestep=time, encoder_hidden_states=h, return_dict=False
            )[0]
            for h in (states, nothing)
        )
        v = unsaid + scales[at] * (said - unsaid)
        x = scheduler.step(v, t, x, return_dict=False)[0]
    if kept is not None:
        x = (1 - mask) * kept + mask * x
    mean, std = (
        torch.tensor(vae.config[name]).view(1, -1, 1, 1, 1)
        for name in ("latents_mean", "latents_std")
    )
    pixels = vae.decode(x * std + mean, return_dict=False)[0].clamp(-1, 1)
    return x, (pixels[0].permute(1, 2, 3, 0) * 127.5 + 127.5).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_text_to_video_equals_diffusers(kind, folders, engines):
    """From the same noise and states: the same latents and pixels, at 60 dB and more."""
    model, steps = engines[kind], 8
    video = model.generate(
        "a red ball", num_frames=FRAMES, size=(64, 64), seed=4, num_inference_steps=steps
    )
    assert video.frames.shape == (FRAMES, 64, 64, 3)
    noise = torch.randn(video.latents.shape, generator=torch.Generator().manual_seed(4))
    states, nothing = (model.text.states(words)[0] for words in ("a red ball", ""))
    scales = {"t2v": (5.0,), "pair": (4.0, 3.0), "level": (5.0,)}[kind]
    x, pixels = theirs(folders[kind], states, nothing, noise, steps=steps, scales=scales)
    assert psnr(video.latents, x, float(x.max() - x.min())) > 60
    told = model.compressor.decode(video.latents)[0].permute(1, 2, 3, 0) * 127.5 + 127.5
    assert psnr(told, pixels, 255) > 60
    assert np.abs(video.frames - pixels).max() < 0.6  # what is left is the rounding to bytes
    assert video.frames.std() > 5


def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)


SMALL = {"size": (64, 64), "num_inference_steps": 4}


def test_a_first_picture_equals_diffusers(folders, engines):
    """TI2V-5B: what is kept has a level of 0 of its own, as in diffusers' pipeline of pictures."""
    model, vae = engines["level"], folders["level"][2]
    video = model.generate("a cube", image=picture(), num_frames=FRAMES, **SMALL)
    assert not any("words alone" in note for note in video.notes)
    pixels = torch.tensor(picture()).permute(2, 0, 1)[None, :, None].float() / 127.5 - 1
    kept = vae.encode(pixels).latent_dist.mode()
    kept = (kept - torch.tensor(vae.config.latents_mean)[:, None, None, None]) / 1.3
    noise = torch.randn(video.latents.shape, generator=torch.Generator().manual_seed(0))
    states, nothing = (model.text.states(words)[0] for words in ("a cube", ""))
    asked = {"steps": 4, "scales": (5.0,), "kept": kept}
    x, shown = theirs(folders["level"], states, nothing, noise, **asked)
    assert psnr(video.latents, x, float(x.max() - x.min())) > 60
    assert psnr(video.frames, shown, 255) > 50  # bytes


def test_what_is_kept_stays_for_models_of_one_level(engines):
    """Approximate is how the rest follows: kept latents and frames are bit for bit as they were."""
    model = engines["t2v"]
    first = model.generate("a cube", num_frames=FRAMES, seed=1, **SMALL)
    with pytest.warns(RequestWarning, match="words alone"):
        longer = model.extend(first, "a cube", num_frames=4, num_inference_steps=4)
    assert longer.frames.shape[0] == FRAMES + 4
    assert torch.equal(longer.latents[:, :, :3], first.latents)
    assert np.array_equal(longer.frames[:FRAMES], first.frames)
    whole = model.compressor.decode(longer.latents)[0].permute(1, 2, 3, 0)
    assert np.abs(longer.frames - (whole * 127.5 + 127.5).numpy()).max() < 0.6
    again = model.extend(first, "a cube", num_frames=4, num_inference_steps=4)
    assert np.array_equal(again.frames, longer.frames)  # the same seed, the same bytes


@pytest.mark.parametrize("kind", ["t2v", "level"])
def test_the_tasks(kind, engines):
    model = engines[kind]
    clip = model.generate("a cube", num_frames=FRAMES, **SMALL)
    steps = {"num_inference_steps": 2}
    before = model.extend(clip, "a cube", num_frames=5, before=True, **steps)
    assert before.frames.shape[0] == 5 + FRAMES
    joined = model.connect(clip, clip, "a cube", num_frames=4, **steps)
    assert joined.frames.shape[0] == 2 * FRAMES + 4
    assert np.array_equal(joined.frames[:FRAMES], clip.frames)
    held = model.generate(
        "a cube", image=picture(), last_image=picture(), num_frames=FRAMES, **SMALL
    )
    assert held.frames.shape[0] == FRAMES
    filled = model.fill(clip, "a cube", region=(0, 0, 32, 64), **steps)
    assert np.array_equal(filled.frames[:, :, 32:], clip.frames[:, :, 32:])
    assert not np.array_equal(filled.frames[:, :, :32], clip.frames[:, :, :32])
    assert model.edit(clip, "a cube", strength=0.5, **steps).frames.shape == clip.frames.shape
    assert model.generate("a cube", num_frames=1, **SMALL).frames.shape[0] == 1
    with pytest.raises(RequestError, match="makes no loops"):
        model.loop("a cube", **SMALL)


def test_a_clip_in_a_file_goes_on_from_its_latents(engines, tmp_path):
    model = engines["t2v"]
    clip = model.generate("a cube", num_frames=FRAMES, **SMALL)
    clip.save(tmp_path / "a.mp4")
    longer = model.extend(tmp_path / "a.mp4", num_frames=4, num_inference_steps=2)
    assert torch.equal(longer.latents[:, :, :3], clip.latents)
    (tmp_path / "a.reel").unlink()
    foreign = model.extend(tmp_path / "a.mp4", "a cube", num_frames=4, num_inference_steps=2)
    assert foreign.frames.shape[0] == FRAMES + 4


def test_one_level_refuses_several_strengths(engines):
    asked = {"keyframes": [("4f", picture(), 0.5)], "num_frames": FRAMES, **SMALL}
    with pytest.raises(RequestError, match="one level .* wan2.2-ti2v-5b and marble can"):
        engines["t2v"].generate("a cube", **asked)
    assert engines["level"].generate("a cube", **asked).frames.shape[0] == FRAMES


def test_levels_are_told_in_thousandths():
    sigmas = torch.tensor([1.0, 0.9, 0.8754, 0.0])
    assert public.thousandths(sigmas).mul(1000).round().tolist() == [999, 900, 875, 0]


def test_lengths_are_one_and_whole_groups(engines):
    video = engines["t2v"].generate("a cube", seconds=0.5, **SMALL)
    assert len(video.frames) == 9 and not any("became" in note for note in video.notes)
    video = engines["t2v"].generate("a cube", num_frames=12, **SMALL)
    assert len(video.frames) == 13
    assert any("12 frames became 13 frames" in note for note in video.notes)


def test_what_is_missing_is_named(folders):
    with pytest.raises(CheckpointError, match="has no text encoder"):
        engine.load(folders["t2v"][0])
    with pytest.raises(CheckpointError, match="has no autoencoder"):
        engine.load(folders["t2v"][0] / "transformer", text=letters())


def test_without_the_extra_the_error_says_what_to_install(folders, tmp_path, monkeypatch):
    folder = shutil.copytree(folders["t2v"][0], tmp_path / "whole")
    for name in ("text_encoder", "tokenizer"):
        (folder / name).mkdir()
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"extra 'wan' brings: pip install .*\[wan\]"):
        engine.load(folder)


def test_long_prompts_are_cut_and_that_is_said(engines):
    video = engines["t2v"].generate("a cube &amp;amp; a balloon", num_frames=5, **SMALL)
    assert any("long: its last 3 words" in note for note in video.notes)


def test_a_lora_is_written_into_both_experts(folders, engines, tmp_path):
    from worldreel import lora
    from worldreel.models.places import places

    preset = engines["pair"].dit.preset
    place = places(preset)[0]["blocks.0.attn1.to_out.0"]
    rows, columns = place.shape
    down, up = torch.randn(2, columns), torch.randn(rows, 2)
    style = lora.Lora(name="style", deltas=(lora.Delta(place=place, down=down, up=up, alpha=2.0),))
    lora.save(tmp_path / "style.safetensors", style)
    asked = {"dtype": "float32", "text": letters(), "way": "all resident"}
    model = engine.load(folders["pair"][0], loras=[(tmp_path / "style.safetensors", 0.5)], **asked)
    for made, plain in (
        (model.dit, engines["pair"].dit),
        (model.public.low, engines["pair"].public.low),
    ):
        change = made.blocks[0].self_attn.out.weight - plain.blocks[0].self_attn.out.weight
        assert torch.allclose(change, 0.5 * up @ down, atol=1e-5)
    video = model.generate("a cube", num_frames=5, **SMALL)
    assert video.metadata["request"]["loras"] == [["style", 0.5]]
    with pytest.raises(CheckpointError, match="a pair is one of each"):
        engine.load(folders["pair"][0], loras=[(folders["pair"][0] / "vae", 1.0)], **asked)


def test_the_command_line(folders, engines, monkeypatch, tmp_path, capsys):
    from worldreel.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(engine, "load", lambda model, **_: engines["t2v"])
    monkeypatch.setattr("worldreel.plan.free_bytes", lambda device: 2**40)
    for part in ("_complete", "_hears"):  # the folder has no text encoder
        monkeypatch.setattr(f"worldreel.loading.{part}", lambda *_: None)
    at = ["--model", str(folders["t2v"][0])]
    asked = ["generate", "a cube", *at, "--size", "64x64", "--num-frames", "9", "--steps", "2"]
    assert main([*asked, "--plan"]) == 0
    told = capsys.readouterr().out
    assert "64x64, 9 frames" in told and "<- the first that fits" in told
    assert main([*asked, "--plan", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["chosen"] == "all resident"
    assert main([*asked, "-o", "a.mp4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_frames"] == 9
    assert main(["extend", "a.mp4", *at, "--seconds", "4f", "--steps", "2", "-o", "b.mp4"]) == 0
    capsys.readouterr()
    assert main([*asked, "--lora", "gone.safetensors:0.5"]) == 2
    assert "there is no file gone.safetensors" in capsys.readouterr().err
    monkeypatch.setattr("worldreel.plan.free_bytes", lambda device: 2**20)
    assert main([*asked, "-o", "c.mp4"]) == 2
    err = capsys.readouterr().err
    assert "nothing fits" in err and err.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "a.reel", "b.mp4", "b.reel"]


@pytest.mark.parametrize(
    "way",
    [
        "text encoder freed after use",
        "one network at a time",
        "decoded latent by latent; text encoder by layers; blocks streamed",
    ],
)
def test_less_memory_gives_the_same_bytes(folders, engines, way):
    """What is computed is the same when weights come from their files just before use."""
    made = engine.load(folders["pair"][0], dtype="float32", text=letters(), way=way)
    held = [p.untyped_storage().nbytes() for p in made.dit.parameters()]
    assert max(held) <= 4  # nothing is read yet
    asked = {"image": picture(), "num_frames": 5, **SMALL}
    video, truth = (e.generate("a cube", **asked) for e in (made, engines["pair"]))
    assert made.turns.most == 1 and made.space == engines["pair"].space
    assert torch.equal(video.latents, truth.latents)
    off = np.abs(video.frames.astype(int) - truth.frames)
    assert off.max() <= (made.way.at_once == 1)  # smaller sums round otherwise


def test_weights_in_8_bits_are_near(folders, engines):
    made = engine.load(folders["t2v"][0], dtype="float32", text=letters(), weights="int8")
    assert made.dit.blocks[0].mlp_in.weight.dtype == torch.int8 and made.way.bits8
    asked = {"num_frames": 5, "seed": 3, **SMALL}
    near, truth = (e.generate("a cube", **asked).latents for e in (made, engines["t2v"]))
    assert not torch.equal(near, truth)
    assert torch.cosine_similarity(near.flatten(), truth.flatten(), 0) > 0.999
    for wrong in ({"weights": "int4"}, {"way": "magic"}):
        with pytest.raises(RequestError, match="weights are|unknown way"):
            engine.load(folders["t2v"][0], text=letters(), **wrong)


def test_loading_takes_the_first_way_that_fits(folders, monkeypatch):
    monkeypatch.setattr("worldreel.plan.free_bytes", lambda device: 2**20)
    made = engine.load(folders["t2v"][0], dtype="float32", text=letters())
    assert made.way.freed and made.way.in_turn and not made.way.bits8


def test_a_plan_refuses_what_a_run_would(folders, monkeypatch, tmp_path, capsys):
    from worldreel.cli import main

    at = ["generate", "a cube", "--model", str(folders["t2v"][0]), "--size", "64x64", "--plan"]
    assert main(at) == 2
    assert "has no text encoder" in capsys.readouterr().err
    for part in ("_complete", "_hears"):
        monkeypatch.setattr(f"worldreel.loading.{part}", lambda *_: None)
    other = tmp_path / "other.safetensors"
    wide = {f"diffusion_model.blocks.0.self_attn.q.lora_{k}.weight": s for k, s in
            (("A", torch.zeros(2, 99)), ("B", torch.zeros(99, 2)))}  # fmt: skip
    save_file(wide, other)
    assert main([*at, "--lora", str(other)]) == 2
    assert "other.safetensors" in capsys.readouterr().err


def test_weights_that_are_not_finite_make_no_video(folders, tmp_path):
    model = engine.load(folders["t2v"][0], dtype="float32", text=letters(), way="all resident")
    model.dit.blocks[0].self_attn.qkv.weight.data[0] = float("nan")
    with pytest.raises(CheckpointError, match="not finite"):
        model.generate("a cube", num_frames=5, **SMALL)
    film = model.film(Request(prompt="a cube", num_frames=5, model=model.limits.name, **SMALL))
    with pytest.raises(CheckpointError, match="not finite"):
        film.save(tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_a_scheduler_of_another_shift_is_told(folders, tmp_path):
    folder = shutil.copytree(folders["t2v"][0], tmp_path / "other")
    file = folder / "scheduler" / "scheduler_config.json"
    said = json.loads(file.read_text())
    file.write_text(json.dumps(said | {"flow_shift": 12.0}))
    asked = {"dtype": "float32", "text": letters(), "way": "all resident"}
    with pytest.warns(RequestWarning, match="shifts levels by 12; 5 is used"):
        engine.load(folder, **asked).generate("a cube", num_frames=5, **SMALL)
    file.write_text(json.dumps(said | {"flow_shift": "NaN"}))
    with pytest.raises(CheckpointError, match="flow_shift of nan"):
        engine.load(folder, **asked)


def test_a_transformer_may_be_a_pth_in_its_folder(folders, engines, tmp_path):
    folder = shutil.copytree(folders["t2v"][0], tmp_path / "pickled")
    (file,) = (folder / "transformer").glob("*.safetensors")
    torch.save(load_file(file), file.with_suffix(".pth"))
    file.unlink()
    model = engine.load(folder, dtype="float32", text=letters(), way="all resident")
    for (_, mine), (_, other) in zip(
        model.dit.named_parameters(), engines["t2v"].dit.named_parameters(), strict=True
    ):
        assert torch.equal(mine, other)


def test_marble_takes_loras_too(tiny_model, tmp_path):
    from worldreel import lora
    from worldreel.models.places import places

    plain = engine.load(tiny_model, dtype="float32")
    place = places(plain.dit.preset)[0]["blocks.1.ffn.0"]
    down, up = torch.randn(1, place.shape[1]), torch.randn(place.shape[0], 1)
    style = lora.Lora(name="style", deltas=(lora.Delta(place=place, down=down, up=up),))
    lora.save(tmp_path / "style.safetensors", style)
    made = engine.load(tiny_model, dtype="float32", loras=[(tmp_path / "style.safetensors", 2)])
    change = made.dit.blocks[1].mlp_in.weight - plain.dit.blocks[1].mlp_in.weight
    assert torch.allclose(change, 2 * up @ down, atol=1e-5)
    with pytest.raises(RequestError, match="a pair of its file and its strength"):
        engine.load(tiny_model, loras=["style.safetensors"])
