"""Laws of the data room: a seed is a clip, shards are whole or refused, batches resume exactly."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from worldreel.data import clip, encode, synth
from worldreel.data.encode import pixels
from worldreel.data.loader import Bucket, Loader
from worldreel.errors import CheckpointError, MediaError
from worldreel.models.compressor import Compressor
from worldreel.models.presets import TINY_COMPRESSOR
from worldreel.world.scene import KINDS, Scene

LOOK: dict[str, Any] = dict(size=(32, 32), seconds=1 / 3)
SMALL, STILL = synth.Settings(**LOOK), synth.Settings(**LOOK, still=True)
TINY: dict[str, Any] = dict(first_seed=10, shard=3)


class Mean(nn.Module):
    """A compressor that keeps each cell's mean colour."""

    scale: torch.Tensor

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale))

    def encode(self, video):
        return nn.functional.avg_pool3d(video, (4, 16, 16)) * self.scale


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("data")
    synth.synthesize(out / "clips", SMALL, count=7, **TINY)
    synth.synthesize(out / "stills", STILL, count=3, **TINY | {"shard": 64})
    encode.encode(out / "clips", out / "latents", Mean())
    encode.encode(out / "stills", out / "still_latents", Mean(), batch=2)
    return out


def all_clips(path):
    return [c for shard in clip.shards(path) for c in clip.read(shard)]


def same(a, b):
    arrays = all(np.array_equal(getattr(a, k), getattr(b, k)) for k in ("frames", "ids", "dense"))
    return arrays and (a.seed, a.scenes, a.words, a.twin_words) == (
        b.seed, b.scenes, b.words, b.twin_words,
    )  # fmt: skip


def test_a_shard_round_trips(folder):
    made = list(synth.stream(range(10, 12), SMALL))
    for a, b in zip(made, all_clips(folder / "clips"), strict=False):
        assert same(a, b)
    first = made[0]
    assert first.frames.shape == (4, 32, 32, 3) and first.ids.dtype == np.uint8
    assert first.dense.shape == (1, 2, 2, len(clip.DENSE)) and first.dense.dtype == np.float16
    assert {c.language for c in first.captions} == {"en", "zh"}
    assert [f.shape for f, _ in clip.raw(folder / "stills")] == [(1, 32, 32, 3)] * 3


def test_all_that_is_known_goes_to_the_shard_and_back(tmp_path):
    synth.synthesize(tmp_path, replace(SMALL, truth=True), count=1, **TINY)
    (made,) = all_clips(tmp_path)
    assert made.truth is not None and made.contacts == tuple(map(tuple, made.contacts))
    shapes = {name: values.shape for name, values in made.truth.items()}
    assert shapes["depth"] == (4, 32, 32) and shapes["flow"] == (4, 32, 32, 2)
    assert shapes["centre"] == shapes["velocity"] == (4, clip.MOST, 3)
    moved = np.diff(made.truth["centre"], axis=0)[:, 0] * 12
    assert np.allclose(moved[0], made.truth["velocity"][0, 0], atol=1e-4)
    twin = made.mirrored_twin()
    assert twin.truth is not None
    assert np.array_equal(twin.truth["depth"], made.truth["depth"][:, :, ::-1])
    assert np.array_equal(twin.truth["flow"][..., 0], -made.truth["flow"][:, :, ::-1, 0])
    back = twin.mirrored_twin().truth
    assert back is not None
    for name, values in made.truth.items():
        assert np.array_equal(back[name], values, equal_nan=True), name


def test_a_clip_of_several_shots_is_its_shots_one_after_the_other():
    settings = synth.Settings(size=(32, 32), seconds=4, shots=True)
    made = next(c for c in synth.stream(range(40), settings) if len(c.scenes) > 1)
    assert len(made.frames) == 48 and made.starts[0] == 0 and len(made.starts) == len(made.scenes)
    assert all(start % 4 == 0 for start in made.starts)
    subjects = [Scene.from_json(scene).things[0] for scene in made.scenes]
    assert len({(thing.kind, thing.color) for thing in subjects}) == 1
    for caption in made.captions:
        assert [part.start for part in caption.parts] == list(made.starts)
        assert caption.parts[-1].end == 48
        assert caption.labels["shots"] == len(made.scenes)
    assert clip.Words.from_json(json.loads(json.dumps(made.words.to_json()))) == made.words


