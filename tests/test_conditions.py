"""Public weights that are shown pixels: as diffusers' own pipelines, and what may be asked."""

import sys
import types

import numpy as np
import pytest
import torch

from tests.tiny_wan import letters, psnr, saved
from worldreel import conditions, engine
from worldreel.cli import main
from worldreel.errors import RequestError
from worldreel.models.wan_models import MODELS
from worldreel.public import Public
from worldreel.request import Request, RequestWarning, plan

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::worldreel.request.RequestWarning"),
]

KINDS = ("first", "control")
SMALL = {"size": (64, 64), "num_inference_steps": 4}
ASKED = {"num_frames": 9, **SMALL}
LIMITS = {
    m.name: Public(model=m).limits(patch=2, stride=m.vae.stride, reach=39)
    for m in MODELS
    if m.pictures in KINDS
}


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {kind: saved(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}


@pytest.fixture(scope="module")
def engines(folders):
    return {k: engine.load(v[0], dtype="float32", text=letters()) for k, v in folders.items()}


class Names(types.ModuleType):
    """A package of which nothing is used but names: text encoders are not run here."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@pytest.fixture(scope="module")
def pipelines():
    """diffusers' own pipelines of I2V and VACE, whether transformers is there or not."""
    with pytest.MonkeyPatch.context() as patch:
        import diffusers.loaders

        if not hasattr(diffusers.loaders, "WanLoraLoaderMixin"):
            patch.setattr(
                diffusers.loaders, "WanLoraLoaderMixin", type("Lora", (), {}), raising=False
            )
            patch.setitem(sys.modules, "transformers", Names("transformers"))
        from diffusers.pipelines.wan.pipeline_wan_i2v import WanImageToVideoPipeline
        from diffusers.pipelines.wan.pipeline_wan_vace import WanVACEPipeline
    return {"first": WanImageToVideoPipeline, "control": WanVACEPipeline}


def theirs(pipelines, folders, model, kind, latents, **asked):
    """Latents by diffusers' own pipeline, from our noise and our text states."""
    _, transformers, vae, scheduler = folders[kind]
    second = transformers[1] if len(transformers) > 1 else None
    more = {"image_processor": None, "image_encoder": None, "boundary_ratio": 0.9}
    pipe = pipelines[kind](
        tokenizer=None,
        text_encoder=None,
        vae=vae,
        scheduler=scheduler,
        transformer=transformers[0],
        transformer_2=second,
        **(more if kind == "first" else {}),
    )
    pipe.set_progress_bar_config(disable=True)
    states, nothing = (model.text.states(words)[0] for words in ("a cube", ""))
    noise = torch.randn((1, 16, latents, 8, 8), generator=torch.Generator().manual_seed(0))
    return pipe(
        latents=noise,
        prompt_embeds=states,
        negative_prompt_embeds=nothing,
        num_frames=9,
        height=64,
        width=64,
        num_inference_steps=4,
        output_type="latent",
        return_dict=False,
        **asked,
    )[0]


def still(pixels):
    from PIL import Image

    return Image.fromarray(pixels)


@pytest.mark.parametrize("last", [None, 2])
def test_a_first_picture_equals_diffusers(last, folders, engines, pipelines):
    """I2V, with and without a last picture: all latents but the first, which is the picture's."""
    model, end = engines["first"], None if last is None else picture(last)
    video = model.generate("a cube", image=picture(1), last_image=end, **ASKED)
    asked = {"image": still(picture(1)), "guidance_scale": 3.5}
    asked |= {"last_image": None if end is None else still(end)}
    x = theirs(pipelines, folders, model, "first", 3, **asked)
    assert psnr(video.latents[:, :, 1:], x[:, :, 1:], float(x.max() - x.min())) > 60
    assert torch.equal(video.latents[:, :, :1], model.encode_still(picture(1)))


@pytest.mark.parametrize("shown", ["words", "first", "reference", "mask"])
def test_vace_equals_diffusers(shown, folders, engines, pipelines):
    model = engines["control"]
    clip = model.generate("a cube", seed=3, **ASKED)
    mask = np.zeros((64, 64), bool)
    mask[8:30, 16:61] = True  # no whole latents
    frames, free = np.full((9, 64, 64, 3), 128, np.uint8), np.full((9, 64, 64), 255, np.uint8)
    references = [picture(4)] if shown == "reference" else []
    if shown == "mask":
        frames, free = clip.frames, np.repeat(255 * mask[None].astype(np.uint8), 9, 0)
        frames = np.where(mask[..., None], 128, frames).astype(np.uint8)
        video = model.fill(clip, "a cube", mask=mask, seed=0, num_inference_steps=4)
    else:
        image = None if shown in ("words", "reference") else picture(1)
        video = model.generate("a cube", image=image, references=references, **ASKED)
        if image is not None:
            frames[0], free[0] = image, 0
    x = theirs(
        pipelines,
        folders,
        model,
        "control",
        3 + len(references),
        guidance_scale=5.0,
        video=[still(f) for f in frames],
        mask=[still(m) for m in free],
        reference_images=[still(r) for r in references] or None,
    )[:, :, len(references) :]
    ours, spread = video.latents, float(x.max() - x.min())
    painted = torch.ones(ours.shape, dtype=torch.bool)
    if shown == "first":
        painted[:, :, 0] = False
    if shown == "mask":
        painted[:] = False
        painted[..., 1:4, 2:8] = True
        assert torch.equal(ours[~painted], clip.latents[~painted])
    assert psnr(ours[painted], x[painted], spread) > 60


def test_what_is_known_of_the_frames():
    """The window is a clip of its own; a picture is the frame that was asked for, and one."""
    limits = LIMITS["wan2.1-vace-1.3b"]
    asked = {"keyframes": [("4f", picture(1))], "last_image": picture(2), "size": (64, 64)}
    made = plan(Request(prompt="a cube", num_frames=13, **asked), limits)
    seen = conditions.seen_of(made)
    assert seen.frames.shape == (16, 64, 64, 3)
    assert np.flatnonzero(seen.known).tolist() == [7, 15]  # frames 4 and 12, behind three more
    assert np.array_equal(seen.frames[7], picture(1))


def test_the_tasks_of_vace(engines):
    model, few = engines["control"], {"num_inference_steps": 2}
    clip = model.generate("a cube", **ASKED)
    longer = model.extend(clip, "a cube", num_frames=8, **few)
    assert torch.equal(longer.latents[:, :, :3], clip.latents)
    assert np.array_equal(longer.frames[:9], clip.frames)
    assert not any("words alone" in note for note in longer.notes)
    before = model.extend(clip, "a cube", num_frames=5, before=True, **few)
    assert before.frames.shape[0] == 14
    joined = model.connect(clip, clip, "a cube", num_frames=4, **few)
    assert joined.frames.shape[0] == 22
    wide = model.fill(clip, "a cube", canvas="96x64", **few)
    assert wide.frames.shape == (9, 64, 96, 3)
    assert np.array_equal(wide.frames[:, :, 16:80], clip.frames)
    filled = model.fill(clip, "a cube", time="5f:9f", region=(0, 0, 32, 64), **few)
    assert torch.equal(filled.latents[:, :, :2], clip.latents[:, :, :2])
    assert np.array_equal(filled.frames[:, :, 32:], clip.frames[:, :, 32:])
    assert model.edit(clip, "a ball", strength=0.5, **few).frames.shape == clip.frames.shape
    assert model.generate("a cube", num_frames=1, **SMALL).frames.shape[0] == 1
    held = {"keyframes": [("4f", picture(1), 0.5)], **ASKED}
    with pytest.raises(RequestError, match="one level .* wan2.2-ti2v-5b and marble can"):
        model.generate("a cube", **held)


def test_references_change_what_is_painted(engines):
    model = engines["control"]
    alone = model.generate("a cube", **ASKED)
    small = np.ascontiguousarray(picture(1)[:20, :30])  # scaled, and on white
    seen = model.generate("a cube", references=[small], **ASKED)
    two = model.generate("a cube", references=[small, picture(2)], **ASKED)
    assert alone.latents.shape == seen.latents.shape == two.latents.shape
    assert not torch.equal(alone.latents, seen.latents)
    assert not torch.equal(seen.latents, two.latents)
    assert seen.metadata["request"]["references"] == 1
    again = model.generate("a cube", references=[small], **ASKED)
    assert np.array_equal(again.frames, seen.frames)


def test_a_clip_goes_on_with_i2v(engines):
    """A window that begins amid a clip is a clip of its own: it is not shown what came before."""
    model = engines["first"]
    clip = model.generate("a cube", image=picture(1), **ASKED)
    with pytest.warns(RequestWarning, match="first picture"):
        longer = model.extend(clip, "a cube", num_frames=4, num_inference_steps=2)
    assert torch.equal(longer.latents[:, :, :3], clip.latents)
    again = model.retake(clip, "a cube", time="5f:9f", num_inference_steps=2)
    assert torch.equal(again.latents[:, :, :2], clip.latents[:, :, :2])


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "goes on from a first picture: .*wan2.2-ti2v-5b and wan2.1-vace-1.3b"),
        ({"last_image": picture(1)}, "goes on from a first picture"),
        ({"image": picture(1), "references": [picture(2)]}, "wan2.1-vace-1.3b and -14b do"),
    ],
)
def test_what_i2v_cannot_do_is_refused_and_who_can_is_said(asked, says):
    with pytest.raises(RequestError, match=says) as caught:
        plan(Request(prompt="a cube", **asked), LIMITS["wan2.2-i2v-a14b"])
    assert "\n" not in str(caught.value)


