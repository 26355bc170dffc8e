"""Packed takes: the same scenes, facts and pictures, from a fraction of the bytes, no physics."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import worldreel
from worldreel.cli import main as cli
from worldreel.data import synth, takes
from worldreel.data.live import Fresh, Live
from worldreel.data.takes import PLACE, TURN, Folder, pack, packed
from worldreel.errors import MediaError, RequestError
from worldreel.models import presets
from worldreel.models.compressor import Compressor
from worldreel.world.act import act, stage_scene
from worldreel.world.casting import known_words, recast
from worldreel.world.facts import facts
from worldreel.world.place import tells
from worldreel.world.render import render
from worldreel.world.scene import ACTORS, THINGS
from worldreel.world.split import held_out

SETTINGS = synth.Settings(size=(32, 16), seconds=1.0)
FIRST, COUNT = 300, 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("takes")
    made = pack(out, SETTINGS, first_seed=FIRST, count=COUNT, each=5)
    assert made["takes"] + made["left_out"] == COUNT and made["takes"] > COUNT / 2
    assert made["bytes"] == sum(file.stat().st_size for file in out.iterdir())
    return out


@pytest.fixture(scope="module")
def pairs(folder):
    """Takes as they were staged, and as they come out of their files."""
    rows = [row for file in Folder(folder).files for row in takes.read(file)]
    fresh = [stage_scene(row.seed, seconds=1.0, size=SETTINGS.size) for row in rows]
    return [(one, row.take(SETTINGS.size)) for one, row in zip(fresh, rows, strict=True)]


def test_what_comes_out_is_what_went_in_to_half_a_step(pairs):
    for before, after in pairs:
        assert before.scene == after.scene and before.fov == after.fov
        for name in ("shape", "extent", "color", "gloss", "owner"):
            assert np.array_equal(getattr(before, name), getattr(after, name))
        assert np.abs(before.rotation - after.rotation).max() < 3e-4
        assert np.abs(before.centre - after.centre).max() <= 0.51 * PLACE
        assert np.abs(before.position - after.position).max() < 0.51 * PLACE + 3e-4
        assert [row[:3] for row in before.contacts] == [row[:3] for row in after.contacts]
        assert facts(before) == facts(after)


def test_what_no_physics_moved_is_drawn_bit_for_bit(pairs):
    acting = [p for p in pairs if all(thing.kind in ACTORS for thing in p[0].scene.things)]
    assert acting
    for pair in acting[:1]:
        before, after = render(pair, size=SETTINGS.size, truth=True)
        for name in ("frames", "ids", "depth", "normals", "flow"):
            assert np.array_equal(getattr(before, name), getattr(after, name))


def test_what_physics_moved_is_drawn_the_same_but_for_a_few_pixels(pairs):
    moved = [p for p in pairs if any(thing.kind in THINGS for thing in p[0].scene.things)]
    for pair in moved[:3]:
        before, after = render(pair, size=SETTINGS.size)
        apart = np.abs(before.frames.astype(int) - after.frames).max(-1)
        assert (apart > 8).mean() < 0.01 and apart.mean() < 0.5


def test_steps_are_whole_and_the_same_again(pairs):
    """Packing what was unpacked changes nothing more."""
    for _, after in pairs[:4]:
        once = packed(0, after)
        assert np.abs(once.poses - packed(0, once.take(SETTINGS.size)).poses).max() <= 1
        norm = np.linalg.norm(once.poses[..., 3:] * TURN, axis=-1)
        assert np.allclose(norm, 1, atol=1e-3)


def test_a_visit_changes_looks_and_no_motion_and_makes_no_held_out_pair(folder):
    row = takes.read(Folder(folder).files[0])[0]
    plain = row.take((32, 16))
    colors = set()
    for visit in range(1, 6):
        other = row.take((32, 16), visit=visit)
        assert np.array_equal(plain.position, other.position)
        assert np.array_equal(plain.eye, other.eye) and other.contacts == plain.contacts
        colors.add(tuple(thing.color for thing in other.scene.things))
    assert len(colors) > 1


def test_recast_keeps_the_rules_of_casting(pairs):
    known = known_words(None)
    for seed, (take, _) in enumerate(pairs * 8):
        scene = recast(np.random.default_rng(seed), take.scene, known)
        for thing, before in zip(scene.things, take.scene.things, strict=True):
            assert dataclasses.replace(thing, color=before.color) == before
            assert not held_out(thing.color, thing.kind)
            if scene != take.scene:
                assert tells(thing.color, scene.setting, scene.light, scene.weather)
        for one in range(len(scene.things)):
            for two in range(one):
                alike = [
                    (s.things[one].kind, s.things[one].color)
                    == (s.things[two].kind, s.things[two].color)
                    for s in (scene, take.scene)
                ]
                assert alike[0] == alike[1]
        kept = {"things": take.scene.things, "light": take.scene.light}
        assert dataclasses.replace(scene, **kept, weather=take.scene.weather) == take.scene


def test_recast_keeps_to_a_smaller_world(pairs):
    known = known_words(frozenset({"red", "blue", "green", "yellow", "noon"}))
    scene = next(t.scene for t, _ in pairs if len(t.scene.things) == 1)
    for seed in range(8):
        made = recast(np.random.default_rng(seed), scene, known)
        assert made == scene or (made.things[0].color in known["color"] and made.light == "noon")


def test_words_are_those_of_the_seed(folder):
    row = takes.read(Folder(folder).files[0])[0]
    settings = dataclasses.replace(SETTINGS, size=(16, 16))
    one, fresh = Folder(folder).staged(0, settings), synth.stage(row.seed, settings)
    assert (one.seed, one.words, one.twin_words) == (fresh.seed, fresh.words, fresh.twin_words)
    again = Folder(folder).staged(len(Folder(folder)), settings)
    assert again.seed != one.seed and again.takes[0].num_frames == 12


def test_finished_files_stay_and_damaged_ones_are_made_again(folder):
    files = sorted(folder.iterdir())
    first = [(file.read_bytes(), file.stat().st_mtime_ns) for file in files]
    files[0].write_bytes(first[0][0][:-20])
    with pytest.raises(MediaError, match="pack again"):
        takes.read(files[0])
    told = []
    pack(
        folder, SETTINGS, first_seed=FIRST, count=COUNT, each=5, progress=lambda *a: told.append(a)
    )
    assert told == [("pack", COUNT - 5, COUNT), ("pack", COUNT, COUNT)]
    second = [(file.read_bytes(), file.stat().st_mtime_ns) for file in files]
    assert [data for data, _ in second] == [data for data, _ in first]
    assert second[1:] == first[1:]
    other = dataclasses.replace(SETTINGS, seconds=2.0)
    with pytest.raises(RequestError, match="other settings"):
        pack(folder, other, first_seed=FIRST, count=COUNT, each=5)
    with pytest.raises(RequestError, match="pack takes of that length"):
        Folder(folder).staged(0, other)
    with pytest.raises(MediaError, match="world pack"):
        Folder(folder / "none")


def test_live_batches_come_from_takes(folder):
    net = Compressor(presets.TINY_COMPRESSOR).requires_grad_(False)
    source = Fresh(settings=SETTINGS, takes=str(folder), batch=2, group=2, reuse=1)
    batch = next(Live([source], net, seed=0, jobs=0))
    seeds = {row.seed for row in takes.read(Folder(folder).files[0])[:2]}
    assert set(batch.seeds) <= seeds and batch.latents.shape[:3] == (2, 8, 3)


_BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
import torch
torch.set_num_threads(1)
from worldreel.train import dit
print(dit.main(sys.argv[1], out=sys.argv[2])["step"])
assert not set(sys.modules) & {BLOCKED}
"""


