"""From a name, a folder or a file to the networks of an engine, and how they like to be used.

marble's layout    model.json  text/  dit/  compressor/
public weights     what `models.wan_folder` finds
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from worldreel import adapted, checkpoint, lora, plan, samplers, shelf
from worldreel.checkpoint import PACKAGED
from worldreel.errors import CheckpointError, RequestError
from worldreel.models import wan_text
from worldreel.models.bits8 import quantise
from worldreel.models.compressor import FRAMES, Compressor
from worldreel.models.dit import DiT
from worldreel.models.presets import CompressorPreset, DitPreset, Settings, build
from worldreel.models.text import TextEncoder
from worldreel.models.unread import Unread, keep_nothing
from worldreel.models.wan import described_transformer, described_vae
from worldreel.models.wan_folder import Found, find
from worldreel.models.wan_models import MODELS, WanModel
from worldreel.models.wan_text import WanText
from worldreel.models.wan_vae import WanVae
from worldreel.offload import RESIDENT, Way, ways
from worldreel.progress import Progress, silent
from worldreel.public import Public
from worldreel.request import Limits
from worldreel.settings import limits_of, settings_of
from worldreel.team import Team
from worldreel.values import number, short

Loras = Sequence[tuple[str | Path, float]]  # files and their strengths; 1 is as it was trained
Change = tuple[tuple[lora.Lora, ...], float]  # a LoRA for each expert, and its strength
_FILES = (".safetensors", ".pth", ".pt", ".json")


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """What an engine is made of."""

    settings: Settings
    text: TextEncoder | WanText
    dit: DiT
    compressor: Compressor | WanVae
    public: Public | None = None
    loras: tuple[tuple[str, float], ...] = ()  # names and strengths
    unread: tuple[Unread, ...] = ()  # weights that are still in their files


def parts(
    model: str | Path,
    *,
    dtype: torch.dtype,
    loras: Loras = (),
    text: WanText | None = None,
    way: Way = RESIDENT,
    device: torch.device | None = None,
    team: Team | None = None,
    told: Progress = silent,
) -> Parts:
    """The networks of a model, on the CPU, with LoRAs written into them.

    text: instead of the text encoder in the folder of public weights. way: how they will run on a
    device; what of public weights comes and goes there is not read yet. team: whose others have
    begun to load `transformers`, and then share their work.
    """
    given, model = tuple(_lora(one) for one in loras), located(model)
    folder = own_folder(model)
    if folder is not None:
        made = _own(folder, dtype, given)
    else:
        made = _public(find(model), dtype, given, text, way, device, told)
    if team is not None:
        experts = [made.dit]
        if made.public is not None:
            experts += [made.public.low] if made.public.low is not None else []
            made = replace(made, public=replace(made.public, together=team.pairs))
        team.share(experts, made.settings.name)
    return replace(made, loras=tuple((path.stem, strength) for path, strength in given))


def transformers(
    model: str | Path, *, dtype: torch.dtype, loras: Loras = (), told: Progress = silent
) -> list[DiT]:
    """Of `parts` the transformer, or both, alone: what lends a hand needs no more."""
    given, model = tuple(_lora(one) for one in loras), located(model)
    folder = own_folder(model)
    if folder is not None:
        return [_own_dit(folder, dtype, given)]
    found = find(model)
    experts = _experts(found, dtype, _changes(found, given))
    for expert, unread in experts:
        unread.fill(expert, told=told)
    return [expert for expert, _ in experts]


def located(model: str | Path) -> str | Path:
    """The folder of a fetched model that is given by its hub's id; all else as it is."""
    return shelf.place_of(str(model)) or model


def own_folder(model: str | Path) -> Path | None:
    """The folder of a model in our layout, a packaged one before one of the same name here; None
    for what may be public weights. What is neither is an error."""
    if (folder := shelf.ours(model)) is not None:
        return folder
    path = Path(model)
    if str(model) and path.exists():
        wan = ("model_index.json", "config.json", "transformer", "high_noise_model")
        if (
            path.suffix in _FILES
            and path.is_file()
            or any((path / n).exists() for n in wan)
            or _weights(path)
        ):
            return None
        raise CheckpointError(
            f"{model} is no model of worldreel's: give a folder that holds model.json and the"
            " folders text, dit and compressor, or one of public Wan weights"
        )
    known = ", ".join(sorted(p.parent.name for p in PACKAGED.glob("*/model.json")))
    raise RequestError(
        f"no model {str(model)!r}: give the name of a packaged one ({known or 'there is none'})"
        " or a folder"
    )


def _weights(folder: Path) -> bool:
    return folder.is_dir() and any(folder.glob("*.safetensors"))


