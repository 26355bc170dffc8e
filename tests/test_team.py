"""Law 8 in painting: two and four gloo processes make what one makes, and end together."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import worldreel
from worldreel.cli import several
from worldreel.cli.forecast import foretell
from worldreel.errors import RequestError
from worldreel.models.wan_models import MODELS
from worldreel.parallel import Ranks, mapped, shares
from worldreel.request import Request
from worldreel.team import Division, Split, Team, check, split_of

pytestmark = pytest.mark.usefixtures("one_thread")

# Every process builds the same random networks; the first paints with them alone, then together.
PROGRAM = """
import json, os, sys, traceback
from dataclasses import replace
from pathlib import Path
import torch
from torch import nn
from worldreel import canvas, engine, loading, lora, parallel, public, stream
from worldreel.canvas import blank, keep, loosen, refer, ring
from worldreel.cli import main
from worldreel.course import Pace
from worldreel.engine import Engine
from worldreel.models.dit import DiT
from worldreel.models.places import places
from worldreel.models.presets import DitPreset, Settings
from worldreel.models.wan_models import MODELS
from worldreel.team import Team

torch.set_num_threads(1)
out, model = Path(sys.argv[1]), sys.argv[2]
WAN = DitPreset(channels=4, dim=48, heads=4, layers=2, mlp=64, text_dim=12, patch=2, level_dim=16)
PRESETS = {
    "wan": WAN,
    "vace": replace(WAN, control=(0, 1), control_channels=6),
    "marble": DitPreset(channels=4, dim=36, heads=3, layers=2, mlp=64, text_dim=12, null_word=True,
                        chunk=1),
}

def networks(model, dtype, loras):
    made = []
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        made.append(DiT(PRESETS[model], dtype=dtype).eval().requires_grad_(False))
        for p in made[-1].parameters():
            nn.init.normal_(p, std=0.15, generator=generator)
    return made

def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))

class Words(nn.Module):
    def states(self, text):
        return noise(1, 5, 12, seed=len(text)), 0

SHAPE = (1, 4, 3, 6, 10)
CLIP = noise(*SHAPE, seed=9)
THERE = torch.zeros(1, 1, 3, 6, 10, dtype=torch.bool)
THERE[:, :, 1:, :2, 3:] = True

def paint(name, dits, board, scale, sampler="unipc", clips=1, interval=None):
    own = next((m for m in MODELS if m.name == name), None)
    low = dits[1] if own and own.experts == 2 else None
    known = own and public.Public(model=own, low=low, boundary=0.875, together=team.pairs)
    settings = known.settings if known else Settings(name="marble", context_level=0.1,
        sampler=sampler, guidance_interval=(0.2, 0.9))
    made = Engine(settings=settings, text=Words(), dit=dits[0], compressor=nn.Identity(),
                  device=torch.device("cpu"), public=known)
    board = replace(board, known=board.known.expand(clips, -1, -1, -1, -1),
                    freedom=board.freedom.expand(clips, -1, -1, -1, -1))
    said = [noise(1, 5, 12, seed=20 + i) for i in range(clips)]
    return made.paint(board, said, [None] * clips, seeds=[*range(clips)], steps=4,
                      guidance_scale=scale, guidance_interval=interval)

@torch.inference_mode()
def spans(dits, board):
    box = worldreel_tokens.bag(board, patch=1, chunk=1)
    parts = [(n, noise(1, 5, 12, seed=n), None) for n in (70, 30, 80)]
    field = worldreel_tokens.velocity(dits[0], board, box, dits[0].read(parts, 1))
    return field(CLIP, torch.tensor(0.7), torch.tensor(0.7))

@torch.inference_mode()
def control(dits):
    pos = worldreel_tokens.positions((3, 3, 5))[None]
    words = dits[0].read([(None, noise(1, 5, 12), None)], 1)
    level, which = torch.tensor([[0.2, 0.9]]), torch.arange(45)[None] % 2
    return dits[0](noise(1, 45, 16), level, level, which, pos, words, control=noise(1, 45, 24))

