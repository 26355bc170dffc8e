"""Models on this machine: listed, checked, removed; nothing here touches the network."""

import hashlib
import json
import sys
import types

import pytest

from worldreel import loading, shelf
from worldreel.cli import main
from worldreel.errors import CheckpointError, MissingExtraError, RequestError

ID = "someone/a-model"
BYTES = b"weights" * 100


@pytest.fixture
def place(monkeypatch, tmp_path):
    monkeypatch.setenv(shelf.PLACE, str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def hub(monkeypatch, place):
    """A hub's client that brings one model; what it says of the hash may be changed."""
    said = {"sha256": hashlib.sha256(BYTES).hexdigest()}

    class Api:
        def model_info(self, name, revision, files_metadata):
            lfs = types.SimpleNamespace(**said)
            file = types.SimpleNamespace(rfilename="vae/model.safetensors", lfs=lfs)
            card = types.SimpleNamespace(to_dict=lambda: {"license": "apache-2.0"})
            return types.SimpleNamespace(sha="c0ffee", siblings=[file], card_data=card)

    def snapshot_download(name, *, revision, local_dir, ignore_patterns, max_workers):
        assert (name, revision) == (ID, "c0ffee")
        (local_dir / "vae").mkdir(parents=True, exist_ok=True)
        (local_dir / "vae/model.safetensors").write_bytes(BYTES)
        (local_dir / "model_index.json").write_text("{}")

    client = types.ModuleType("huggingface_hub")
    client.HfApi, client.snapshot_download = Api, snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    return said


def test_what_is_packaged_is_listed(place, capsys):
    assert main(["models", "list"]) == 0
    assert capsys.readouterr().out.startswith("marble")
    assert main(["models", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == str(place) and told["models"][0]["licence"] == "Apache-2.0"
    for name in ("marble", "marble-few"):
        assert main(["models", "check", name, "-q"]) == 0
        assert f"{name}: whole" in capsys.readouterr().out
    assert main(["models", "remove", "marble"]) == 2
    assert "comes with worldreel" in capsys.readouterr().err


def test_fetch_check_remove(hub, place, capsys):
    assert main(["models", "fetch", ID, "--json", "-q"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["licence"], told["revision"]) == ("apache-2.0", "c0ffee")
    assert told["nbytes"] == len(BYTES) + 2
    assert shelf.place_of(ID) == place / "someone--a-model" == loading.located(ID)
    assert [model.name for model in shelf.held()] == ["marble", "marble-few", ID]
    assert main(["models", "check", ID, "-q"]) == 0
    (place / "someone--a-model/vae/model.safetensors").write_bytes(BYTES[:-1] + b"x")
    assert main(["models", "check", ID, "-q"]) == 2
    assert "model.safetensors was changed" in capsys.readouterr().err
    assert main(["models", "remove", ID]) == 0
    assert shelf.place_of(ID) is None and not list(place.iterdir())
    with pytest.raises(RequestError, match="is here, but marble"):
        shelf.verify(ID)


def test_what_is_not_what_the_hub_has_does_not_count(hub, place):
    hub["sha256"] = "0" * 64
    with pytest.raises(CheckpointError, match="not what the hub has"):
        shelf.fetch(ID)
    assert shelf.place_of(ID) is None and len(shelf.held()) == 2


def test_without_the_client_the_error_says_what_to_install(monkeypatch, place):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"extra 'wan' brings: pip install .*\[wan\]"):
        shelf.fetch(ID)
    with pytest.raises(RequestError, match="OWNER/NAME"):
        shelf.fetch("../../etc")


def test_a_damaged_list_is_named(place):
    (place / "x--y").mkdir(parents=True)
    (place / "x--y/worldreel.json").write_text("{}")
    with pytest.raises(CheckpointError, match="cannot be read"):
        shelf.held()
