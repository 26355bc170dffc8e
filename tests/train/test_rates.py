"""What is measured before a run: rates of what is asked, and differences that are there."""

import dataclasses

import pytest
import torch

from worldreel import checkpoint
from worldreel.data import synth
from worldreel.data.live import Fresh
from worldreel.models.compressor import Compressor
from worldreel.models.presets import TINY_COMPRESSOR
from worldreel.parallel import Ranks
from worldreel.train import dit, rates, recipe

pytestmark = pytest.mark.usefixtures("one_thread")
SETTINGS = synth.Settings(size=(32, 16), seconds=1 / 3, samples=1)
SOURCE = Fresh(settings=SETTINGS, first_seed=40, batch=2, group=2)


@pytest.fixture
def config(tiny, tmp_path):
    checkpoint.save(
        tmp_path / "compressor", kind="compressor", config=dataclasses.asdict(TINY_COMPRESSOR),
        tensors=Compressor(TINY_COMPRESSOR).state_dict(),
    )  # fmt: skip
    c = recipe.load(str(tiny / "tiny.py"), "dit")
    return dataclasses.replace(c, compressor=str(tmp_path / "compressor"))


def test_gradients_differ_by_their_precision_alone(config):
    assert rates.gradients(dataclasses.replace(config, bf16=False), SOURCE, Ranks()) == {"blank": 0}
    longer = dataclasses.replace(SOURCE, settings=dataclasses.replace(SETTINGS, seconds=2 / 3))
    apart = rates.gradients(config, longer, Ranks())
    assert set(apart) == {"blank", "first"}
    assert all(1e-4 < error < 0.15 for error in apart.values())


def test_a_device_that_draws_otherwise_is_caught(monkeypatch):
    assert rates.unlike(SOURCE, count=1) == 0
    plain = rates.render

    def wrong(takes, *, device, **settings):
        made = plain(takes, device="cpu", **settings)
        if device == "cpu":
            return made
        for one in made:
            one.frames[:, :, ::2] ^= 255
        return made

    monkeypatch.setattr(rates, "render", wrong)
    other = dataclasses.replace(SOURCE, settings=dataclasses.replace(SETTINGS, device="cuda"))
    assert rates.unlike(other, count=1) == 0.5


def test_rates_are_of_what_was_done(config, monkeypatch):
    ticks = iter(range(1000))
    monkeypatch.setattr(rates.time, "monotonic", lambda: float(next(ticks)))  # a second a look
    assert rates.drawing(SOURCE, jobs=1, each=3) == 3
    assert rates.encoding(config, SOURCE, Ranks(), count=5) == 5
    assert rates.stepping(config, [SOURCE, SOURCE], Ranks(), steps=1) == [1, 1]
    assert rates.drawn(SOURCE, [40, 41]) == 2


def test_noise_has_the_shape_of_the_source(config):
    learner = dit.learner(config, Ranks())
    one, two = (rates.noise(config, SOURCE, learner, 3, Ranks()) for _ in range(2))
    assert one.latents.shape == (3, config.preset.channels, *SOURCE.shape) and not one.still
    assert one.dense.shape[:4] == (3, *SOURCE.shape) and torch.equal(one.latents, two.latents)
