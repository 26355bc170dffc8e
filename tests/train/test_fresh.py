"""Training on clips that are rendered meanwhile: no disk, and no other step for it."""

import dataclasses

import pytest
import torch

from worldreel import checkpoint
from worldreel.data import synth
from worldreel.data.live import Fresh
from worldreel.errors import RequestError
from worldreel.models import presets
from worldreel.models.compressor import Compressor
from worldreel.train import dit, recipe

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a random compressor lies."""
    folder = tmp_path_factory.mktemp("live")
    torch.manual_seed(0)
    net = Compressor(presets.TINY_COMPRESSOR)
    torch.nn.init.normal_(net.get_buffer("basis"), std=0.03)
    config = dataclasses.asdict(presets.TINY_COMPRESSOR)
    checkpoint.save(
        folder / "compressor", kind="compressor", config=config, tensors=net.state_dict()
    )
    return folder


@pytest.fixture
def fresh(tiny, folder, monkeypatch):
    """The tiny recipe, on clips of four frames from the world itself."""
    settings = synth.Settings(size=(32, 16), seconds=1 / 3)
    source = Fresh(settings=settings, first_seed=70, batch=2, group=4, reuse=1)
    given = recipe.load(str(tiny / "tiny.py"), "dit", None)
    given = dataclasses.replace(
        given,
        phases=(dit.Phase(steps=5, fresh=(source,)),),
        compressor=str(folder / "compressor"),
        jobs=0,
    )
    monkeypatch.setattr(recipe, "load", lambda *_: given)
    return given


def test_a_run_on_fresh_clips_resumes_to_the_bit(fresh, tmp_path):
    assert dit.main("tiny", out=tmp_path / "whole")["step"] == 5
    while dit.main("tiny", out=tmp_path / "parts", minutes=1e-9)["step"] < 5:
        pass
    whole, parts = (checkpoint.load(tmp_path / n / "final", kind="dit") for n in ("whole", "parts"))
    assert all(torch.equal(whole.tensors[k], parts.tensors[k]) for k in whole.tensors)
    assert whole.provenance["clips"] == 10 and whole.provenance["flops"] > 0


def test_fresh_clips_need_a_compressor(fresh, tmp_path, monkeypatch):
    lacking = dataclasses.replace(fresh, compressor="")
    monkeypatch.setattr(recipe, "load", lambda *_: lacking)
    with pytest.raises(RequestError, match="set compressor="):
        dit.main("tiny", out=tmp_path)


def test_a_phase_has_one_kind_of_data():
    with pytest.raises(ValueError, match="give one of them"):
        dit.Phase(steps=1)
