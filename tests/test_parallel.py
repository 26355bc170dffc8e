"""Law 8: two gloo ranks equal one process, in what they say to each other and in training."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import worldreel
from worldreel import checkpoint
from worldreel.models.compressor import Compressor
from worldreel.parallel import Ranks
from worldreel.train import compressor, dit, few, log, text

pytestmark = pytest.mark.usefixtures("one_thread")
STAGES = {"dit": dit, "few": few, "compressor": compressor, "text": text}
# Muon's bfloat16 makes 1e-2 of a rounding error in a gradient: small steps keep that small.
GIVEN = {
    "dit": {
        "bf16": "false", "lr": "1e-4", "adam_lr": "1e-4", "own": "0.3", "staggered": "0.3",
        "subjects": "3.0",
        "tasks": "{'blank': 1, 'first': 1, 'inpaint': 1, 'stream': 1, 'refer': 2}",
    },
    "few": {"bf16": "false", "lr": "1e-4", "adam_lr": "1e-4"},
    "compressor": {"bf16": "false"},
    "text": {},
}  # fmt: skip

# The compressor's closed form takes seconds, and has its own test.
QUICK = """
import torch
from worldreel.models.compressor import Compressor

def fit(self, video, weight=None):
    self.basis.normal_(std=0.02, generator=torch.Generator().manual_seed(0))
    return self
"""
PROGRAM = f"""{QUICK}
import json, signal, sys
from pathlib import Path
import torch
from worldreel import checkpoint, parallel
from worldreel.train import compressor, dit, few, recipe, run, text
Compressor.fit = fit
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
name, out, given = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
with parallel.start() as ranks:
    mine = float(ranks.rank)
    a, b = torch.full((2, 3), mine), torch.full((), 10 * mine)
    ranks.average([a, b])
    c, d = torch.full((2, 2), mine + 5).T, torch.nn.Parameter(torch.full((1,), mine + 7))
    ranks.share([c, d])
    told = {{
        "rank": ranks.rank, "size": ranks.size, "first": ranks.first,
        "average": [a.unique().tolist(), b.tolist()], "share": [c.unique().tolist(), d.tolist()],
        "agree": [ranks.agree(ranks.rank == 1), ranks.agree(False), ranks.agree(True)],
        "told": ranks.told(3 + ranks.rank),
    }}
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append("ended"))
    with run.allowed(None, ranks) as late:
        before = late()
        for _ in range(2 * ranks.rank):  # one of them alone, twice: torchrun repeats a terminal
            signal.raise_signal(signal.SIGTERM)
        told["late"] = [before, late(), *ended]
    told["late"] += ended
    torch.manual_seed(ranks.rank)
    config = recipe.load(name, "dit", given["dit"])
    told["initial"] = checkpoint.fingerprint(dit.learner(config, ranks).both.state_dict())
    for stage in (dit, few, compressor, text):
        kind = stage.__name__.rpartition(".")[2]
        for part in range(2):  # stopped once, and resumed by both
            minutes = None if part else 1e-9
            stage.main(name, out=out / kind, minutes=minutes, overrides=given[kind])
    (out / f"{{ranks.rank}}.json").write_text(json.dumps(told))
"""


@pytest.fixture(scope="module")
def pair(tiny, tmp_path_factory):
    """The folder in which two ranks have trained every stage, and what each of them saw."""
    out = tmp_path_factory.mktemp("pair")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = os.environ | {
        "PYTHONPATH": str(Path(worldreel.__file__).parents[1]), "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    command = [sys.executable, "-c", PROGRAM, str(tiny / "tiny.py"), str(out), json.dumps(GIVEN)]
    ranks = [
        subprocess.Popen(command, env=where | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(2)
    ]
    try:  # what they say goes to pytest's capture
        assert [rank.wait(timeout=1200) for rank in ranks] == [0, 0]
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()
    return out, [json.loads((out / f"{rank}.json").read_text()) for rank in range(2)]


def test_ranks_average_share_and_agree(pair):
    for rank, told in enumerate(pair[1]):
        assert (told["rank"], told["size"], told["first"]) == (rank, 2, rank == 0)
        assert told["average"] == [[0.5], 5.0]
        assert told["share"] == [[5.0], [7.0]]
        assert told["agree"] == [True, False, True]
        assert told["told"] == 3


def test_all_ranks_stop_when_one_is_told_to_end(pair):
    assert [told["late"] for told in pair[1]] == [[False, True], [False, True, "ended"]]


def test_all_ranks_start_from_the_same_weights(pair):
    assert pair[1][0]["initial"] == pair[1][1]["initial"]


def apart(two, one, floor):
    """The largest difference of a tensor, relative to itself and to a share of all together."""
    assert set(two) == set(one)
    sizes = {name: float(value.double().norm()) for name, value in one.items()}
    least = floor * sum(size**2 for size in sizes.values()) ** 0.5
    return max(
        float((two[name].double() - value.double()).norm()) / max(sizes[name], least)
        for name, value in one.items()
    )


def moments(state):
    """The running means of gradients, which show a difference before weights do."""
    adam = {name: kept["exp_avg"] for name, kept in state["adamw"].items()}
    return adam | {f"muon.{name}": value for name, value in state["muon"].items()}


@pytest.mark.parametrize("kind", STAGES)
def test_two_ranks_equal_one_process(tiny, pair, tmp_path, monkeypatch, kind):
    """Soft canvases, kept latents, silent clips and hidden words are all in the mix."""
    names: dict = {}
    exec(QUICK, names)
    monkeypatch.setattr(Compressor, "fit", names["fit"])
    STAGES[kind].main(str(tiny / "tiny.py"), out=tmp_path, overrides=GIVEN[kind])
    folders = (pair[0] / kind, tmp_path)
    states = [checkpoint.latest(folder) for folder in folders]
    assert states[0] is not None and states[1] is not None and states[0].name == states[1].name
    two, one = (checkpoint.load(state, kind=f"{kind}-run") for state in states if state)
    gradients = [moments(held.extra["optimizer"]) for held in (two, one)]
    # rounding of fp32, which the steps of a walk add up
    assert apart(*gradients, floor=0.01) <= (2e-5 if kind == "few" else 1e-5)
    # A key's bias has no gradient but rounding's, of which AdamW makes whole steps: all together.
    assert apart(two.tensors, one.tensors, floor=1.0) <= 1e-5
    assert two.extra.get("loader") == one.extra.get("loader")
    name = "mean" if kind == "few" else "loss"
    losses = [[x[name] for x in log.read(folder) if name in x][-1] for folder in folders]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    made = {"few": "dit"}.get(kind, kind)  # of which kind a stage's weights are
    told = [checkpoint.load(folder / "final", kind=made).provenance for folder in folders]
    assert [t["processes"] for t in told] == [2, 1]
    assert [(t["clips"], t["flops"]) for t in told[:1]] == [
        (t["clips"], t["flops"]) for t in told[1:]
    ]


def test_alone_everything_is_the_identity():
    ranks, value = Ranks(), torch.arange(3.0)
    with ranks:
        ranks.average([value])
        ranks.share([value])
        assert torch.equal(value, torch.arange(3.0))
        assert (ranks.agree(True), ranks.agree(False), ranks.told(-1)) == (True, False, -1)
    assert ranks.first and ranks.share_of(5) == slice(0, 5)