def test_jobs_and_shards_change_no_clip(folder, tmp_path):
    synth.synthesize(tmp_path, SMALL, count=7, jobs=2, **TINY | {"shard": 4})
    made, known = all_clips(tmp_path), all_clips(folder / "clips")
    assert [c.seed for c in made] == list(range(10, 17))
    assert all(same(a, b) for a, b in zip(made, known, strict=True))


def test_synthesis_goes_on_where_it_stopped(folder, tmp_path, capsys):
    synth.synthesize(tmp_path, SMALL, count=4, **TINY)
    first = (tmp_path / "shard-0000000010.json").stat().st_mtime_ns
    synth.synthesize(tmp_path, SMALL, count=7, **TINY)  # the short last shard is made again, whole
    assert (tmp_path / "shard-0000000010.json").stat().st_mtime_ns == first
    assert all(
        same(a, b) for a, b in zip(all_clips(tmp_path), all_clips(folder / "clips"), strict=True)
    )
    assert "7/7 clips" in capsys.readouterr().err
    with pytest.raises(ValueError, match="give another folder"):
        synth.synthesize(tmp_path, replace(SMALL, size=(48, 32)), count=4, **TINY)
    with pytest.raises(ValueError, match="multiples of 16"):
        synth.synthesize(tmp_path, replace(SMALL, size=(40, 32)), count=4, **TINY)


def test_a_truncated_shard_is_refused_and_remade(folder, tmp_path):
    synth.synthesize(tmp_path, SMALL, count=1, **TINY)
    (shard,) = clip.shards(tmp_path)
    file = shard.with_suffix(".safetensors")
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(MediaError, match="truncated: delete both files"):
        clip.read(shard)
    synth.synthesize(tmp_path, SMALL, count=1, **TINY)
    assert same(clip.read(shard)[0], all_clips(folder / "clips")[0])


def test_dense_truth_agrees_with_the_ids(folder):
    for c in all_clips(folder / "clips"):
        share = c.dense[..., : len(KINDS)].astype(np.float32).sum(-1)
        covered = (c.ids > 0).reshape(1, 4, 2, 16, 2, 16).mean((1, 3, 5))
        assert np.allclose(share, covered, atol=2e-3)
        assert np.isfinite(c.dense).all()


def test_the_twin_is_the_mirror_image(folder):
    for c in all_clips(folder / "clips"):
        twin = c.mirrored_twin()
        assert np.array_equal(twin.frames, c.frames[:, :, ::-1]) and twin.mirrored
        assert same(twin.mirrored_twin(), c)
        swapped = {"left": "right", "right": "left"}
        sides = [f.value for f in c.facts if f.value in swapped]
        assert [f.value for f in twin.facts if f.value in swapped] == [swapped[s] for s in sides]


def loader(folder, **more):
    buckets = [
        Bucket(path=folder / "latents", weight=3, batch=4),
        Bucket(path=folder / "still_latents", weight=1, batch=2),
    ]
    return Loader(buckets, seed=5, **more)


def equal(a, b):
    return (
        torch.equal(a.latents, b.latents)
        and torch.equal(a.dense, b.dense)
        and (a.captions, a.seeds) == (b.captions, b.seeds)
        and all(torch.equal(a.said[slot], b.said[slot]) for slot in a.said)
    )