def test_i2v_refuses_parts_of_the_picture_and_edits(engines):
    model = engines["first"]
    clip = model.generate("a cube", image=picture(1), **ASKED)
    with pytest.raises(RequestError, match="whole frames alone: .*wan2.1-vace-1.3b"):
        model.fill(clip, "a cube", region=(0, 0, 32, 32))
    with pytest.raises(RequestError, match="goes on from a first picture"):
        model.edit(clip, "a cube", strength=0.5)


def test_how_their_makers_sample_them():
    """wan/configs/wan_i2v_A14B.py and generate.py of the public repositories."""
    by_name = {m.name: m for m in MODELS}
    i2v = by_name["wan2.2-i2v-a14b"]
    assert (i2v.steps, i2v.flow_shift, i2v.boundary, i2v.guidance) == (40, 5.0, 0.9, (3.5, 3.5))
    for name in ("wan2.1-vace-1.3b", "wan2.1-vace-14b"):
        made = by_name[name]
        assert (made.steps, made.flow_shift, made.guidance) == (50, 16.0, (5.0,))
        assert (made.frames, made.fps, made.boundary) == (81, 16, None)


def test_the_command_line_takes_references(folders, engines, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(engine, "load", lambda model, **_: engines["control"])
    monkeypatch.setattr("worldreel.plan.free_bytes", lambda device: 2**40)
    still(picture(1)).save("a.png")
    asked = ["generate", "a cube", "--model", str(folders["control"][0]), "--size", "64x64"]
    asked += ["--num-frames", "5", "--steps", "2", "--reference", "a.png", "--reference", "a.png"]
    assert main([*asked, "-o", "a.mp4", "--json"]) == 0
    assert '"num_frames": 5' in capsys.readouterr().out
    assert main(["generate", "a cube", "--reference", "a.png"]) == 2
    assert "takes no references: wan2.1-vace" in capsys.readouterr().err