def test_training_from_takes_needs_torch_and_numpy_alone(folder, tiny, tmp_path):
    """Where there is no physics, video, picture, schema or command line package at all."""
    blocked = {"mujoco", "av", "PIL", "pydantic", "rich", "typer", "tokenizers", "huggingface_hub"}
    text = Path(tiny / "tiny.py").read_text()
    text += f"""
def dit():
    import dataclasses
    from worldreel import checkpoint
    from worldreel.data import synth
    from worldreel.data.live import Fresh
    from worldreel.models.compressor import Compressor
    preset = presets.TINY_COMPRESSOR
    checkpoint.save(
        HERE / "compressor", kind="compressor", config=dataclasses.asdict(preset),
        tensors=Compressor(preset).state_dict(),
    )
    source = Fresh(
        settings=synth.Settings(size=(32, 16), seconds=1.0), takes={str(folder)!r}, batch=2,
        group=2, reuse=1,
    )
    return dit_stage.Config(
        preset=presets.TINY_DIT, phases=(dit_stage.Phase(steps=2, fresh=(source,)),),
        text={str(tiny / "text")!r}, compressor=str(HERE / "compressor"), jobs=0, compile=False,
    )
"""
    recipe = tmp_path / "packed.py"
    recipe.write_text(text)
    code = _BLOCKED.replace("{BLOCKED}", repr(blocked))
    where = os.environ | {"PYTHONPATH": str(Path(worldreel.__file__).parents[1])}
    command = [sys.executable, "-c", code, str(recipe), str(tmp_path / "run")]
    done = subprocess.run(command, env=where, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2"]


def test_the_same_scene_acted_out_twice_is_one_take(pairs):
    take = pairs[0][0]
    again = act(take.scene, size=SETTINGS.size)
    assert np.array_equal(packed(0, take).poses, packed(0, again).poses)


def test_the_command_line_packs(tmp_path, capsys):
    args = ["world", "pack", "--out", str(tmp_path / "out"), "--seconds", "1", "--seed", "300"]
    assert cli([*args, "--count", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["takes"] + told["left_out"] == 2 and told["bytes"] > 100
    assert cli([*args, "--count", "0"]) == 2
    assert cli([*args, "--count", "2", "--seconds", "0.4"]) == 2
    assert "multiples of 4 frames" in capsys.readouterr().err
