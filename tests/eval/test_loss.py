"""Laws of the held-out loss: always the same, of each clip alone, and of no mirrored twin."""

import json
import shutil

import numpy as np
import pytest
import torch

from worldreel import checkpoint
from worldreel.data import clip as clips
from worldreel.errors import CheckpointError, MediaError
from worldreel.eval.loss import LEVELS, held_out
from worldreel.models.dit import DiT
from worldreel.models.presets import TINY_DIT

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def text(stages):
    return checkpoint.load_text(stages / "text")


@pytest.fixture(scope="module")
def model():
    net = DiT(TINY_DIT)
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.2, generator=torch.Generator().manual_seed(p.numel()))
    return net.requires_grad_(False)


def test_a_network_that_says_nothing_is_off_by_all_there_is_to_say(stages, text):
    net = DiT(TINY_DIT).init(torch.Generator().manual_seed(0))  # a fresh head: velocity 0
    found = held_out(net, text, stages / "short")
    assert found.shape == (6, len(LEVELS))
    arrays, _ = clips.get(clips.shards(stages / "short")[0])
    for seed in range(6):
        clean = torch.from_numpy(arrays["latents"][seed].astype(np.float32))
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
        assert found[seed] == pytest.approx((noise - clean).square().mean().item(), rel=1e-5)


def test_a_clips_loss_is_its_own(stages, text, model):
    whole = held_out(model, text, stages / "short")
    torch.rand(3)  # no luck of the process gets in
    assert held_out(model, text, stages / "short", batch=4) == pytest.approx(whole, rel=1e-5)
    assert held_out(model, text, stages / "short", levels=LEVELS[2:3])[:, 0] == pytest.approx(
        whole[:, 2], rel=1e-5
    )
    assert len(np.unique(whole)) == whole.size


def test_twins_are_left_out(stages, text, model, tmp_path):
    shutil.copytree(stages / "short", tmp_path / "short")
    file = clips.shards(tmp_path / "short")[0].with_suffix(".json")
    about = json.loads(file.read_text())
    about["clips"][1]["mirrored"] = True
    file.write_text(json.dumps(about))
    found = held_out(model, text, tmp_path / "short")
    whole = held_out(model, text, stages / "short")
    assert found == pytest.approx(np.delete(whole, 1, axis=0), rel=1e-5)


def test_what_cannot_be_judged_is_told(stages, text, model, tmp_path):
    with pytest.raises(MediaError, match="run `encode` into it first"):
        held_out(model, text, tmp_path)
    with pytest.raises(CheckpointError, match="other facts"):
        held_out(model, text, stages / "raw")
