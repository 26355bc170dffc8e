"""The plan holds to what processes really take, and chooses the first way that fits."""

import json
import os
import subprocess
import sys

import pytest
import torch

from worldreel.cli import main
from worldreel.errors import RequestError
from worldreel.models import footprint
from worldreel.offload import ways
from worldreel.plan import MARGIN, MODELS, free_bytes, plan

GIB = 2**30

# Run in a process of its own: what a piece of work adds to the most memory that it has held.
WORK = """
import dataclasses, json, re, resource, sys, torch
from pathlib import Path
from worldreel.models import footprint
from worldreel.models.compressor import Compressor
from worldreel.models.dit import DiT
from worldreel.models.footprint import Numbers, Shape
from worldreel.models.presets import *
from worldreel.tokens import positions

kind, preset, changes, grid, branches, dtype = json.loads(sys.argv[1])
preset = dataclasses.replace(globals()[preset], **changes)
dtype = getattr(torch, dtype)
how = Numbers(dtype=dtype, stored=torch.float32, rowwise=True)
torch.set_num_threads(1)

def held(most):
    if Path("/proc/self/status").exists():  # what rusage says is the parent's, where that is larger
        name = "VmHWM" if most else "VmRSS"
        found = re.search(name + ":\\s*(\\d+) kB", Path("/proc/self/status").read_text())
        return 1024 * int(found[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def forward(model, t, h, w):
    x, level = torch.ones(branches, t * h * w, preset.channels), torch.ones(branches, 1)
    words = model.read([(None, torch.ones(branches, 32, preset.text_dim), None)], branches)
    pos = positions((t, h, w))[None].expand(branches, -1, -1)
    beside = {}
    if preset.control:
        beside["control"] = torch.ones(*x.shape[:2], preset.control_channels)
    model(x, level, level, torch.zeros(x.shape[:2], dtype=torch.long), pos, words, **beside)

def decode(model, t, h, w):
    for part in model.stream(torch.ones(1, preset.channels, t, h, w), chunk=2):
        pixels = (part.clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8).numpy()

t, h, w = grid
with torch.inference_mode():
    if kind == "forward":
        model, work = DiT(preset, dtype=dtype), forward
        told = footprint.forward(preset, branches * t * h * w, how)
    else:
        model, work = Compressor(preset, dtype=dtype), decode
        shape = Shape(latents=t, height=h, width=w, into="")  # frames are thrown away here
        told = footprint.decoding(preset, shape, how, 2)
    work(model, 1, 2, 2)  # code and threads are loaded
    before = held(False)
    work(model, t, h, w)
print(json.dumps([told, held(True) - before]))
"""


@pytest.mark.parametrize(
    "work",
    [
        ("forward", "TINY_DIT", {"dim": 1024, "mlp": 2048}, (4, 9, 16), 1, "float32"),
        ("forward", "MARBLE_DIT", {"layers": 2}, (8, 18, 32), 2, "float32"),
        ("forward", "MARBLE_DIT", {"layers": 2}, (8, 18, 32), 2, "bfloat16"),
        ("forward", "MARBLE_DIT", {"layers": 2, "dim": 1536}, (6, 9, 16), 1, "bfloat16"),
        (
            "forward",
            "MARBLE_DIT",
            {"layers": 8, "dim": 768, "control": [*range(8)], "control_channels": 96},
            (6, 9, 16),
            1,
            "bfloat16",
        ),
        ("decode", "MARBLE_COMPRESSOR", {}, (4, 18, 32), 1, "float32"),
    ],
)
def test_an_estimate_is_what_a_process_takes(work):
    # else glibc keeps what was freed of tensors up to 32 MiB, which is no need of theirs
    environ = os.environ | {"MALLOC_MMAP_THRESHOLD_": "262144"}
    command = [sys.executable, "-c", WORK, json.dumps(work)]
    told, taken = json.loads(subprocess.check_output(command, text=True, env=environ))
    assert told == pytest.approx(taken, rel=MARGIN)


MARBLE = {"frames": 48, "height": 144, "width": 256, "dtype": torch.float32}
LARGE = {"frames": 81, "height": 720, "width": 1280, "dtype": torch.bfloat16}


def test_the_first_way_that_fits_is_chosen_as_memory_shrinks():
    model = MODELS["wan2.2-t2v-a14b"]
    found = plan(model, free=10**15, **LARGE).strategies
    needs = [s.need for s in found]
    assert needs == sorted(needs, reverse=True)
    for strategy in found:
        made = plan(model, free=strategy.need, **LARGE)
        assert made.chosen is not None and made.chosen.name == strategy.name
        assert strategy.name in made.table() and "the first that fits" in made.table()
    assert not found[0].way.freed and found[-1].way.streamed and found[-1].way.tile


def test_frames_count_where_they_are_held():
    """In memory they grow with the clip; written as they come, and beside a GPU, they do not."""
    model, cpu = MODELS["wan2.1-t2v-1.3b"], {"device": torch.device("cpu"), "free": 10**15}

    def decoder(frames, **asked):
        size = LARGE | {"frames": frames, "height": 480, "width": 832}
        return plan(model, **size, **asked).parts[2].work

    pixels = 3 * 480 * 832
    assert decoder(81, **cpu) - decoder(41, **cpu) == 40 * pixels
    assert decoder(81, written=True, **cpu) == decoder(41, written=True, **cpu)
    cuda = cpu | {"device": torch.device("cuda")}
    assert decoder(81, **cuda) == decoder(41, **cuda) < decoder(81, written=True, **cpu)
    assert decoder(321, written=True, **cpu) < decoder(321, **cpu)


