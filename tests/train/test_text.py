"""Laws of the text encoder's training: a stop changes nothing, and `final` is always of use."""

import copy

import pytest
import torch

from worldreel import checkpoint
from worldreel.parallel import Ranks
from worldreel.train import log, recipe, text
from worldreel.world import describe
from worldreel.world.act import stage_scene

pytestmark = pytest.mark.usefixtures("one_thread")


def files(folder):
    state = checkpoint.latest(folder)
    assert state is not None
    return state.name, checkpoint._config(state)["files"]


def test_stopping_after_every_step_changes_no_bit(tiny, tmp_path, capsys):
    name = str(tiny / "tiny.py")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert text.main(name, out=whole)["step"] == 4
    for step in range(1, 5):
        told = text.main(name, out=parts, minutes=1e-9)
        assert told["step"] == step and 0 <= told["facts_zh"] <= 1
        encoder = checkpoint.load_text(parts / "final")
        assert encoder.facts(encoder(encoder.tokens(["a red ball"])[0])) is not None
    assert files(parts) == files(whole)
    finals = [checkpoint.load(out / "final", kind="text").tensors for out in (parts, whole)]
    assert checkpoint.fingerprint(finals[0]) == checkpoint.fingerprint(finals[1])
    assert log.read(parts)[-1]["step"] == 4 and (parts / "metrics.svg").exists()

    told = checkpoint.load(whole / "final", kind="text").provenance
    assert (told["steps"], told["clips"], told["recipe"]) == (4, 16, "tiny")
    assert told["flops"] > 1e6 and 0 <= told["hours"] < 0.1
    (whole / "final/config.json").unlink()
    assert text.main(name, out=whole)["step"] == 4  # killed before its final
    checkpoint.load_text(whole / "final")
    assert text.main(name, out=whole) == {"step": 4, "of": 4, "out": str(whole)}
    assert capsys.readouterr().err.count("has done all its 4 steps") == 2


@pytest.fixture(scope="module")
def parts(tiny):
    c = recipe.load(str(tiny / "tiny.py"), "text")
    takes = [stage_scene(c.first_seed + i) for i in range(3)]
    return c, takes, checkpoint.load_text(tiny / "text")


def test_a_steps_luck_is_a_function_of_seed_and_step(parts):
    c, takes, model = parts
    ids, said = text.draw(model, takes, c, 3)
    assert all(map(torch.equal, (ids, said), text.draw(model, takes, c, 3)))
    assert not torch.equal(text.draw(model, takes, c, 4)[1], said)
    shares = [Ranks(rank=rank, size=2).share_of(c.batch) for rank in range(2)]
    halves = [text.draw(model, takes, c, 3, mine) for mine in shares]
    for n, value in enumerate((ids, said)):
        english, chinese = (torch.cat([h[n].chunk(2)[g] for h in halves]) for g in range(2))
        assert torch.equal(torch.cat([english, chinese]), value)
    assert (ids == 0).any() and said.shape == (8, len(describe.LABELS))


def test_equal_states_are_not_apart(parts):
    c, takes, model = parts
    ids, said = text.draw(model, takes, c, 0)
    one = ids[:4]
    _, gap = text.losses(model, torch.cat([one, one]), torch.cat([said[:4], said[:4]]), Ranks())
    assert gap == 0
    read, gap = text.losses(model, ids, said, Ranks())
    assert gap > 0 and read > 0


def test_flops_are_those_of_a_forward_pass(parts):
    from torch.utils.flop_counter import FlopCounterMode

    c, takes, model = parts
    ids, _ = text.draw(model, takes, c, 0)
    model = copy.deepcopy(model).requires_grad_()  # plain attention, which torch can count
    with FlopCounterMode(display=False) as counter:
        model.logits(model(ids))
    assert 3 * counter.get_total_flops() == pytest.approx(text.flops(model, takes, c), rel=0.01)


def test_measures_are_shares(parts):
    c, takes, model = parts
    measures = text.measure(model, takes, seed=0)
    assert set(measures) == {"facts_en", "facts_zh", "whole_en", "whole_zh"}
    assert all(0 <= value <= 1 for value in measures.values())
