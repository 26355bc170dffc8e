"""Laws of the text encoder's training: a stop changes nothing, and `final` is always of use."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from worldreel import checkpoint
from worldreel.models.presets import TextPreset
from worldreel.models.text import Lexicon, TextEncoder
from worldreel.parallel import Ranks
from worldreel.train import log, recipe, text
from worldreel.world import describe
from worldreel.world.act import stage_scene
from worldreel.world.facts import facts
from worldreel.world.labels import LABELS

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
        assert set(encoder.facts(encoder.read(encoder.tokens(["a red ball"])[0]))) <= set(LABELS)
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
    assert said.shape == (8, len(LABELS))


def test_some_facts_are_a_part_that_words_can_tell(parts):
    _, takes, _ = parts
    rng = np.random.default_rng(0)
    counts = set()
    for take in takes * 20:
        known = text.some(facts(take), rng)
        assert set(known) <= set(facts(take))
        happening = [f for f in facts(take) if f.name in text.MOTION]
        assert not {*happening} & {*known} or {*happening} <= {*known}
        for language in ("en", "zh"):
            said = describe.captions_of(known, rng, count=1, language=language)[0]
            assert {f for f in said.facts if f.name != "count"} <= set(known)
        counts.add(len(known))
    assert len(counts) > 5


def test_reading_is_learned(parts):
    c, takes, _ = parts
    labels = {slot: tuple(values) for slot, values in LABELS.items()}
    preset = TextPreset(slots=len(LABELS), dim=32, heads=2, layers=1, out_dim=16)
    model = TextEncoder(preset, text.lexicon(), labels).init(torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    ids, said = text.draw(model, takes, c, 0)
    losses = []
    for _ in range(30):
        loss = text.loss(model, ids, said, c)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    assert torch.equal(model.codes, TextEncoder(preset, model.lexicon, labels).init(
        torch.Generator().manual_seed(1)
    ).codes)  # fmt: skip


def test_what_an_earlier_encoder_knows_is_taken_over(parts):
    _, _, model = parts
    labels = {k: v for k, v in model.labels.items() if k != "weather"}
    labels["light"] = ("unsaid", *reversed(labels["light"][1:]), "eclipse")
    preset = dataclasses.replace(model.preset, slots=len(labels))
    grown = TextEncoder(preset, Lexicon(("zebra", *model.lexicon.words)), labels)
    grown.init(torch.Generator().manual_seed(5))
    with torch.no_grad():
        text.begin(grown, model)
    before, after = (
        m.facts(m.read(m.tokens(["a red ball rolls left at night"])[0])) for m in (model, grown)
    )
    assert before["kind0"] == after["kind0"]
    said = torch.zeros(1, len(labels), dtype=torch.long)
    night = list(labels).index("light")
    said[0, night] = labels["light"].index("night")
    old = torch.zeros(1, len(model.labels), dtype=torch.long)
    at = list(model.labels).index("light")
    old[0, at] = model.labels["light"].index("night")
    assert torch.equal(grown.stated(said)[0, night], model.stated(old)[0, at])


def test_flops_are_those_of_a_forward_pass(parts):
    from torch.utils.flop_counter import FlopCounterMode

    c, takes, model = parts
    ids, _ = text.draw(model, takes, c, 0)
    model = copy.deepcopy(model).requires_grad_()  # plain attention, which torch can count
    with FlopCounterMode(display=False) as counter:
        model.read(ids)
    assert 3 * counter.get_total_flops() == pytest.approx(text.flops(model, takes, c), rel=0.01)


def test_measures_are_shares(parts):
    c, takes, model = parts
    measures = text.measure(model, takes, seed=0)
    assert set(measures) == {"facts_en", "facts_zh", "whole_en", "whole_zh"}
    assert all(0 <= value <= 1 for value in measures.values())
