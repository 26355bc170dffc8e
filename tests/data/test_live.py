"""Live data: the same batches whoever renders them, in however many processes and ranks."""

import pytest
import torch

from worldreel.data import clip, synth
from worldreel.data.encode import encode
from worldreel.data.live import Fresh, Live
from worldreel.data.loader import Bucket, Loader
from worldreel.errors import CheckpointError
from worldreel.models import presets
from worldreel.models.compressor import Compressor

SETTINGS = synth.Settings(size=(32, 16), seconds=1 / 3)
STILLS = synth.Settings(size=(16, 16), still=True)


@pytest.fixture(scope="module")
def compressor():
    torch.manual_seed(0)
    return Compressor(presets.TINY_COMPRESSOR).requires_grad_(False)


def fresh(**changes):
    given = {"settings": SETTINGS, "first_seed": 40, "batch": 4, "group": 4, "reuse": 2}
    return Fresh(**{**given, **changes})


def same(a, b):
    assert a.captions == b.captions and a.seeds == b.seeds and a.bucket == b.bucket
    for name in ("latents", "dense"):
        assert torch.equal(getattr(a, name), getattr(b, name))
    assert all(torch.equal(a.said[slot], b.said[slot]) for slot in a.said)


def test_a_clip_is_what_the_same_seed_gives_on_disk(compressor, tmp_path):
    synth.synthesize(tmp_path / "raw", SETTINGS, first_seed=40, count=4)
    encode(tmp_path / "raw", tmp_path / "latents", compressor)
    loader = Loader([Bucket(path=tmp_path / "latents", batch=8)], seed=0)
    stored = next(loader)
    live = Live([fresh(reuse=1, batch=8, group=8)], compressor, seed=0, jobs=0)
    seen = {}
    for _ in range(2):
        batch = next(live)
        for i, seed in enumerate(batch.seeds):
            seen.setdefault(seed, []).append(batch.latents[i])
    for i, seed in enumerate(stored.seeds):
        assert any(torch.equal(stored.latents[i], z) for z in seen[seed])
    assert set(seen) == set(range(40, 48)) and all(len(v) == 2 for v in seen.values())


def test_the_words_of_several_shots_are_those_on_disk(compressor, tmp_path):
    """Of which shot, from which latent on, in the mirrored twin's words too."""
    settings = synth.Settings(size=(16, 16), seconds=4, shots=True)
    synth.synthesize(tmp_path / "raw", settings, first_seed=43, count=4)
    encode(tmp_path / "raw", tmp_path / "latents", compressor)
    stored = Loader([Bucket(path=tmp_path / "latents", batch=8)], seed=0, chinese=0)
    source = fresh(settings=settings, first_seed=43, reuse=1)
    live = Live([source], compressor, seed=0, jobs=0, chinese=0)
    known = {
        (c.seed, c.mirrored, caption.text): (caption, [start // 4 for start in c.starts])
        for own in clip.read(tmp_path / "raw/shard-0000000043")
        for c in (own, own.mirrored_twin())
        for caption in c.captions
    }
    count = 0
    for batch in (next(stored), next(live), next(live)):
        assert batch.spans and batch.spans[0][0] == 0
        for row, (seed, text) in enumerate(zip(batch.seeds, batch.captions, strict=True)):
            found = [known[key] for key in known if (key[0], key[2]) == (seed, text)]
            for at, said in batch.spans:
                own = {slot: int(values[row]) for slot, values in said.items()}
                told = []
                for caption, starts in found:
                    parts = [part.labels for part in caption.parts] or [caption.labels]
                    told.append(dict(parts[sum(start <= at for start in starts) - 1]))
                assert own in told
                count += at > 0
    assert count > 8


def test_every_clip_and_its_twin_come_as_often_as_asked_and_then_new_ones(compressor):
    live = Live([fresh()], compressor, seed=0, jobs=0)
    first = [seed for _ in range(4) for seed in next(live).seeds]
    assert sorted(first) == sorted([40, 41, 42, 43] * 4)
    assert set(next(live).seeds) <= {44, 45, 46, 47}


def test_two_ranks_see_the_batch_of_one(compressor):
    sources = [fresh(), fresh(settings=STILLS, first_seed=90, weight=0.5)]
    whole = Live(sources, compressor, seed=3, jobs=0)
    parts = [Live(sources, compressor, seed=3, rank=r, world=2, jobs=0) for r in (0, 1)]
    for _ in range(6):
        batch, halves = next(whole), [next(part) for part in parts]
        assert batch.still == halves[0].still
        assert torch.equal(batch.latents, torch.cat([half.latents for half in halves]))
        assert batch.captions == halves[0].captions + halves[1].captions


def test_it_goes_on_with_the_very_next_batch_in_other_processes(compressor):
    one = Live([fresh()], compressor, seed=1, jobs=0)
    for _ in range(5):
        next(one)
    state = one.state_dict()
    other = Live([fresh()], compressor, seed=1, jobs=1)
    try:
        other.load_state_dict(state)
        for _ in range(4):
            same(next(one), next(other))
    finally:
        other.close()


def test_what_does_not_fit_is_refused(compressor):
    with pytest.raises(ValueError, match="ranks must divide"):
        Live([fresh(batch=4)], compressor, seed=0, world=3, jobs=0)
    with pytest.raises(ValueError, match="weight above 0"):
        Live([], compressor, seed=0, jobs=0)
    live = Live([fresh()], compressor, seed=0, jobs=0)
    with pytest.raises(CheckpointError, match="same recipe"):
        live.load_state_dict({"seed": 9, "drawn": [0]})


def test_without_twins_it_is_the_folder_without_them(compressor, tmp_path):
    synth.synthesize(tmp_path / "raw", SETTINGS, first_seed=40, count=4)
    folders = {mirror: tmp_path / f"latents-{mirror}" for mirror in (False, True)}
    for mirror, folder in folders.items():
        encode(tmp_path / "raw", folder, compressor, mirror=mirror)
    plain = Loader([Bucket(path=folders[False], batch=3)], seed=0)
    left = Loader([Bucket(path=folders[True], batch=3)], seed=0, twins=False)
    for _ in range(4):  # into the third epoch
        same(next(plain), next(left))
    known = Loader([Bucket(path=folders[False], batch=4)], seed=0)
    stored = next(known)
    by_seed = dict(zip(stored.seeds, stored.latents, strict=True))
    live = Live([fresh(reuse=1)], compressor, seed=0, jobs=0, twins=False)
    for _ in range(2):
        batch = next(live)
        assert len(set(batch.seeds)) == 4
        for seed, latents in zip(batch.seeds, batch.latents, strict=True):
            assert seed >= 44 or torch.equal(latents, by_seed[seed])
