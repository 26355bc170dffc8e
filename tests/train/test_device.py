"""A step on a device that is not the CPU: no tensor is left behind, none is mixed.

There need be no GPU: tensors without values ("meta") are on another device than the CPU's, too, and
an operation on both is refused as it is beside a GPU.
"""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from worldreel import canvas, checkpoint, tokens
from worldreel.data.clip import DENSE
from worldreel.data.loader import Batch
from worldreel.models.dit import DiT
from worldreel.models.presets import TINY_DIT
from worldreel.models.text import TextEncoder
from worldreel.parallel import Ranks
from worldreel.train import course, dit, recipe
from worldreel.train.optim import Ema, optimizer

pytestmark = pytest.mark.usefixtures("one_thread")
SHAPE = (2, TINY_DIT.channels, 3, 2, 2)  # B C T H W
PLACE = torch.device("meta")


def remembered(network, board, box, *, context_level, noise):
    """`tokens.remember` without its question whether any level is above 0."""
    if box.kept is None:
        return None
    s = context_level[:, :, None, None, None]
    x = tokens.take((1 - s) * board.known + s * noise, box.kept, box.patch)
    part = box.kept
    return network.remember(x, context_level, part.which, part.pos, chunks=box.chunks)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_step_mixes_no_devices(tiny, monkeypatch, kept):
    c = recipe.load(str(tiny / "tiny.py"), "dit")
    held = checkpoint.load_text(c.text)
    # Which tokens there are follows from values, which these tensors have not: worked out before.
    board = canvas.blank(SHAPE)
    if kept:
        board = canvas.keep(board, torch.zeros(SHAPE)[:, :, :1])
    box = tokens.bag(board)
    parts = {
        name: part and tokens.Part(**{key: value.to(PLACE) for key, value in vars(part).items()})
        for name, part in (("painted", box.painted), ("kept", box.kept))
    }
    bag = tokens.Bag(grid=box.grid, patch=box.patch, chunks=box.chunks, **parts)
    monkeypatch.setattr(tokens, "bag", lambda *_, **__: bag)
    monkeypatch.setattr(tokens, "remember", remembered)
    monkeypatch.setattr(canvas, "_check_freedom", lambda freedom: None)
    with PLACE:
        model = DiT(TINY_DIT, dtype=torch.bfloat16)
        truth = dit.Truth(model)
        text = TextEncoder(held.preset, held.lexicon, held.labels)
        drawn = dit.Draw(
            noise=torch.randn(SHAPE),
            sigma=torch.rand(2, 1),
            context=torch.rand(2, 1),
            silent=torch.zeros(2, dtype=torch.bool),
            freedom=torch.ones(2, 1, *SHAPE[2:]),
        )
        latents = torch.randn(SHAPE)
    monkeypatch.setattr(dit, "draw", lambda *_: drawn)
    said = {slot: torch.zeros(2, dtype=torch.long) for slot in held.labels}
    batch = Batch(
        bucket=0, still=False, latents=latents, dense=torch.rand(2, *SHAPE[2:], len(DENSE)),
        captions=[""] * 2, labels=said, said=said, seeds=[0, 1],
    )  # fmt: skip
    both = nn.ModuleDict({"model": model, "truth": truth})
    ranks = Ranks(device=PLACE)
    taught = SimpleNamespace(model=model, both=both, text=text, ranks=ranks)
    taught.states = partial(course.Learner.states, taught)
    found = dit.losses(taught, batch, c, 0, ranks)
    sum(found).backward()
    grads = [p.grad for p in both.parameters() if p.grad is not None]
    assert len(grads) > 40 and {g.device.type for g in grads} == {PLACE.type}
    opt, ema = optimizer(both, lr=1e-3), Ema(model)
    opt.step()
    ema.update()
    state = [*opt.muon.moments.values(), *ema.average.values()]
    assert {value.device.type for value in state} == {PLACE.type}


def test_on_a_gpu_what_is_painted_alone_is_compiled():
    model, went = DiT(TINY_DIT), []
    board = canvas.keep(canvas.blank(SHAPE), torch.zeros(SHAPE)[:, :, :1])
    box, words = tokens.bag(board, chunk=TINY_DIT.chunk), model.read([(None, None, None)], 2)
    for block in model.blocks:
        plain = block.forward
        block.forward = course._for_painted(
            lambda *given, plain=plain: went.append("plain") or plain(*given),
            lambda *given, plain=plain: went.append("compiled") or plain(*given),
        )
    context = tokens.remember(model, board, box)
    assert went == ["plain"] * len(model.blocks)
    went.clear()
    level = torch.tensor(0.5)
    tokens.velocity(model, board, box, words, context=context)(board.known, level, level)
    assert went == ["compiled"] * len(model.blocks)