def _lora(one: tuple[str | Path, float]) -> tuple[Path, float]:
    if not isinstance(one, tuple | list) or len(one) != 2:
        raise RequestError(f"a LoRA is a pair of its file and its strength, not {short(one)}")
    return Path(one[0]), number("the strength of a LoRA", one[1])


def _own(folder: Path, dtype: torch.dtype, loras: Sequence[tuple[Path, float]]) -> Parts:
    settings = settings_of(folder)
    if settings.sampler not in samplers.NAMES:
        known = ", ".join(samplers.NAMES)
        file = folder / "model.json"
        raise CheckpointError(f"{file}: no sampler of {known}: fetch the model again")
    text = checkpoint.load_text(shelf.part(folder, "text"))
    dit = _own_dit(folder, dtype, loras)
    compressor = checkpoint.load_compressor(shelf.part(folder, "compressor"), dtype=dtype)
    takes = (dit.preset.channels, dit.preset.text_dim)
    given = (compressor.preset.channels, text.preset.out_dim)
    if takes != given:
        raise CheckpointError(
            f"the parts of {folder} are of different models: its transformer takes channels and "
            f"words of {takes}, its compressor and text encoder give {given}: fetch it again"
        )
    return Parts(settings=settings, text=text, dit=dit, compressor=compressor)


def _own_dit(folder: Path, dtype: torch.dtype, loras: Sequence[tuple[Path, float]]) -> DiT:
    dit = checkpoint.load_dit(shelf.part(folder, "dit"), dtype=dtype)
    changes = [(lora.load(path, dit.preset), strength) for path, strength in loras]
    adapted.merge(dit, changes, keep=False)
    return dit


def described(
    model: str | Path, *, loras: Loras = (), whole: bool = False
) -> tuple[plan.Model, Limits]:
    """What a plan of memory must know of a model, and its limits; nothing is read but headers.

    loras: are checked against it. whole: so are all its parts, as for a run.
    """
    given, model = tuple(_lora(one) for one in loras), located(model)
    folder = own_folder(model)
    if folder is not None:
        try:
            held = [
                json.loads((shelf.part(folder, part) / "config.json").read_text("utf-8"))["config"]
                for part in ("dit", "compressor")
            ]
        except (OSError, ValueError, KeyError) as error:
            raise CheckpointError(f"{folder} cannot be read ({error}): fetch it again") from None
        settings = settings_of(folder)
        dit, compressor = build(DitPreset, held[0]), build(CompressorPreset, held[1])
        for path, _ in given:
            lora.load(path, dit)
        about = replace(plan.MODELS["marble"], name=settings.name, dit=dit, vae=compressor)
        return about, limits_of(settings)
    found = find(model)
    own = model_of(found)
    if whole:
        _complete(found, own, None)
        _hears(found)
    _changes(found, given)
    if found.vae is not None:
        own = replace(own, vae=found.vae.preset)
    with torch.device("meta"):
        reach = WanVae(own.vae).reach
    limits = Public(model=own).limits(patch=own.dit.patch, stride=own.vae.stride, reach=reach)
    about, words = plan.wan(own), None if found.text is None else wan_text.size_of(found.text)
    return about if words is None else replace(about, text=words), limits


def way(
    model: str | Path,
    name: str,
    weights: str,
    device: torch.device,
    dtype: torch.dtype,
    team: Team | None = None,
) -> Way:
    """How a model runs: by a name, or ("auto") the first way in which a clip of its own size fits
    what is free; where none does, the one that takes least. weights: "auto" or "int8". A team's
    processes hold all of it."""
    if weights not in ("auto", "int8"):
        raise RequestError(f"weights are auto or int8, not {weights!r}")
    if team is not None:
        if weights != "auto":
            raise RequestError("several processes hold weights as they are: leave out --weights")
        return RESIDENT
    known = ways(device, bits8=weights == "int8")
    if name not in ("auto", *known):
        eight = "; weights in 8 bits by weights='int8'" if "8 bits" in name else ""
        every = ", ".join(map(repr, ("auto", *known)))
        raise RequestError(f"unknown way {name!r} on this device{eight}: one of {every}")
    if own_folder(located(model)) is not None:
        if weights == "int8":
            raise RequestError("weights in 8 bits are for public weights: leave it out")
        return known["all resident" if name == "auto" else name]
    if name != "auto":
        return known[name]
    about, limits = described(model)
    width, height = limits.base_sizes[limits.default_aspect]
    made = plan.plan(
        about,
        frames=1 + FRAMES * round((limits.default_seconds * limits.fps) / FRAMES),
        height=height,
        width=width,
        dtype=dtype,
        free=plan.free_bytes(device),
        device=device,
        bits8=weights == "int8",
    )
    return known[(made.chosen or made.strategies[-1]).name]


