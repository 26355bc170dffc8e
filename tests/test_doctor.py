"""`worldreel doctor`: what this machine offers, and what is missing."""

import json

import torch

from worldreel import device
from worldreel.cli import doctor, main


def test_doctor(capsys):
    assert main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["dtype"]["cpu_gflops"]["float32"] > 0
    assert told["dtype"]["use"] in ("bfloat16", "float32") and told["dtype"]["why"]
    assert told["encoders"]["libx264"] is True and told["encoders"]["mp4 uses"] == "libx264"
    assert told["disk"]["free_gib"] >= 0 and told["cpu"]["cores"] >= 1
    assert main(["doctor"]) == 0
    assert "libx264: yes" in capsys.readouterr().out


def test_doctor_says_which_extras_are_missing(monkeypatch):
    monkeypatch.setattr(doctor, "command", lambda extra: f"get {extra}")
    listed = ["numpy", 'pytest>=1; extra == "dev"', "no-such-package ; extra == 'odd'"]
    listed.append("worldreel[dev,odd]; extra == 'all'")
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda _: listed)
    assert doctor._extras() == {
        "all": "missing no-such-package: get all",
        "dev": "installed",
        "odd": "missing no-such-package: get odd",
    }


def test_doctor_names_the_dtype_that_the_engine_chooses(monkeypatch):
    monkeypatch.setattr(device, "best_dtype", lambda device: (torch.float32, f"a {device}"))
    told = doctor._dtype()
    where = "cuda" if torch.cuda.is_available() else "cpu"
    assert (told["use"], told["why"]) == ("float32", f"a {where}")