def test_a_batch_is_what_it_says(folder):
    batches = [next(loader(folder))] + [b for b, _ in zip(loader(folder), range(8), strict=False)]
    shapes = {b.bucket: tuple(b.latents.shape) for b in batches}
    assert shapes == {0: (4, 3, 1, 2, 2), 1: (2, 3, 1, 2, 2)}
    assert [b.bucket for b in batches[1:]].count(1) == 2
    known = {}
    for c in all_clips(folder / "clips"):
        for row in (c, c.mirrored_twin()):
            for said in row.captions:
                known[c.seed, said.text] = (row, said)
    b = batches[0]
    for i in range(4):
        row, said = known[b.seeds[i], b.captions[i]]
        close = Mean().encode(pixels([row.frames]))[0]
        twin = Mean().encode(pixels([row.mirrored_twin().frames]))[0]
        assert min((close - b.latents[i]).abs().max(), (twin - b.latents[i]).abs().max()) < 2e-3
        assert {slot: int(b.said[slot][i]) for slot in b.said} == dict(said.labels)


def test_each_epoch_has_every_clip_once(folder):
    one = Loader([Bucket(path=folder / "latents", batch=2)], seed=0)
    seeds = [seed for _ in range(7) for seed in next(one).seeds]
    assert sorted(seeds) == sorted([*range(10, 17)] * 2)


def test_resume_gives_the_very_next_batch(folder):
    whole, first = loader(folder), loader(folder)
    wanted = [next(whole) for _ in range(9)]
    for _ in range(5):
        next(first)
    second = loader(folder, mapped=True)
    second.load_state_dict(first.state_dict())
    assert all(equal(next(second), batch) for batch in wanted[5:])


def test_new_shards_change_no_resumed_run(folder, tmp_path):
    synth.synthesize(tmp_path / "raw", SMALL, count=6, **TINY)
    encode.encode(tmp_path / "raw", tmp_path / "latents", Mean())
    run = Loader([Bucket(path=tmp_path / "latents", batch=4)], seed=0)
    next(run)
    state, wanted = run.state_dict(), next(run)
    encode.encode(folder / "clips", tmp_path / "latents", Mean())  # a seventh clip
    again = Loader([Bucket(path=tmp_path / "latents", batch=4)], seed=0)
    again.load_state_dict(state)
    assert equal(next(again), wanted)
    again.load_state_dict(state, grow=True)
    with pytest.raises(CheckpointError, match="bring it back"):
        again.load_state_dict(state | {"shards": [["shard-9"]]})


def test_ranks_share_the_batch(folder):
    whole = loader(folder)
    ranks = [loader(folder, rank=rank, world=2) for rank in range(2)]
    for _ in range(6):
        batch, parts = next(whole), [next(rank) for rank in ranks]
        assert torch.equal(torch.cat([p.latents for p in parts]), batch.latents)
        assert sum([p.captions for p in parts], []) == batch.captions
        assert torch.equal(torch.cat([p.said["kind0"] for p in parts]), batch.said["kind0"])
    with pytest.raises(ValueError, match="does not divide by 3"):
        loader(folder, world=3)


def test_a_decoder_that_learns_on_leaves_latents_true(folder, tmp_path):
    net = Compressor(TINY_COMPRESSOR)
    old = encode.encode(folder / "clips", tmp_path, net)
    times = {f: f.stat().st_mtime_ns for f in tmp_path.iterdir()}
    torch.nn.init.normal_(net.decoder.here.weight)
    net.encoder.out.weight.data.neg_()  # zeros, which an average makes of -0.0
    assert encode.encode(folder / "clips", tmp_path, net) == old
    assert times == {f: f.stat().st_mtime_ns for f in tmp_path.iterdir()}
    torch.nn.init.normal_(net.encoder.out.weight)
    assert encode.encode(folder / "clips", tmp_path, net) != old
    assert times != {f: f.stat().st_mtime_ns for f in tmp_path.iterdir()}


def test_stale_latents_are_refused_and_remade(folder, tmp_path):
    old = encode.encode(folder / "clips", tmp_path, Mean())
    assert Loader([Bucket(path=tmp_path)], seed=0).compressor == old
    with pytest.raises(MediaError, match="another compressor"):
        Loader([Bucket(path=tmp_path)], seed=0, compressor="new")
    new = encode.encode(folder / "clips", tmp_path, Mean(2.0))
    assert new != old and Loader([Bucket(path=tmp_path)], seed=0).compressor == new
    with pytest.raises(MediaError, match="raw clips"):
        Loader([Bucket(path=folder / "clips")], seed=0)
