"""Laws of growing: the same function to the bit, every gradient flows, what cannot grow is said."""

import dataclasses

import pytest
import torch

from worldreel import canvas, checkpoint
from worldreel.canvas import Canvas
from worldreel.errors import RequestError
from worldreel.models.dit import DiT
from worldreel.models.presets import TINY_DIT
from worldreel.train import dit, few, growing, recipe

pytestmark = pytest.mark.usefixtures("one_thread")
NOW = 1e-9  # minutes: stop after one step


def random(preset, seed=3):
    model = DiT(preset)
    generator = torch.Generator().manual_seed(seed)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.15, generator=generator)
    return model


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (6, 10, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]),
        (6, 12, [0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 4, 5]),
        (6, 8, [0, 1, 2, 2, 3, 4, 4, 5]),
        (6, 7, [0, 1, 2, 3, 3, 4, 5]),
        (6, 6, [0, 1, 2, 3, 4, 5]),
        (2, 4, [0, 0, 1, 1]),
        (1, 3, [0, 0, 0]),
    ],
)
def test_what_is_doubled_is_spread_over_the_middle(old, new, expected):
    assert growing.order(old, new) == expected


@pytest.mark.parametrize("task", ["blank", "first"])
@torch.no_grad()
def test_it_says_to_the_bit_what_the_small_one_says(task):
    """Of what is painted and through what is kept, with words and without."""
    small = random(dataclasses.replace(TINY_DIT, layers=3))
    deep = DiT(dataclasses.replace(TINY_DIT, layers=7))
    grown = growing.grown(small.state_dict(), small.preset, deep.preset)
    checkpoint.apply(deep, grown)
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(2, 8, 3, 2, 3, generator=generator)
    noise, states = torch.randn_like(clean), torch.randn(2, 4, 16, generator=generator)
    board = canvas.random(clean, generator=generator, tasks={task: 1.0})
    d = few_draw(board, noise)
    x, level = canvas.start(board, noise, 0.7), torch.full((2, 1), 0.7)
    for silent in (None, torch.tensor([True, False])):
        said = [few.student(m, board, states, d, silent)(x, level, level) for m in (small, deep)]
        assert torch.equal(*said) and said[0].any()


def few_draw(board: Canvas, noise: torch.Tensor) -> few.Draw:
    nothing = torch.zeros(0)
    rows = {"sigmas": nothing, "first": nothing, "last": nothing, "target": nothing}
    context = torch.full((len(noise), 1), 0.2)
    return few.Draw(noise=noise, context=context, freedom=board.freedom, **rows)


@pytest.fixture(scope="module")
def name(tiny):
    return str(tiny / "tiny.py")


def test_training_grows_it_tells_so_and_every_weight_learns(name, tiny, tmp_path):
    """A step and a resumed one; the lineage is in the provenance of what comes out."""
    given = {"start": str(tiny / "teacher"), "preset.layers": "4", "bf16": "false", "ema": "0.0"}
    for step in (1, 2, 3):
        assert dit.main(name, out=tmp_path, minutes=NOW, overrides=given)["step"] == step
    made = checkpoint.load(tmp_path / "final", kind="dit")
    assert made.config["layers"] == 4 and made.provenance["grown"] == [0, 0, 1, 1]
    before = checkpoint.load(tiny / "teacher", kind="dit")
    assert made.provenance["start"] == before.provenance
    begun = growing.grown(before.tensors, TINY_DIT, dataclasses.replace(TINY_DIT, layers=4))
    back = [f"blocks.{i}.{part}weight" for i in (1, 3) for part in growing.BACK]
    assert not any(begun[key].any() for key in back)
    assert all(made.tensors[key].any() for key in back)
    still = [key for key in begun if torch.equal(begun[key].half().float(), made.tensors[key])]
    assert not [key for key in still if key.startswith("blocks.") and key.endswith("weight")]


def test_the_same_layers_are_taken_as_they_are(name, tiny):
    model = DiT(TINY_DIT)
    told = growing.begin(model, str(tiny / "teacher"))
    assert set(told) == {"start"}
    held = checkpoint.load(tiny / "teacher", kind="dit").tensors
    assert all(torch.equal(held[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dim": 64}, "have dim 32, not 64: they can grow in layers alone"),
        ({"heads": 4}, "have heads 2, not 4"),
        ({"layers": 1}, "have 2 layers, and the preset 1: they can grow, and not shrink"),
        ({"control": (0,), "control_channels": 4}, "have control "),
    ],
)
def test_what_cannot_grow_is_said(name, tiny, change, said):
    c = recipe.load(name, "dit")
    preset = dataclasses.replace(c.preset, **change)
    with pytest.raises(RequestError, match=said) as error:
        growing.begin(DiT(preset), str(tiny / "teacher"))
    assert str(tiny / "teacher") in str(error.value)
    hinted = dataclasses.replace(TINY_DIT, control=(0,), control_channels=4)
    with pytest.raises(RequestError, match="hints"):
        growing.grown({}, hinted, dataclasses.replace(hinted, layers=5))
