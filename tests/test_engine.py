"""The engine on a tiny random model: what is asked, what is kept, what is refused, and the laws."""

import dataclasses
import hashlib
import inspect
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from einops import rearrange
from PIL import Image
from torch import Generator, Tensor
from torch.nn import functional

from worldreel import canvas, engine, flow, prompt, tokens
from worldreel.cli import main
from worldreel.errors import MediaError, RequestError
from worldreel.media import Video
from worldreel.models.attention import rotary, rotate
from worldreel.models.dit import _gather, modulated
from worldreel.pictures import fitted
from worldreel.request import Request, RequestWarning

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL: dict[str, Any] = dict(size=(96, 64), num_inference_steps=3)  # 4x6 latents


@pytest.fixture(scope="module")
def model(tiny_model):
    return engine.load(tiny_model, dtype="float32")


def picture(width: int = 96, height: int = 64, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> bool:
    return bool((a - b).abs().max() <= tolerance * b.abs().max())


# What is asked.


def test_text_to_video(model):
    video = model.generate("a red ball", num_frames=12, **SMALL)
    assert video.frames.shape == (12, 64, 96, 3) and video.frames.dtype == np.uint8
    assert video.latents.shape == (1, 8, 3, 4, 6) and video.latents.dtype == torch.float32
    assert video.fps == 12 and video.frames.std() > 1
    video.latents.requires_grad_().square().sum().backward()  # a tensor like any other


def test_text_to_image(model):
    still = model.generate("a red ball", num_frames=1, **SMALL)
    assert still.frames.shape == (1, 64, 96, 3) and still.latents.shape[2] == 1


def test_image_to_video_keeps_the_picture_and_drops_its_repeats(model, tmp_path):
    pixels = picture()
    Image.fromarray(pixels).save(tmp_path / "first.png")
    kept = model.encode_still(pixels)
    assert kept.shape == (1, 8, 1, 4, 6)
    given = (pixels, Image.fromarray(pixels), tmp_path / "first.png", str(tmp_path / "first.png"))
    made = [model.generate("a ball", image=one, num_frames=12, **SMALL) for one in given]
    for video in made:
        assert torch.equal(video.latents[:, :, :1], kept)
        assert len(video) == 12 and video.latents.shape[2] == 4
        assert np.array_equal(video.frames, made[0].frames)
        assert video.metadata["request"]["image"] is True
    assert made[0].notes == []
    whole = model.decode(made[0].latents)[0]
    assert np.array_equal(whole[3:15], made[0].frames)
    shortest = model.generate("a ball", image=pixels, num_frames=4, **SMALL)
    assert len(shortest) == 4 and shortest.metadata["request"]["num_frames"] == 4


def test_first_and_last_picture(model):
    first, last = picture(seed=1), picture(seed=2)
    video = model.generate("a ball", image=first, last_image=last, num_frames=16, **SMALL)
    assert torch.equal(video.latents[:, :, :1], model.encode_still(first))
    assert torch.equal(video.latents[:, :, -1:], model.encode_still(last))
    assert len(video) == 16 and video.latents.shape[2] == 5
    video = model.generate("a ball", last_image=last, num_frames=8, **SMALL)
    assert torch.equal(video.latents[:, :, -1:], model.encode_still(last)) and len(video) == 8


def test_pictures_of_other_sizes_are_cut_and_noted(model):
    for asked, note in (
        (dict(image=picture(200, 64)), "the first picture, 200x64, was cut and scaled to 96x64"),
        (dict(last_image=picture(48, 32)), "the last picture, 48x32, was scaled to 96x64"),
    ):
        with pytest.warns(RequestWarning, match=note):
            assert model.generate("a ball", num_frames=8, **asked, **SMALL).notes == [note]
    for width, height in ((1, 1), (1, 900), (900, 1), (97, 64)):
        pixels, _ = fitted(picture(width, height), (96, 64))
        assert pixels.shape == (64, 96, 3)
    middle = np.zeros((64, 288, 3), np.uint8)
    middle[:, 96:192] = 200
    assert (fitted(middle, (96, 64))[0][:, 3:-3] == 200).all()


def test_negative_prompt_and_guidance(model):
    def go(**asked):
        return model.generate("a red ball", num_frames=8, **SMALL, **asked).latents

    plain = go(guidance_scale=1)
    with pytest.warns(RequestWarning, match="changes nothing at guidance scale 1"):
        assert torch.equal(plain, go(guidance_scale=1, negative_prompt="a cube"))
    guided = go()
    assert not close(guided, plain, 1e-3)
    assert not close(go(negative_prompt="a blue cube"), guided, 1e-3)
    with pytest.warns(RequestWarning, match="it changes nothing"):
        assert torch.equal(go(negative_prompt="zzz"), guided)
    assert close(go(negative_prompt="a red ball"), plain, 1e-4)  # towards and away are the same
    assert model.settings.guidance_scale == 4 and torch.equal(go(guidance_scale=4), guided)


def test_guidance_counts_inside_its_interval_alone(model):
    def go(interval, scale=3.0):
        s = dataclasses.replace(model.settings, guidance_interval=interval, guidance_scale=scale)
        parts = {"text": model.text, "dit": model.dit, "compressor": model.compressor}
        made = engine.Engine(settings=s, device=model.device, **parts)
        return made.generate("a red ball", num_frames=8, **SMALL).latents

    plain, whole = go((0.0, 1.0), scale=1.0), go((0.0, 1.0))
    assert torch.equal(go((0.0, 0.0)), plain)  # no step is taken from level 0
    assert not close(go((0.0, 0.8)), whole, 1e-3) and not close(go((0.0, 0.8)), plain, 1e-3)


def test_other_words_make_another_video(model):
    one, other = (model.generate(t, num_frames=8, **SMALL).latents for t in ("red", "blue"))
    assert not close(one, other, 1e-3)


# The laws.


def test_a_blank_canvas_is_plain_text_to_video(model):
    """Law 2, against the sampler written out: no canvas, no tokens, no guidance."""
    made = model.generate("a red ball", num_frames=12, guidance_scale=1, seed=5, **SMALL).latents
    x = torch.randn(1, 8, 3, 4, 6, generator=Generator().manual_seed(5))
    words = model.dit.read([(None, prompt.read(model.text, "a red ball").states, None)], 1)
    pos = tokens.positions((3, 4, 6))[None]
    which = torch.zeros(1, 72, dtype=torch.long)
    sigmas = flow.schedule(3, shift=model.settings.flow_shift)
    for s, s_next in zip(sigmas, sigmas[1:], strict=False):
        bag, level = rearrange(x, "b c t h w -> b (t h w) c"), s.reshape(1, 1)
        v = model.dit(bag, level, level, which, pos, words)
        x = x + (s_next - s) * rearrange(v, "b (t h w) c -> b c t h w", t=3, h=4)
    assert close(made, x)


def test_weights_of_few_steps_are_guided_once(model, monkeypatch):
    """They are asked for means down to the next row, or with guidance for velocities alone."""
    preset = dataclasses.replace(model.dit.preset, target=True)
    dit = type(model.dit)(preset).requires_grad_(False)
    generator = Generator().manual_seed(6)
    for p in dit.parameters():
        torch.nn.init.normal_(p, std=0.15, generator=generator)
    asked = []
    monkeypatch.setattr(
        dit, "_levels", lambda *rows: asked.append(rows) or type(dit)._levels(dit, *rows)
    )
    monkeypatch.setattr(model, "dit", dit)
    rows = flow.schedule(3, shift=model.settings.flow_shift)
    for scale, targets in ((1, rows[1:]), (3, rows[:-1])):
        asked.clear()
        model.generate("a red ball", num_frames=8, guidance_scale=scale, **SMALL)
        assert [level.flatten()[0].item() for level, _ in asked] == rows[:-1].tolist()
        assert [target.flatten()[0].item() for _, target in asked] == targets.tolist()


def plain_velocity(dit, x, kept, sigma, states):
    """Every token at every step, who sees whom as a mask: nothing cached. x: 1 C T H W."""
    grid = x.shape[2:]
    flat, b = rearrange(x, "b c t h w -> b (t h w) c"), x.shape[0]
    pos = tokens.positions(grid).expand(b, -1, -1)
    still = rearrange(kept, "1 1 t h w -> (t h w)")
    level = torch.where(still, 0.0, sigma).expand(b, -1)
    which = torch.arange(len(still)).expand(b, -1)
    same = pos[0, :, 0, None] == pos[0, None, :, 0]
    seen = ~still[:, None] | (same & still[:, None] & still[None])
    said = torch.ones(1 + states.shape[1], dtype=torch.bool)
    said = torch.where(still[:, None], functional.one_hot(torch.tensor(0), len(said)) > 0, said)
    (read,) = dit.read([(None, states, None)], b)
    emb, six = dit._levels(level, level)
    mod, h = _gather(six, which), dit.patch_in(flat)
    rope = rotary(pos, dit.preset.dim // dit.preset.heads)
    attention = functional.scaled_dot_product_attention
    for i, block in enumerate(dit.blocks):
        m = (block.table[:, None] + mod).unbind(2)
        q, k, v = block.self_attn.project(modulated(h, m[0], m[1], block.eps, h.dtype))
        out = attention(rotate(q, rope), rotate(k, rope), v, attn_mask=seen)
        h = h + m[2] * block.self_attn.merge(out)
        cross = block.cross_attn
        q = rearrange(
            cross.norm_q(cross.q(block.norm(h))), "b n (h d) -> b h n d", h=dit.preset.heads
        )
        out = attention(q, read.keys[i], read.values[i], attn_mask=said)
        h = h + cross.out(rearrange(out, "b h n d -> b n (h d)"))
        y = functional.gelu(
            block.mlp_in(modulated(h, m[3], m[4], block.eps, h.dtype)), approximate="tanh"
        )
        h = h + m[5] * block.mlp_out(y)
    last = dit.table[:, None] + _gather(emb, which)[:, :, None]
    h = dit.head(modulated(h, last[:, :, 0], last[:, :, 1], dit.preset.eps, h.dtype))
    return rearrange(h, "b (t h w) c -> b c t h w", t=grid[0], h=grid[1])


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_cached_context_equals_uncached(model, scale):
    """Law 4: what is kept is shown once, and serves every step and both branches of guidance."""
    shape = (1, 8, 4, 2, 3)
    known = torch.randn(shape, generator=Generator().manual_seed(1))
    board = canvas.keep(canvas.blank(shape), known[:, :, :2])
    board = canvas.keep(board, known[:, :, 3:], at=3)
    states, against = (prompt.read(model.text, t).states for t in ("a red ball", "cube"))
    made = model.paint(board, [states], [against], seeds=[3], steps=3, guidance_scale=scale)
    assert torch.equal(made[:, :, :2], known[:, :, :2])
    x = canvas.start(board, torch.randn(shape, generator=Generator().manual_seed(3)))
    sigmas = flow.schedule(3, shift=model.settings.flow_shift)
    for s, s_next in zip(sigmas, sigmas[1:], strict=False):
        v, u = (plain_velocity(model.dit, x, board.kept, s, w) for w in (states, against))
        x = flow.step(x, u + scale * (v - u), canvas.levels(board, s), canvas.levels(board, s_next))
    assert close(made, x)


@pytest.mark.parametrize("kept", [False, True])
def test_a_batch_equals_its_clips_one_by_one(model, kept):
    """Law 5: two seeds, two prompts, one with a negative prompt and one without."""
    shape = (2, 8, 3, 4, 6)
    board = canvas.blank(shape)
    if kept:
        stills = torch.randn(2, 8, 1, 4, 6, generator=Generator().manual_seed(1))
        board = canvas.keep(board, stills)
    states = [prompt.read(model.text, t).states for t in ("a red ball", "blue cube rolls")]
    against = [prompt.read(model.text, "cube").states, None]
    both = model.paint(board, states, against, seeds=[7, 8], steps=3)
    for i in range(2):
        one = dataclasses.replace(
            board, known=board.known[i : i + 1], freedom=board.freedom[i : i + 1]
        )
        alone = model.paint(one, states[i : i + 1], against[i : i + 1], seeds=[7 + i], steps=3)
        assert close(both[i : i + 1], alone)


PROCESS = """
import hashlib, sys
from worldreel import engine
model = engine.load(sys.argv[1], dtype="float32", threads=int(sys.argv[2]))
video = model.generate("a red ball", num_frames=8, size=(96, 64), num_inference_steps=3, seed=9)
print(hashlib.sha256(video.frames.tobytes() + video.latents.numpy().tobytes()).hexdigest())
"""


def test_the_same_seed_gives_the_same_bytes(model, tiny_model):
    """Law 9: twice here, and in a process of its own."""

    def digest(seed: int) -> str:
        video = model.generate("a red ball", num_frames=8, seed=seed, **SMALL)
        return hashlib.sha256(video.frames.tobytes() + video.latents.numpy().tobytes()).hexdigest()

    assert digest(9) == digest(9) != digest(2**64 - 1)
    command = [sys.executable, "-c", PROCESS, str(tiny_model), str(torch.get_num_threads())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(9)


def test_decoding_is_streamed_and_equals_the_whole(model, monkeypatch):
    sizes, drawn = [], model.compressor._drawn

    def counted(latents, before):
        sizes.append(latents.shape[2])
        return drawn(latents, before)

    z = torch.randn(2, 8, 7, 4, 6, generator=Generator().manual_seed(2))
    whole = (model.compressor.decode(z).clamp(-1, 1) * 127.5 + 127.5).round()
    monkeypatch.setattr(model.compressor, "_drawn", counted)
    frames = model.decode(z)
    assert frames.shape == (2, 28, 64, 96, 3) and frames.dtype == np.uint8
    assert sizes == [3, 3, 3]  # as many each time: the same bytes whatever stands around
    for first in range(2, 6):
        assert np.array_equal(model.decode(z[:, :, first - 2 :])[:, 8:], frames[:, 4 * first :])
        later = model.decode(z[:, :, first:], past=z[:, :, first - 2 : first])
        assert np.array_equal(later, frames[:, 4 * first :])
    whole = rearrange(whole, "b c f h w -> b f h w c").numpy()
    assert np.abs(whole - frames).max() <= 1  # a rounding that falls the other way


def test_parts_of_attention_equal_the_whole_in_bf16(tiny_model, model, monkeypatch):
    """The faster way on a CPU in bf16 is the plain one: cut into parts, masked and not."""
    from worldreel.models import attention

    generator = Generator().manual_seed(1)
    q, k, v = (torch.randn(2, 3, 70, 16, generator=generator).bfloat16() for _ in range(3))
    mask = torch.rand(2, 70, generator=generator) > 0.3
    for seen in (None, mask):
        bias = None if seen is None else seen[:, None, None]
        exact = functional.scaled_dot_product_attention(
            q.float(), k.float(), v.float(), attn_mask=bias
        )
        whole = attention.attend(q, k, v, seen)
        with monkeypatch.context() as patch:
            patch.setattr(attention, "_CACHED", 1)
            parts = attention.attend(q, k, v, seen)
        assert close(whole.float(), exact, 2e-2) and close(parts.float(), whole.float(), 1e-2)
    half = engine.load(tiny_model, dtype="bfloat16").generate("a red ball", num_frames=8, **SMALL)
    full = model.generate("a red ball", num_frames=8, **SMALL)
    assert close(half.latents, full.latents, 0.1)


# What is told.


def test_progress_is_in_order_and_complete(model):
    told = []
    model.generate("a ball", num_frames=16, progress=lambda *said: told.append(said), **SMALL)
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == ["prompt", "paint", "decode"]
    stages = {s: [(done, total) for stage, done, total in told if stage == s] for s, _, _ in told}
    assert stages["prompt"] == [(0, 1), (1, 1)]
    assert stages["paint"] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert stages["decode"] == [(0, 4), (3, 4), (4, 4)]


def test_metadata_says_how_it_was_made(model):
    video = model.generate("A red 球", seconds=1, seed=4, **SMALL)
    told = video.metadata
    assert told["request"]["prompt"] == "A red 球" and told["request"]["seed"] == 4
    assert told["request"]["num_frames"] == 12 and told["request"]["model"] == "tiny"
    assert told["words"]["read"] == ["a", "red", "球"]
    assert set(told["seconds"]) == {"prompt", "paint", "decode"}
    assert all(seconds > 0 for seconds in told["seconds"].values())
    assert video.notes == []  # and no warning, which would be an error here
    json.dumps(told)


def test_what_differs_from_what_was_asked_is_a_warning(model, tmp_path):
    """Every note is a warning, where the caller stands, and in the notebook's picture."""
    asked: dict[str, Any] = dict(seconds=1.1, negative_prompt="cube dragon", **SMALL)
    with pytest.warns(RequestWarning) as warned:
        video = model.generate("A red balls rolls, <zebra> 球", **asked)
    assert video.metadata["words"]["ignored"] == ["zebra"]
    assert video.metadata["words"]["mapped"] == {"balls": "ball"}
    assert (
        video.notes
        == [str(one.message) for one in warned]
        == [
            "1.1 s became 12 frames (1.0 s): clips are whole groups of four frames",
            "read 'balls' as 'ball'",
            "tiny does not know 'zebra'",
            "of the negative prompt, tiny does not know 'dragon'",
        ]
    )
    assert {one.filename for one in warned} == {__file__}
    assert Video.open(video.save(tmp_path / "a.mp4")).notes == video.notes
    assert "note: tiny does not know &#x27;zebra&#x27;" in video._repr_html_()
    with pytest.warns(RequestWarning, match="no word of this prompt: the video shows") as warned:
        model.generate("zzz", num_frames=4, **SMALL)
    assert len(warned) == 1
    many = " ".join(["red", *(f"q{'x' * n}" for n in range(30))])
    with pytest.warns(RequestWarning, match="and 18 other words"):
        assert len(model.generate(many, num_frames=4, **SMALL).metadata["words"]["ignored"]) == 30


def test_parameters_have_names(model):
    """`help` shows what may be asked, as `Request` has it; a wrong name is explained."""
    shown = inspect.signature(model.generate).parameters
    fields = {f.name: f.default for f in dataclasses.fields(Request)}
    for name, parameter in shown.items():
        assert name in ("prompt", "progress") or parameter.default == fields[name], name
    with pytest.raises(RequestError, match="no parameter 'steps': did you mean num_inference_st"):
        model.generate("a ball", steps=10)
    assert len(model.generate(prompt="a ball", num_frames=1, **SMALL)) == 1


def test_from_the_command_line_to_a_file(tiny_model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    args = f"generate red -o a.mp4 --model {tiny_model} --size 96x64 --steps 2 --seconds 1 --json"
    assert main([*args.split(), "--image", str(Path("p.png"))]) == 2
    assert "p.png cannot be read" in capsys.readouterr().err
    assert main(args.split()) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["width"], told["height"], told["num_frames"]) == (96, 64, 12)
    assert set(told["seconds"]) == {"load", "prompt", "paint", "decode", "save", "total"}
    assert told["words"]["read"] == ["red"]
    assert len(Video.open("a.mp4")) == 12
    assert Video.open("a.mp4", latents=True).latents.shape == (1, 8, 3, 4, 6)


# What is refused.


def test_pictures_must_leave_something_to_paint(model):
    one = picture()
    for asked in (
        dict(last_image=one, num_frames=1),
        dict(image=one, num_frames=1),
        dict(last_image=one, num_frames=4),
        dict(image=one, last_image=one, num_frames=4),
    ):
        with pytest.raises(RequestError, match="nothing to paint: ask for") as error:
            model.generate("a ball", **asked, **SMALL)
        assert "\n" not in str(error.value)
    with pytest.raises(MediaError, match="uint8"):
        model.generate("a ball", image=one.astype(np.float32), num_frames=8, **SMALL)
    with pytest.raises(MediaError, match="cannot be read"):
        model.generate("a ball", image="no/such.png", num_frames=8, **SMALL)


def test_bad_requests_are_refused(model):
    for asked, says in (
        (dict(seconds=-1), "above zero"),
        (dict(size=(100, 64)), "nearest size is 96x64"),
        (dict(num_frames=10_000), "too long"),
        (dict(num_inference_steps=0), "steps"),
        (dict(guidance_scale=math.nan), "finite"),
    ):
        with pytest.raises(RequestError, match=says):
            model.generate("a ball", **asked)
    with pytest.raises(RequestError, match="empty"):
        model.generate(" ")
    with pytest.raises(RequestError, match="characters"):
        model.generate("ball " * 2_000_000)
