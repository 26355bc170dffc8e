"""A model in pieces: whole again or an error; a trainer apart: one, alive or not."""

import sys
import time

import pytest

from worldreel.errors import CheckpointError
from worldreel.train import apart, pieces


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model/dit").mkdir(parents=True)
    (tmp_path / "model/model.json").write_text("{}")
    (tmp_path / "model/dit/weights").write_bytes(bytes(range(256)) * 100)
    return tmp_path / "model"


def test_pieces_make_the_folder_again(model, tmp_path):
    about = pieces.write(model, tmp_path / "out", "marble-000002", piece=10_000)
    pieces.write(model, tmp_path / "out", "marble-000001", piece=10_000)
    sizes = [file.stat().st_size for file in (tmp_path / "out").glob("marble-000002.[0-9]*")]
    assert len(sizes) == about["pieces"] > 2 and max(sizes) <= 10_000
    assert pieces.join(tmp_path / "out", tmp_path / "again")["name"] == "marble-000002"
    for file in ("model.json", "dit/weights"):
        assert (tmp_path / "again" / file).read_bytes() == (model / file).read_bytes()


def test_a_missing_or_damaged_piece_is_told(model, tmp_path):
    pieces.write(model, tmp_path, "marble", piece=10_000)
    held = (tmp_path / "marble.01").read_bytes()
    (tmp_path / "marble.01").write_bytes(held[:-1] + b"!")
    with pytest.raises(CheckpointError, match="a piece is damaged"):
        pieces.join(tmp_path, tmp_path / "again")
    (tmp_path / "marble.01").unlink()
    with pytest.raises(CheckpointError, match="marble.01 is missing"):
        pieces.join(tmp_path, tmp_path / "again")
    with pytest.raises(CheckpointError, match="no pieces"):
        pieces.join(tmp_path / "none", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_another_process_of_the_same_number_is_not_taken_for_it(tmp_path):
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    pid = apart.start(tmp_path / "own", command)
    (tmp_path / "pid").write_text(f"{pid} 1\n")  # of a trainer before the machine was started anew
    try:
        assert apart.alive(tmp_path) == 0 and apart.stop(tmp_path) == 0
        assert apart.alive(tmp_path / "own") == pid
    finally:
        apart.stop(tmp_path / "own")


def test_one_process_apart_until_it_is_stopped(tmp_path):
    assert apart.alive(tmp_path) == 0 and apart.stop(tmp_path) == 0
    command = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
    pid = apart.start(tmp_path, command)
    assert apart.start(tmp_path, command) == pid == apart.alive(tmp_path)
    assert apart.stop(tmp_path) == pid
    assert apart.alive(tmp_path) == 0 and apart.stop(tmp_path) == 0
    assert apart.start(tmp_path, [sys.executable, "-c", "print('again')"]) != pid
    while apart.alive(tmp_path):
        time.sleep(0.01)
    assert (tmp_path / "train.log").read_text().endswith("again\n")