def model_of(found: Found) -> WanModel:
    """The public model that was found, or one of other sizes that is sampled as its nearest kin."""
    preset = found.transformers[0].preset
    if found.model is not None:
        return found.model
    kin = "wan2.2-ti2v-5b" if preset.out_channels == 48 else "wan2.1-t2v-1.3b"
    if preset.control:
        kin = "wan2.1-vace-1.3b"
    elif preset.channels != preset.out_channels:
        kin = "wan2.2-i2v-a14b"
    elif len(found.transformers) > 1:
        kin = "wan2.2-t2v-a14b"
    model = next(m for m in MODELS if m.name == kin)
    experts = len(found.transformers)
    return replace(model, name=found.path.name, dit=preset, experts=experts)


def _public(
    found: Found,
    dtype: torch.dtype,
    loras: Sequence[tuple[Path, float]],
    text: WanText | None,
    way: Way,
    device: torch.device | None,
    told: Progress,
) -> Parts:
    """Public weights; all that is missing or cannot be is said before any is read."""
    model = model_of(found)
    _complete(found, model, text)
    changes = _changes(found, loras)
    assert found.vae is not None
    vae, unread = described_vae(found.vae, dtype=torch.float32)  # as its makers compute it
    if vae.frames != FRAMES:
        raise CheckpointError(f"{found.path}: {vae.frames} frames a latent, and not {FRAMES}")
    networks: list[tuple[nn.Module, Unread]] = [(vae, unread)]
    if text is None:
        text, unread = _hears(found, dtype)
        networks.append((text, unread))
    if (way.bits8 or way.streamed or way.by_layers) and (device is None or device.type == "cpu"):
        keep_nothing()  # weights are made anew for each use: the gaps would outweigh what is saved
    told_of = _experts(found, dtype, changes, bits8=way.bits8)
    experts = [expert for expert, _ in told_of]
    networks += told_of
    kept = device is not None and device.type != "cpu" and _room(found, dtype)
    waiting = []
    for network, unread in networks:
        if way.freed and (network is text or not kept):
            unread.lay(network)
            waiting.append(unread)
        else:
            unread.fill(network, told=told)
    low = experts[1] if len(experts) > 1 else None
    public = Public(model=model, low=low, boundary=found.boundary, shift=found.shift)
    return Parts(
        settings=public.settings,
        text=text,
        dit=experts[0],
        compressor=vae,
        public=public,
        unread=tuple(waiting),
    )


def _complete(found: Found, model: WanModel, text: WanText | None) -> None:
    """Say what a run of a model lacks; text: instead of the folder's own."""
    if model.experts > len(found.transformers):
        raise CheckpointError(
            f"{found.path} holds one of the two transformers of {model.name}: give the folder that"
            " holds both"
        )
    lacking = {"autoencoder": found.vae}
    if text is None:
        lacking |= {"text encoder": found.text, "tokenizer": found.tokenizer}
    if gone := [name for name, part in lacking.items() if part is None]:
        raise CheckpointError(
            f"{found.path} has no {gone[0]}: give the whole folder of {model.name}, as it was"
            " published"
        )
    if text is None and (error := wan_text.needs()):
        raise error


def _hears(found: Found, dtype: torch.dtype = torch.bfloat16) -> tuple[WanText, Unread]:
    """The text encoder of a complete model, without its weights, and they."""
    assert found.text is not None and found.tokenizer is not None
    return wan_text.described_text(found.text, found.tokenizer, dtype=dtype)


def _room(found: Found, dtype: torch.dtype) -> bool:
    """Whether main memory holds what comes and goes; else it comes from the files each time."""
    return found.nbytes(dtype) * (1 + plan.MARGIN) <= plan.free_bytes(torch.device("cpu"))


def _changes(found: Found, loras: Sequence[tuple[Path, float]]) -> list[Change]:
    preset = found.transformers[0].preset
    return [_pair(path, strength, len(found.transformers), preset) for path, strength in loras]


def _experts(
    found: Found, dtype: torch.dtype, changes: Sequence[Change], *, bits8: bool = False
) -> list[tuple[DiT, Unread]]:
    """The transformers, with what is still in their files."""
    experts = []
    for i, stored in enumerate(found.transformers):
        expert, unread = described_transformer(stored, dtype=dtype)
        unread.change = adapted.changing(expert, [(pair[i], held) for pair, held in changes])
        if bits8:
            for block in expert.all_blocks:
                quantise(block)
            unread.round(expert)
        experts.append((expert, unread))
    return experts


def _pair(path: Path, strength: float, experts: int, preset: Any) -> Change:
    """A LoRA for each expert, and its strength."""
    if experts == 1:
        return (lora.load(path, preset),), strength
    pair = lora.load_pair(path, preset)
    return (pair.high, pair.low), strength