def test_hints_are_not_held():
    """VACE's blocks take the words of each, a stream, the clip they follow, and no more at work."""
    plain, vace = (MODELS[f"wan2.1-{kind}-14b"] for kind in ("t2v", "vace"))
    work = [plan(model, free=GIB, **LARGE).parts[1].work for model in (plain, vace)]
    stream = 75_600 * 5120 * 4
    assert stream < work[1] - work[0] < 1.5 * stream


def test_small_memory_holds_what_it_should():
    """1.3B in 8 GiB and 14B in 24 GiB, each at the size that it was trained on."""
    small = plan(MODELS["wan2.1-t2v-1.3b"], free=8 * GIB, **LARGE | {"height": 480, "width": 832})
    assert small.chosen is not None and not small.chosen.way.bits8
    large = plan(MODELS["wan2.1-t2v-14b"], free=24 * GIB, **LARGE)
    assert large.chosen is not None and large.chosen.way.streamed and not large.chosen.way.bits8


def test_the_command_tells_every_public_model(capsys):
    assert main(["models", "memory", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == set(MODELS) - {"marble"}
    assert told["wan2.1-t2v-1.3b"]["at"]["8"]["peak"] < 8 * GIB
    assert told["wan2.1-t2v-14b"]["at"]["8"]["way"] is None
    assert "would fit" in told["wan2.1-t2v-14b"]["at"]["8"]["advice"]


def test_ways_are_those_of_a_device():
    cpu = torch.device("cpu")
    assert not any(way.bits8 or way.ahead for way in ways(cpu).values())
    assert all(way.bits8 for way in ways(cpu, bits8=True).values())
    model, asked = MODELS["wan2.1-t2v-14b"], LARGE | {"free": GIB}
    whole, eight = plan(model, device=cpu, **asked), plan(model, device=cpu, bits8=True, **asked)
    assert eight.strategies[0].peak < whole.strategies[0].peak - 12 * GIB
    assert next(s for s in plan(model, **asked).strategies if s.way.streamed).way.ahead == 1
    part = whole.parts[1]  # of 40 blocks, one and what is read for it, or two
    assert part.streamed(1) - part.streamed(0) == part.block - part.passing


@pytest.mark.parametrize("name", MODELS)
def test_where_nothing_fits_the_advice_does(name):
    model = MODELS[name]
    size = MARBLE if name == "marble" else LARGE | {"height": 704}
    least = plan(model, free=0, **size).strategies[-1].peak
    made = plan(model, free=int(0.8 * least), **size)
    assert made.chosen is None and "nothing fits" in made.table()
    advised = [line for line in made.advice if line.endswith("would fit")]
    assert advised
    for line in advised:
        frames, _, _, sides, *_ = line.split()
        width, height = map(int, sides.split("x"))
        smaller = size | {"frames": int(frames), "width": width, "height": height}
        assert plan(model, free=int(0.8 * least), **smaller).chosen is not None
    assert "machine with more memory" in plan(model, free=1, **size).advice[-1]


def test_a_plan_is_a_function_of_what_it_is_given_and_is_json():
    one, other = (plan(MODELS["marble"], free=GIB, **MARBLE) for _ in range(2))
    assert one == other
    told = json.loads(json.dumps(one.to_json()))
    assert told["chosen"] == "all resident" and told["tokens"] == 1728
    assert told["parts"][1]["name"] == "transformer"
    assert told["strategies"][0]["peak"] == one.strategies[0].peak
    assert "it takes at most" in one.estimate() and "1.0 GiB that are free" in one.estimate()


def test_public_weights_are_counted_as_their_files_have_them():
    """Parameters that were counted in the public files, in 1e9."""
    counted = {"wan2.1-t2v-1.3b": 1.419, "wan2.1-t2v-14b": 14.29, "wan2.2-ti2v-5b": 5.000}
    for name, billions in counted.items():
        assert footprint.params_of(MODELS[name].dit).all == pytest.approx(billions * 1e9, rel=1e-3)


def test_more_costs_more():
    model, how = MODELS["marble"], {"free": GIB, "device": torch.device("cpu"), **MARBLE}
    work = [part.work for part in plan(model, **how).parts]
    longer = [part.work for part in plan(model, **how | {"frames": 96}).parts]
    library = footprint._LIBRARY  # whatever the size
    assert longer[1] - library > 1.9 * (work[1] - library) and longer[2] > work[2]
    assert plan(model, **how, levels=2).parts[1].work > work[1]
    alone = plan(model, **how, guided=False).parts[1].work
    assert alone - library < 0.6 * (work[1] - library)
    half = plan(model, **how | {"dtype": torch.bfloat16}, stored=torch.float32)
    assert (
        half.parts[1].work < work[1]
        and half.parts[1].weights == plan(model, **how).parts[1].weights
    )


@pytest.mark.parametrize(
    ("size", "message"), [({"height": 100}, "multiples of 16"), ({"frames": 5}, "multiple of 4")]
)
def test_a_size_that_cannot_be_made_is_refused(size, message):
    with pytest.raises(RequestError, match=message):
        plan(MODELS["marble"], free=GIB, **MARBLE | size)


def test_free_memory_is_known_here():
    assert 2**20 < free_bytes(torch.device("cpu")) < 2**50
