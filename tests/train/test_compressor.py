"""Laws of the compressor's training: a stop changes nothing, and `final` is always of use."""

import math

import pytest
import torch

from worldreel import checkpoint
from worldreel.data import clip
from worldreel.errors import MediaError, TrainingError
from worldreel.models.compressor import Compressor
from worldreel.parallel import Ranks
from worldreel.train import compressor, log, recipe

pytestmark = pytest.mark.usefixtures("one_thread")


def files(folder):
    state = checkpoint.latest(folder)
    assert state is not None
    return state.name, checkpoint._config(state)["files"]


@pytest.fixture(autouse=True)
def fits(monkeypatch):
    """How often the closed form was computed; what stands for it here takes no seconds."""
    count = []

    def fit(self, video, weight=None):
        count.append(len(video))
        self.basis.normal_(std=0.02, generator=torch.Generator().manual_seed(0))
        return self

    monkeypatch.setattr(Compressor, "fit", fit)
    return count


def test_stopping_after_every_step_changes_no_bit(tiny, tmp_path, fits):
    name = str(tiny / "tiny.py")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert compressor.main(name, out=whole)["step"] == 4
    for step in range(1, 5):
        told = compressor.main(name, out=parts, minutes=1e-9)
        assert told["step"] == step and math.isfinite(told["psnr_subject"])
        model = checkpoint.load_compressor(parts / "final", dtype=torch.float32)
        assert (model.stats[1] > 0).all() and not torch.equal(model.stats[1], torch.ones(8))
    assert fits == [768, 768], "once a run"
    assert files(parts) == files(whole)
    finals = [checkpoint.load(out / "final", kind="compressor").tensors for out in (parts, whole)]
    assert checkpoint.fingerprint(finals[0]) == checkpoint.fingerprint(finals[1])
    assert (parts / "metrics.svg").exists()
    assert [line["step"] for line in log.read(parts)][-1] == 4


def test_final_says_what_it_cost_and_is_repaired(tiny, tmp_path, capsys):
    name = str(tiny / "tiny.py")
    compressor.main(name, out=tmp_path)
    told = checkpoint.load(tmp_path / "final", kind="compressor").provenance
    assert (told["steps"], told["clips"], told["recipe"]) == (4, 16, "tiny")
    c = recipe.load(name, "compressor")
    assert told["flops"] == pytest.approx(4 * compressor.flops(c), rel=0.01)
    (tmp_path / "final/weights.safetensors").unlink()
    assert compressor.main(name, out=tmp_path)["psnr"] == told["psnr"]
    assert "has done all its 4 steps" in capsys.readouterr().err
    checkpoint.load_compressor(tmp_path / "final", dtype=torch.float32)


def test_flops_are_those_of_a_forward_pass(tiny):
    from torch.utils.flop_counter import FlopCounterMode

    c = recipe.load(str(tiny / "tiny.py"), "compressor", {"equivariance": "0"})
    model = Compressor(c.preset)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.decode(model.encode(torch.zeros(c.batch, 3, 8, 32, 32)))
    assert 3 * counter.get_total_flops() == pytest.approx(compressor.flops(c), rel=0.02)


def test_latents_come_out_normalised(tiny, tmp_path):
    name = str(tiny / "tiny.py")
    compressor.main(name, out=tmp_path)
    c = recipe.load(name, "compressor")
    model = checkpoint.load_compressor(tmp_path / "final", dtype=torch.bfloat16)
    video, subject = compressor.Crops(c.data, c.crop).draw(256, torch.Generator().manual_seed(9))
    z = model.encode(video)
    assert (z.mean((0, 2, 3, 4)).abs() < 0.2).all()
    assert ((z.std((0, 2, 3, 4)) - 1).abs() < 0.2).all()
    assert subject.mean() > 0.01 and video.abs().max() <= 1


def test_a_steps_luck_is_a_function_of_seed_and_step(tiny):
    c = recipe.load(str(tiny / "tiny.py"), "compressor", {"bf16": "False"})
    data, model = compressor.Crops(c.data, c.crop), Compressor(c.preset)
    losses = [compressor.loss(model, data, c, step, Ranks()).item() for step in (3, 3, 4)]
    assert losses[0] == losses[1] != losses[2]