from worldreel import tokens as worldreel_tokens
T2V, PAIR, LEVEL = "wan2.1-t2v-1.3b", "wan2.2-t2v-a14b", "wan2.2-ti2v-5b"
CASES = {
    "guided": ("wan", lambda d: paint(T2V, d, blank(SHAPE), 5.0)),
    "interval": ("wan", lambda d: paint(T2V, d, blank(SHAPE), 5.0, interval=(0.5, 0.95))),
    "never": ("wan", lambda d: paint(T2V, d, blank(SHAPE), 5.0, interval=(0.0, 0.0))),
    "unguided": ("wan", lambda d: paint(T2V, d, blank(SHAPE), 1.0)),
    "clips": ("wan", lambda d: paint(T2V, d, blank(SHAPE), 5.0, clips=2)),
    "one token": ("wan", lambda d: paint(T2V, d, blank((1, 4, 1, 2, 2)), 1.0)),
    "experts": ("wan", lambda d: paint(PAIR, d, blank(SHAPE), 4.0)),
    "levels": ("wan", lambda d: paint(LEVEL, d, keep(blank(SHAPE), CLIP[:, :, :1]), 5.0)),
    "control": ("vace", control),
    "kept": ("marble", lambda d: paint("", d, keep(blank(SHAPE), CLIP, where=~THERE), 4.0)),
    "strengths": ("marble", lambda d: paint("", d, keep(keep(blank(SHAPE), CLIP[:, :, :1]),
                  CLIP[:, :, :1], at=2, strength=0.5), 4.0)),
    "ring": ("marble", lambda d: paint("", d, keep(ring(SHAPE), CLIP[:, :, :1]), 4.0, "euler")),
    "reference": ("marble", lambda d: paint("", d, refer(loosen(CLIP, 0.7), CLIP[:, :, :1]), 1.0)),
    "spans": ("marble", lambda d: spans(d, blank(SHAPE))),
    "bf16": ("wan", lambda d: paint(T2V, d, blank(SHAPE), 5.0)),
}

def asked(model):
    small = {"size": "64x64", "num_inference_steps": 3, "seed": 5}
    first = model.generate("a red ball", seconds=1, guidance_scale=3, **small).latents
    long = stream.stream(model, "a red ball", seconds=3, pace=Pace(window=4, advance=2), **small)
    return torch.cat([first, *(part.latents for part in long.chunks())], dim=2)

def compare(one, two):
    one, two = one.double(), two.double()
    apart = float((one - two).norm() / one.norm())
    alike = float(torch.nn.functional.cosine_similarity(one.flatten(), two.flatten(), dim=0))
    return {"apart": apart, "cosine": alike, "shape": list(one.shape)}

told = {}
ranks = parallel.start()
with Team(replace(ranks, joined=False)) as team:
    if not ranks.first:
        team.lend(networks)
    else:
        for name, (kind, make) in CASES.items():
            what = {"model": kind, "dtype": torch.bfloat16 if name == "bf16" else torch.float32,
                    "loras": ()}
            team.begin(networks, **what)
            dits, seen = networks(**what), set()
            one = make(dits)
            dits[0].patch_in.register_forward_pre_hook(lambda _, x: seen.add((*x[0].shape[:2],)))
            team.share(dits, kind)
            seen.clear()
            told[name] = compare(one, make(dits)) | {"seen": sorted(seen)}
with Team(replace(ranks, joined=False)) as team:
    file = out / "style.safetensors"
    if ranks.first:
        alone = engine.load(model, dtype="float32")
        place = places(alone.dit.preset)[0]["blocks.0.attn1.to_out.0"]
        up, down = noise(place.shape[0], 2), noise(2, place.shape[1], seed=1)
        delta = lora.Delta(place=place, down=down, up=up)
        lora.save(file, lora.Lora(name="style", deltas=(delta,)))
        given = {"dtype": "float32", "loras": [(file, 0.5)]}
        one, plain = asked(engine.load(model, **given)), asked(alone)
        two = asked(engine.load(model, team=team, **given))
        told["lora"] = compare(one, two) | {"without": compare(plain, two)["apart"]}
    else:
        try:
            engine.load(model, dtype="float32", team=team)
        except SystemExit as end:
            (out / f"ended-{ranks.rank}").write_text(str(end.code))
if ranks.first:
    (out / "told.json").write_text(json.dumps(told))

line = ["generate", "a red ball", "--model", model, "--size", "64x64", "--seconds", "1"]
line += ["--steps", "3"]
codes = {"made": main([*line, "-o", str(out / "made.mp4"), "--json"])}
codes["refused"] = main([*line, "--guidance-scale", "-1"])
plain, calls = DiT.forward, []

def ends(self, *args, **kwargs):
    calls.append(0)
    if len(calls) == 3 and ranks.size == 2:
        raise MemoryError
    if len(calls) == 3:
        os._exit(9)
    return plain(self, *args, **kwargs)

if ranks.rank == ranks.size - 1:
    DiT.forward = ends
