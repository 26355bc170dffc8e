"""How weights move: Muon for hidden matrices, AdamW for the rest, a schedule and an average.

Muon (Keller Jordan and others, 2024, https://kellerjordan.github.io/posts/muon/) replaces the
momentum of a matrix by the nearest orthogonal matrix, so that every direction of it learns at the
same pace. Its step is scaled to the size of AdamW's (Moonlight, arXiv:2502.16982), so one learning
rate suits both. Nothing here subclasses `torch.optim.Optimizer`: state is keyed by the names of
parameters, which a checkpoint can hold and a person can read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from worldreel.errors import CheckpointError, TrainingError

# Fused linear layers, by the last part of their module's name: each part is orthogonalised alone.
SPLITS = {"qkv": 3, "kv": 2}

# The quintic a X + b (X X^T) X + c (X X^T)^2 X of Jordan's Muon: the steepest at zero that still
# keeps singular values within about 0.7 .. 1.2, which is all that a step's direction needs.
_A, _B, _C = 3.4445, -4.7750, 2.0315


def orthogonalize(matrices: Tensor, steps: int = 5) -> Tensor:  # N R C, R <= C -> N R C, bf16
    """Nearly the nearest (semi-)orthogonal matrices: Newton-Schulz, one bmm chain in bf16."""
    x = matrices.bfloat16()
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-7)
    gram = x.new_empty(len(x), x.shape[1], x.shape[1])
    poly, spare = torch.empty_like(gram), torch.empty_like(x)
    for _ in range(steps):  # into the same memory: fresh pages cost the CPU a third of the step
        torch.bmm(x, x.mT, out=gram)  # N R R
        torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C, out=poly)  # N R R
        torch.baddbmm(x, poly, x, beta=_A, out=spare)  # N R C
        x, spare = spare, x
    return x


@dataclass(frozen=True)
class _Stack:
    """Parts of parameters, as (name, part), that are orthogonalised together.

    They are of one shape (rows, columns), rows <= columns, once the tall ones are transposed.
    """

    wide: list[tuple[str, int]]
    tall: list[tuple[str, int]]
    rows: int
    columns: int


class Muon:
    """Momentum, orthogonalised. `splits` says how many parts a parameter's rows fall into.

    Convolutions are welcome: their weights count as matrices (out, in * taps).
    """

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        steps: int = 5,
        splits: Mapping[str, int] | None = None,
    ) -> None:
        self.parameters = dict(parameters)
        self.lr, self.momentum, self.weight_decay, self.steps = lr, momentum, weight_decay, steps
        self.splits = {name: (splits or {}).get(name, 1) for name in self.parameters}
        self.moments = {
            name: torch.zeros_like(p, dtype=torch.float32, memory_format=torch.contiguous_format)
            for name, p in self.parameters.items()
        }
        self.stacks: dict[tuple[Any, ...], _Stack] = {}
        for name, p in self.parameters.items():
            assert p.ndim >= 2, f"{name} {tuple(p.shape)} is no matrix: give it to AdamW"
            count = self.splits[name]
            assert p.shape[0] % count == 0, f"{name}: {p.shape[0]} rows in {count} equal parts"
            rows, columns = p.shape[0] // count, p[0].numel()
            low, high = sorted((rows, columns))
            stack = self.stacks.setdefault((low, high, p.device), _Stack([], [], low, high))
            home = stack.tall if rows > columns else stack.wide
            home.extend((name, part) for part in range(count))

    @torch.no_grad()
    def step(self, factor: float = 1.0) -> None:
        """One step; `factor` is the schedule's, on the learning rate."""
        if not self.parameters:
            return
        lr = self.lr * factor
        values: list[Tensor] = list(self.parameters.values())
        moments = list(self.moments.values())
        # A parameter that this step's loss did not reach has no gradient: its momentum decays.
        grads = [torch.zeros_like(p) if p.grad is None else p.grad.float() for p in values]
        torch._foreach_lerp_(moments, grads, 1 - self.momentum)
        ahead = list(torch._foreach_lerp(grads, moments, self.momentum))  # Nesterov
        updates, weights = self._parts(ahead), self._parts([p.detach() for p in values])
        if self.weight_decay:
            torch._foreach_mul_(values, 1 - lr * self.weight_decay)
        for (_, _, device), stack in self.stacks.items():
            parts = stack.wide + stack.tall
            x = torch.empty(
                len(parts), stack.rows, stack.columns, dtype=torch.bfloat16, device=device
            )
            wide, tall = x[: len(stack.wide)], x[len(stack.wide) :].mT
            torch._foreach_copy_([*wide, *tall], [updates[part].flatten(1) for part in parts])
            x = orthogonalize(x, self.steps)
            wide, tall = x[: len(stack.wide)].float(), x[len(stack.wide) :].mT.float().contiguous()
            # An orthogonal R x C matrix has RMS 1 / sqrt(C), C >= R; AdamW's steps have about 0.2.
            alpha = -lr * 0.2 * stack.columns**0.5
            targets = [weights[part] for part in parts]
            changes = [x.view(w.shape) for x, w in zip((*wide, *tall), targets, strict=True)]
            torch._foreach_add_(targets, changes, alpha=alpha)

    def _parts(self, values: list[Tensor]) -> dict[tuple[str, int], Tensor]:
        """The parts of values that are shaped like the parameters, as views in any layout."""
        return {
            (name, part): view
            for (name, count), value in zip(self.splits.items(), values, strict=True)
            for part, view in enumerate(value.chunk(count))
        }

    def state_dict(self) -> dict[str, Tensor]:
        """Each parameter's momentum, by name."""
        return dict(self.moments)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Inverse of `state_dict`."""
        _same_names(state, self.parameters, "Muon")
        for name, value in self.moments.items():
            value.copy_(state[name])


class AdamW:
    """torch's AdamW, with state keyed by name."""

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.98),
        weight_decay: float = 0.0,
    ) -> None:
        self.parameters = dict(parameters)
        self.lr = lr
        values = list(self.parameters.values())
        # Not fused: that walks raw memory, and is wrong when a model is turned channels-last later.
        self.inner = (
            torch.optim.AdamW(values, lr=lr, betas=betas, weight_decay=weight_decay, foreach=True)
            if values
            else None
        )

    def step(self, factor: float = 1.0) -> None:
        """One step; `factor` is the schedule's, on the learning rate."""
        if self.inner is not None:
            for group in self.inner.param_groups:
                group["lr"] = self.lr * factor
            self.inner.step()

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Each parameter's moments and count of steps, by name; none before its first step."""
        if self.inner is None:
            return {}
        state = self.inner.state
        return {name: dict(state[p]) for name, p in self.parameters.items() if p in state}

    def load_state_dict(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Inverse of `state_dict`."""
        unknown = sorted(set(state) - set(self.parameters))
        if unknown:
            raise CheckpointError(f"AdamW's state has {unknown[0]!r}, which the model has not")
        if self.inner is not None:
            self.inner.state.clear()
            for name, moments in state.items():
                p = self.parameters[name]
                # Copied: a loaded state must not share memory with where it came from. The count
                # of steps stays on the CPU, where torch wants it.
                self.inner.state[p] = {
                    key: value.to(p.device, copy=True) if value.ndim else value.clone()
                    for key, value in moments.items()
                }


class Optimizer:
    """Muon and AdamW as one: `step`, `zero_grad` and a state that nests both."""

    def __init__(self, muon: Muon, adamw: AdamW) -> None:
        self.muon, self.adamw = muon, adamw

    def step(self, factor: float = 1.0) -> None:
        """One step of both at `factor` of their learning rates (see `wsd`)."""
        self.muon.step(factor)
        self.adamw.step(factor)

    def zero_grad(self) -> None:
        for p in (*self.muon.parameters.values(), *self.adamw.parameters.values()):
            p.grad = None

    def state_dict(self) -> dict[str, Any]:
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.muon.load_state_dict(state.get("muon", {}))
        self.adamw.load_state_dict(state.get("adamw", {}))


def in_blocks(name: str, module: nn.Module) -> bool:
    """Whether a module's weight is a hidden matrix: a linear layer in a list called `blocks`."""
    return isinstance(module, nn.Linear) and "blocks" in name.split(".")


def optimizer(
    model: nn.Module,
    *,
    lr: float,
    adam_lr: float | None = None,
    weight_decay: float = 0.0,
    momentum: float = 0.95,
    betas: tuple[float, float] = (0.9, 0.98),
    hidden: Callable[[str, nn.Module], bool] = in_blocks,
    splits: Mapping[str, int] = SPLITS,
) -> Optimizer:
    """The optimizer of a model's trainable parameters.

    Weights of modules that are `hidden` go to Muon at lr; all else (embeddings, norms, biases,
    tables, the projections in and out) goes to AdamW at adam_lr (lr when None), without decay.
    """
    matrices: dict[str, nn.Parameter] = {}
    rest: dict[str, nn.Parameter] = {}
    parts: dict[str, int] = {}
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        home, _, leaf = name.rpartition(".")
        if leaf == "weight" and p.ndim >= 2 and hidden(home, model.get_submodule(home)):
            matrices[name] = p
            parts[name] = splits.get(home.rpartition(".")[2], 1)
        else:
            rest[name] = p
    return Optimizer(
        Muon(matrices, lr=lr, momentum=momentum, weight_decay=weight_decay, splits=parts),
        AdamW(rest, lr=lr if adam_lr is None else adam_lr, betas=betas),
    )


def wsd(
    step: int, *, warmup: int, total: int, decay_share: float = 0.2, floor: float = 0.0
) -> float:
    """Warm-up, stable, decay: the factor on the learning rate at a step (counted from 0).

    Linear up over `warmup` steps, 1, then linear down to `floor` over the last `decay_share` of
    `total`. The stable part does not depend on `total`: a run may be resumed there and made longer.
    """
    if step < warmup:
        return (step + 1) / warmup
    length = decay_share * total
    left = (total - step) / length if length else 1.0
    return floor + (1 - floor) * min(1.0, max(0.0, left))


class Ema:
    """A moving average of parameters whose first steps weigh more, so that it starts unbiased.

    Its memory is at most one part in `power` of the steps so far: with decay 1 the weights of a
    step count as its number to the power of `power` - 1 (Karras et al. 2312.02696, section 3.1).
    """

    def __init__(self, model: nn.Module, decay: float = 0.999, *, power: float = 9.0) -> None:
        self.decay, self.power, self.count = decay, power, 0
        self.parameters = dict(model.named_parameters())
        self.average = {name: p.detach().clone().float() for name, p in self.parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the model as it is now."""
        decay = min(self.decay, (1 + self.count) / (1 + self.power + self.count))
        self.count += 1
        now = [p.detach().float() for p in self.parameters.values()]
        torch._foreach_lerp_(list(self.average.values()), now, 1 - decay)

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Within: the model has the average's weights. After: its own again, bit for bit."""
        own = {name: p.detach().clone() for name, p in self.parameters.items()}
        self._write(self.average)
        try:
            yield
        finally:
            self._write(own)

    @torch.no_grad()
    def _write(self, values: Mapping[str, Tensor]) -> None:
        for name, p in self.parameters.items():
            p.copy_(values[name])  # in place: compiled and sharded models keep their storage

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "average": dict(self.average)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        _same_names(state["average"], self.average, "the average")
        self.count = int(state["count"])
        for name, value in self.average.items():
            value.copy_(state["average"][name])


@torch.no_grad()
def clip_grad_norm(model: nn.Module, max_norm: float) -> float:
    """Scale the gradients so that their common norm is at most max_norm; the norm before.

    A norm that is not finite raises and names a parameter, before one NaN reaches every weight.
    """
    named = [(name, p.grad) for name, p in model.named_parameters() if p.grad is not None]
    if not named:
        return 0.0
    grads = [grad for _, grad in named]
    norms = torch._foreach_norm(grads)
    norm = torch.stack(norms).norm().item()
    if not norm < float("inf"):  # NaN too
        bad = [name for (name, _), n in zip(named, norms, strict=True) if not n.isfinite()]
        where = f"{bad[0]} and {len(bad) - 1} more" if bad else "their sum of squares only"
        raise TrainingError(
            f"the gradient's norm is {norm} (first in {where}): go back to the last checkpoint, "
            "lower the learning rate, or compare compiled with eager gradients at this shape"
        )
    if norm > max_norm:
        torch._foreach_mul_(grads, max_norm / (norm + 1e-6))
    return norm


def _same_names(given: Mapping[str, Any], expected: Mapping[str, Any], whose: str) -> None:
    unknown, missing = sorted(set(given) - set(expected)), sorted(set(expected) - set(given))
    if unknown or missing:
        raise CheckpointError(
            f"the state of {whose} does not fit the model: unknown {unknown[:3]}, "
            f"missing {missing[:3]}: resume with the recipe that wrote it"
        )