def test_a_jump_between_latents_weighs_more_than_one_inside(tiny):
    name = str(tiny / "tiny.py")
    plain = recipe.load(name, "compressor", {"gradients": "0"})
    c = recipe.load(name, "compressor", {"gradients": "0", "changes": "1", "borders": "4"})
    calm, weight = torch.zeros(1, 3, 8, 32, 32), torch.ones(1, 1, 8, 32, 32)
    more = []
    for first in (0, 3, 4):  # from where on it is too bright: everywhere, inside, at the border
        out = calm.clone()
        out[:, :, first:] = 0.1
        costs = [float(compressor.error(out, calm, weight, one)) for one in (c, plain)]
        more.append(costs[0] - costs[1])
    steady, inside, border = more
    assert steady == pytest.approx(0, abs=1e-6)
    assert border == pytest.approx(4 * inside, rel=1e-3) and inside > 0


def test_crops_are_as_long_as_they_are_asked_for(tiny):
    c = recipe.load(str(tiny / "tiny.py"), "compressor")
    video, subject = compressor.Crops(c.data, c.crop, 1).draw(3, torch.Generator().manual_seed(1))
    assert video.shape[2] == subject.shape[2] == 4
    with pytest.raises(MediaError, match="where crops take 12"):
        compressor.Crops(c.data, c.crop, 3)


def test_what_is_swept_and_what_is_lost_weigh_more(tiny):
    name = str(tiny / "tiny.py")
    plain, c = (
        recipe.load(name, "compressor", {"gradients": "0", **more})
        for more in ({"subject": "1"}, {"subject": "1", "swept": "9"})
    )
    subject = torch.zeros(1, 1, 8, 32, 32)
    subject[:, :, :4, :8] = 1  # stands for a latent
    for frame in range(4):
        subject[:, :, 4 + frame, 8 * frame : 8 * frame + 8] = 1  # crosses the picture in the next
    weight = compressor.emphasis(subject, c, Ranks())
    assert weight.mean() == pytest.approx(1)
    assert torch.allclose(weight[:, :, :4], weight[0, 0, 0, 0, 0])
    assert weight[0, 0, 4, 0, 0] == pytest.approx(10 * float(weight[0, 0, 0, 0, 0]))
    out, calm = torch.zeros(1, 3, 8, 32, 32), torch.zeros(1, 3, 8, 32, 32)
    out[:, :, 4:, 20:] = 1.0
    assert compressor.error(out, calm, weight, c) > compressor.error(
        out, calm, torch.ones_like(weight), plain
    )
    square = recipe.load(name, "compressor", {"gradients": "0", "square": "2"})
    more = [float(compressor.error(k * out, calm, weight, square)) for k in (0.1, 1.0)]
    less = [float(compressor.error(k * out, calm, weight, plain)) for k in (0.1, 1.0)]
    assert more[1] - less[1] == pytest.approx(100 * (more[0] - less[0]), rel=1e-3)


def test_crops_are_laid_where_subjects_are(tiny):
    c = recipe.load(str(tiny / "tiny.py"), "compressor")
    shares = []
    for focus in (0.0, 1.0):
        crops = compressor.Crops(c.data, (1, 1), 1, focus)
        video, subject = crops.draw(96, torch.Generator().manual_seed(1))
        assert video.shape == (96, 3, 4, 16, 16)
        shares.append(float(subject.mean()))
    assert shares[1] > 1.5 * shares[0]


def test_clips_that_are_too_small_are_said(tiny, tmp_path):
    with pytest.raises(MediaError, match=r"8 frames of 48x32, where crops take 8.* of 80x80"):
        compressor.Crops((str(tiny / "raw"),), (5, 5))
    with pytest.raises(MediaError, match="0 frames of 0x0"):
        compressor.Crops((str(tmp_path),), (1, 1))
    assert len(list(clip.raw(tiny / "raw"))) == 3


def test_a_settled_encoder_keeps_its_latents(tiny, tmp_path):
    """What was encoded stays true while the decoder learns to bear what guidance overshoots."""
    name = str(tiny / "tiny.py")
    compressor.main(name, out=tmp_path / "first")
    start = str(tmp_path / "first" / "final")
    told = {"start": start, "settled": "True", "overshoot": "0.5", "noise": "0.1"}
    compressor.main(name, out=tmp_path / "second", overrides=told)
    before = checkpoint.load(start, kind="compressor").tensors
    after = checkpoint.load(tmp_path / "second" / "final", kind="compressor").tensors
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved and all(key.startswith("decoder.") for key in moved)
    with pytest.raises(TrainingError, match="needs a start"):
        compressor.main(name, out=tmp_path / "third", overrides={"settled": "True"})