codes["broken"] = main([*line, "-o", str(out / "broken.mp4")])
(out / f"codes-{ranks.rank}.json").write_text(json.dumps(codes))
os._exit(0)  # what is left between the processes is not to be waited for
"""
CASES = (
    "guided", "interval", "never", "unguided", "clips", "one token", "experts", "levels",
    "control", "kept", "strengths", "ring", "reference", "spans",
)  # fmt: skip


def started(size: int, out: Path, model: Path) -> list[subprocess.Popen]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = os.environ | {
        "PYTHONPATH": str(Path(worldreel.__file__).parents[1]), "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    made = []
    for rank in range(size):
        mine = where | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        with (out / f"out-{rank}").open("w") as told, (out / f"err-{rank}").open("w") as said:
            command = [sys.executable, "-c", PROGRAM, str(out), str(model)]
            made.append(subprocess.Popen(command, env=mine, stdout=told, stderr=said))
    return made


@pytest.fixture(scope="module")
def teams(tiny_model, tmp_path_factory):
    """{processes: the folder with what each of them told}, both sizes at the same time."""
    folders = {size: tmp_path_factory.mktemp(f"team-{size}") for size in (2, 4)}
    running = {size: started(size, out, tiny_model) for size, out in folders.items()}
    try:
        for size, processes in running.items():
            codes = [process.wait(timeout=600) for process in processes]
            said = [(folders[size] / f"err-{rank}").read_text() for rank in range(size)]
            assert codes == ([0, 0] if size == 2 else [0, 0, 0, 9]), "\n".join(said)
    finally:
        for process in (p for processes in running.values() for p in processes):
            process.kill()
            process.wait()
    return folders


@pytest.fixture(params=(2, 4))
def team(request, teams):
    """How many processes, and what the first of them told."""
    out = teams[request.param]
    return request.param, out, json.loads((out / "told.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_together_equals_alone(team, case):
    _, _, told = team
    assert told[case]["apart"] <= 1e-5 and told[case]["shape"]


def test_in_bf16_it_is_the_same_but_for_rounding(team):
    assert team[2]["bf16"]["cosine"] >= 0.9999


def test_the_work_is_shared(team):
    """What the first process's transformer was given: clips and tokens of each call."""
    size, _, told = team
    seen = {name: told[name]["seen"] for name in told if "seen" in told[name]}
    assert seen["guided"] == seen["levels"] == seen["bf16"] == [[1, 45 if size == 2 else 22]]
    assert seen["unguided"] == seen["control"] == [[1, 45 // size]]
    assert seen["clips"] == [[2 if size == 2 else 1, 45]]
    assert seen["one token"] == [[1, 1]]
    # four processes and three heads: two of them have nothing to do
    assert seen["spans"] == [[1, 90]]
    assert seen["reference"] == [[1, 60], [1, 90]]  # what is kept is read by the first alone
    # outside of guidance's interval there is one branch, whose tokens are divided instead
    assert seen["never"] == seen["unguided"]
    assert seen["interval"] == ([[1, 22], [1, 45]] if size == 2 else [[1, 11], [1, 22]])
    assert seen["ring"] == ([[1, 60], [1, 120]] if size == 2 else [[1, 60]])


def test_an_engine_is_shared_with_its_loras(team):
    """Guided and not, one after the other; and the others end where the first lets them go."""
    size, out, told = team
    assert told["lora"]["apart"] <= 1e-5 < 1e-3 < told["lora"]["without"]
    assert [(out / f"ended-{rank}").read_text() for rank in range(1, size)] == ["0"] * (size - 1)


def test_the_first_alone_speaks_and_writes(team):
    size, out, _ = team
    answer, *rest = (out / "out-0").read_text().splitlines()
    assert json.loads(answer)["path"] == str(out / "made.mp4") and not rest
    assert {p.name for p in out.glob("*.*") if p.suffix in (".mp4", ".reel")} == {
        "made.mp4", "made.reel"
    }  # fmt: skip
    assert not any((out / f"out-{rank}").read_text() for rank in range(1, size))
    said = [(out / f"err-{rank}").read_text() for rank in range(size)]
    assert said[0].count("paint 3/3") == 1 and not any("paint" in one for one in said[1:])
    codes = [json.loads((out / f"codes-{rank}.json").read_text()) for rank in range(min(size, 3))]
    assert [code["made"] for code in codes] == [0] * len(codes)
    assert [code["refused"] for code in codes] == [2] + [0] * (len(codes) - 1)


def test_an_error_anywhere_is_one_line_and_the_end_of_all(team):
    size, out, _ = team
    said = [(out / f"err-{rank}").read_text().splitlines() for rank in range(size)]
    errors = [line for lines in said for line in lines if line.startswith("error: ")]
    assert len(errors) == 2 and "guidance scale must be from 0" in errors[0]
    if size == 2:
        assert errors[1].startswith("error: rank 1 of 2: out of memory")
    else:
        assert "another process ended, or did not answer in time" in errors[1]
    codes = [json.loads((out / f"codes-{rank}.json").read_text()) for rank in range(min(size, 3))]
    assert [code["broken"] for code in codes] == [1] * len(codes)
    assert not (out / "broken.mp4").exists()


def test_shares_cover_a_count_evenly():
    for count in range(12):
        for ways in range(1, 6):
            parts = shares(count, ways)
            assert [i for part in parts for i in range(count)[part]] == [*range(count)]
            sizes = [part.stop - part.start for part in parts]
            assert max(sizes) - min(sizes) <= 1


def test_a_split_takes_clips_first():
    wan = {"tokens": 32760, "heads": 12}
    rows = {n: split_of(n, batch=2, **wan) for n in (1, 2, 3, 4, 6, 8, 24)}
    assert {n: (s.rows, s.columns) for n, s in rows.items()} == {
        1: (1, 1), 2: (2, 1), 3: (1, 3), 4: (2, 2), 6: (2, 3), 8: (2, 4), 24: (2, 12)
    }  # fmt: skip
    assert not any(s.idle for s in rows.values())
    assert split_of(4, batch=1, tokens=99, heads=3) == Split(size=4, rows=1, columns=2)
    assert split_of(4, batch=1, tokens=99, heads=3).idle == 2


def test_too_many_processes_are_refused():
    preset = MODELS[0].dit
    assert preset.heads == 12
    for size in (1, 2, 3, 4, 5, 6, 7, 8, 12, 24):
        check(size, preset, "wan")
    for size in (13, 25, 26):
        with pytest.raises(RequestError, match=rf"{size} processes .* 12 heads.*start 1, 2, 3"):
            check(size, preset, "wan")


def test_a_division_says_who_does_what_and_what_it_sends():
    """Against counting: what of q, k, v and their sum a rank has and another needs."""
    asked = {"tokens": 32_760, "guided": True, "dtype": torch.bfloat16}
    told = Division.of(4, MODELS[0].dit, **asked).to_json()
    assert told["ranks"][3] == {
        "rank": 3, "branches": ["without it"], "tokens": [16_380, 32_760], "heads": [6, 12]
    }  # fmt: skip
    assert told["sent"] == 30 * 4 * 16_380 * 1536 // 2 * 2
    assert Division.of(2, MODELS[0].dit, **asked).to_json()["sent"] == 0
    uneven = Division.of(5, MODELS[0].dit, tokens=11, guided=False, dtype=torch.float32)
    own = uneven.to_json()["ranks"]
    assert [a["heads"] for a in own] == [[0, 2], [2, 4], [4, 7], [7, 9], [9, 12]]
    assert [a["tokens"] for a in own] == [[0, 2], [2, 4], [4, 6], [6, 8], [8, 11]]
    shared = ((2, 2), (2, 2), (2, 3), (2, 2), (3, 3))
    away = max(3 * n * (12 - h) + (11 - n) * h for n, h in shared)
    assert uneven.to_json()["sent"] == away * 128 * 30 * 4
    assert "0: with the prompt; tokens 0 to 2" in uneven.table()


def test_the_plan_of_several_processes(monkeypatch):
    request = Request(prompt="a red ball", size="144x80", seconds=2)
    assert foretell(request, told=True)[1] is None
    monkeypatch.setattr(several, "count", lambda: 4)
    made, divided = foretell(request, told=True)
    assert made is not None and divided is not None and divided.tokens == made.tokens == 270
    assert divided.split == Split(size=4, rows=2, columns=2)
    monkeypatch.setattr(several, "count", lambda: 5)
    with pytest.raises(
        RequestError, match="marble: its attention has 3 heads.*start 1, 2, 3, 4, 6"
    ):
        foretell(request, told=True)


def test_alone_a_team_is_none():
    with Team(Ranks()) as team:
        assert team.channel is None and not team.pairs


def test_mapped_goes_through_all_that_holds():
    split = Split(size=2, rows=1, columns=2)
    assert mapped({"a": [1, (2, "x")], "b": split}, int, lambda n: n + 1) == {
        "a": [2, [3, "x"]], "b": Split(size=3, rows=2, columns=3)
    }  # fmt: skip
