"""Races: equal sides run, unequal ones are void, and what is said of made-up times is right."""

import dataclasses
import itertools
import json
import sys

import pytest
import torch

from worldreel.bench import (
    child,
    lengths,
    machine,
    meeting,
    page,
    passes,
    programme,
    rolling,
    twins,
)
from worldreel.bench.gate import judge
from worldreel.bench.race import Ready, Side, run
from worldreel.bench.timing import covered, in_turn, ratio
from worldreel.cli import main
from worldreel.errors import RequestError

CPU = torch.device("cpu")


def silent(*_) -> None:
    pass


# Statistics.


def test_ratio_is_taken_within_a_round():
    ours = [1.0, 10.0, 1.0, 100.0, 2.0]  # a machine that others use, too
    found = ratio([3 * t for t in ours], ours)
    assert (found.median, found.low, found.high) == (3, 3, 3)


def test_interval_covers_what_it_says():
    assert covered(5, 0) == 1 - 2 / 32
    assert covered(8, 1) == 1 - 2 * 9 / 256
    found = ratio([5.0, 1.0, 2.0, 3.0, 4.0, 6.0, 7.0, 8.0], [1.0] * 8)
    assert (found.median, found.low, found.high) == (4.5, 2, 7)
    few = ratio([1.0, 2.0, 3.0], [1.0] * 3)
    assert (few.low, few.high, few.coverage) == (1, 3, 0.75)
    # the true median of all rounds is 0: how often is it inside?
    rows = torch.randn(2000, 9, generator=torch.Generator().manual_seed(0)).exp()
    inside = [(r := ratio(row.tolist(), [1.0] * 9)).low <= 1 <= r.high for row in rows]
    assert abs(sum(inside) / len(inside) - covered(9, 1)) < 0.02


def test_ratio_needs_pairs():
    with pytest.raises(ValueError, match="2 times beside 1"):
        ratio([1.0, 2.0], [1.0])


def test_works_take_turns():
    order = []
    took = in_turn({name: lambda n=name: order.append(n) for name in "ab"}, 3)
    assert order == ["a", "b"] * 3
    assert [len(times) for times in took.values()] == [3, 3]


def test_fit_goes_through_both_points():
    linear, square = rolling.fitted([(10, 10 * 2 + 100 * 3), (40, 40 * 2 + 1600 * 3)])
    assert (linear, square) == pytest.approx((2, 3))
    with pytest.raises(ValueError, match="two lengths"):
        rolling.fitted([(10, 1), (10, 1)])


# The gate.


def test_gate():
    g = torch.Generator().manual_seed(0)
    wanted = torch.randn(1000, generator=g)
    rough = wanted + 0.01 * torch.randn(1000, generator=g)
    bf16, fp32 = torch.bfloat16, torch.float32

    def passed(dtype, output, peers=()):
        theirs = {str(i): (dtype, p) for i, p in enumerate(peers)}
        return judge(wanted, {"ours": (dtype, output)}, theirs)[0].passed

    assert passed(fp32, wanted) and not passed(fp32, rough)
    assert passed(bf16, rough, [rough]) and passed(bf16, rough)
    assert not passed(bf16, wanted + 2 * (rough - wanted), [rough])
    assert not passed(bf16, wanted * 2) and not passed(bf16, wanted[1:])
    assert not passed(bf16, torch.where(wanted > 0, torch.nan, wanted), [rough])


# Races.


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Measurements in processes of their own are made in this one: an import takes seconds."""
    ways = {"stream": lengths._streamed, "whole": lengths._whole}
    monkeypatch.setattr(lengths, "measured", lambda asked: ways[asked["what"]](asked))
    # the tests' threads are busy, and a rate is only divided by
    monkeypatch.setattr(machine, "matrix_rate", lambda products, dtype, device: 1e9)


@pytest.mark.parametrize("kind, key", [
    ("cpu", "C1"), ("cpu", "C2"), ("cpu", "C3"), ("cpu", "C4"), ("cpu", "C5"), ("cpu", "C6"),
    ("cpu", "C7"), ("cpu", "C8"),
    ("gpu", "G1"), ("gpu", "G3"), ("gpu", "G4"), ("gpu", "G5"), ("gpu", "G6"), ("gpu", "G7"),
    ("gpu", "G8"),
])  # fmt: skip
def test_both_sides_do_the_same(kind, key):
    race = programme.races(kind, device=CPU, quick=True)[key]()
    found = run(race, silent)
    assert found["state"] == "run", found
    assert found["verdicts"] and all(v["passed"] for v in found["verdicts"])
    assert found["ratios"] and all(r["median"] > 0 for r in found["ratios"])
    names = set(found["sides"])
    assert all({r["theirs"], r["ours"]} <= names for r in found["ratios"])
    assert json.loads(json.dumps(found)) == found
    text = page.table(machine.about(CPU), [found])
    assert all(r["theirs"] in text for r in found["ratios"])


def test_a_wrong_output_is_void():
    race = programme.races("cpu", device=CPU, quick=True)["C1"]()

    def spoilt(side: Side) -> Side:
        def prepare() -> Ready:
            ready = side.prepare()
            model = ready.modules[0]
            model.blocks[1].mlp_out.weight.data[0] *= 1.5
            return ready

        return dataclasses.replace(side, prepare=prepare) if side.ours else side

    wrong = dataclasses.replace(race, sides=tuple(map(spoilt, race.sides)))
    found = run(wrong, silent)
    assert found["state"] == "void" and "sides" not in found
    assert "worldreel float32 differs by" in found["why"]
    assert "| C1 forward | void |" in page.table(machine.about(CPU), [found])
    assert meeting.void({"found": [found]}) == ["C1"]


def test_time_is_the_weighted_sum_of_parts(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: float(next(ticks)))  # every work takes 1 s
    race = programme.races("cpu", device=CPU, quick=True)["C1"]()
    one = torch.ones(3)
    parts = {"paint": lambda: one, "decode": lambda: one}
    sides = (
        Side(
            name="theirs", ours=False, dtype=torch.float32,
            prepare=lambda: Ready(parts=parts, times={"decode": 8}),
        ),
        Side(name="ours", ours=True, dtype=torch.float32, prepare=lambda: Ready(parts=parts)),
    )  # fmt: skip
    found = run(dataclasses.replace(race, sides=sides, products=(), flops=None), silent)
    assert found["sides"]["theirs"]["median"] == 9
    assert found["ratios"][0]["median"] == 4.5


def test_reduced_models_have_the_same_weights():
    ours = twins.ours(programme.TINY, torch.float32, device=CPU)
    twin = twins.peer_like(ours, torch.float32, CPU)
    peer = twins.peer(programme.TINY, torch.float32, device=CPU)
    for name, value in peer.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name]), name


def test_stored_as_diffusers_stores_it():
    peer = twins.peer(programme.TINY, torch.bfloat16, device=CPU)
    kinds = {n: p.dtype for n, p in peer.named_parameters()}
    assert kinds["condition_embedder.time_embedder.linear_1.weight"] == torch.float32
    assert kinds["blocks.0.norm2.weight"] == torch.float32
    assert kinds["blocks.0.attn1.to_q.weight"] == torch.bfloat16


def test_memory_of_one_side(monkeypatch, capsys):
    quick = programme.races("cpu", device=CPU, quick=True)
    monkeypatch.setattr(child, "races", lambda which, device: quick)
    monkeypatch.setattr(sys, "argv", ["child", "C1", "worldreel float32", "cpu", "cpu"])
    child.main()
    told = json.loads(capsys.readouterr().out)
    assert 10 < told["peak_mib"] < 100_000


def test_words_see_what_the_rule_says():
    clip = passes.Clip(net=programme.TINY_CHUNKS, latents=(4, 1, 1), words=2, device=CPU)
    tokens, words = passes.seen_by_rule(clip, 2, 1)
    assert tokens.int().tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]
    assert words.int().tolist() == [[1, 0, 0], [1, 0, 0], [1, 1, 1], [1, 1, 1]]


# The page and the command.


def test_page_keeps_the_rest(tmp_path):
    file = tmp_path / "performance.md"
    first, last = page.marks("cpu")
    file.write_text(f"before\n{first}\nold\n\n{last}\nafter\n")
    page.write(file, "cpu", page.table(machine.about(CPU), []))
    text = file.read_text()
    assert text.startswith("before\n") and text.endswith(f"{last}\nafter\n")
    assert "old" not in text and f"torch {torch.__version__}" in text
    with pytest.raises(RequestError, match="no place for the races of gpu"):
        page.check(file, "gpu")


def test_command(capsys, tmp_path, monkeypatch):
    assert main(["bench", "--quick", "--only", "c6", "--json", "-q"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [race["race"] for race in told["found"]] == ["C6"] and told["quick"]
    monkeypatch.chdir(tmp_path)
    for args, said in [
        (["--only", "C9"], "no race 'C9': there are C1, C2"),
        (["--races", "tpu"], "no races 'tpu': one of cpu, gpu"),
        (["--write", "--quick"], "--write is for a whole run"),
        (["--write"], "no place for the races of cpu"),
        (["--races", "length", "--write"], "no place for the races of length"),
        (["--races", "length", "--only", "C1"], "leave out --only"),
    ]:
        assert main(["bench", *args]) == 2
        assert said in capsys.readouterr().err
    if not torch.cuda.is_available():
        assert main(["bench", "--races", "gpu"]) == 2
        assert "no GPU" in capsys.readouterr().err
