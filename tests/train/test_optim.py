"""Laws of the optimiser: its directions, its stacks, its state, its schedule."""

import pytest
import torch
from torch import nn

from worldreel.errors import CheckpointError, TrainingError
from worldreel.train.optim import Ema, Muon, clip_grad_norm, optimizer, orthogonalize, wsd


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices this small are slower in several threads, much slower on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Block(nn.Module):
    def __init__(self, d: int) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.norm = nn.LayerNorm(d)
        self.table = nn.Parameter(torch.zeros(6, d))

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x) * (1 + self.table[0])).chunk(3, -1)
        x = x + self.out(torch.softmax(q @ k.mT, -1) @ v)
        return x + self.down(self.up(x).relu())


class Net(nn.Module):
    def __init__(self, d: int = 32) -> None:
        super().__init__()
        self.enter, self.blocks = nn.Linear(8, d), nn.ModuleList(Block(d) for _ in range(2))
        self.leave = nn.Linear(d, 8)

    def forward(self, x):
        x = self.enter(x)
        for block in self.blocks:
            x = block(x)
        return self.leave(x)


def net() -> Net:
    torch.manual_seed(0)
    return Net()


def train(model, opt, ema, steps, first=0):
    for step in range(first, first + steps):
        x = torch.randn(4, 5, 8, generator=torch.Generator().manual_seed(step))
        opt.zero_grad()
        (model(x) - x.flip(-1)).square().mean().backward()
        clip_grad_norm(model, 1.0)
        opt.step(wsd(step, warmup=2, total=30))
        ema.update()


@pytest.mark.parametrize("shape", [(3, 64, 64), (2, 32, 128)])
def test_the_update_is_nearly_orthogonal(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    singular = torch.linalg.svdvals(orthogonalize(x).float())
    assert singular.max() < 1.3 and singular.median() > 0.6
    cosine = (orthogonalize(x).float() * (u @ v)).sum((-2, -1)) / (shape[1] * 1.0)
    assert (cosine > 0.7).all()  # towards the true polar factor


def test_stacked_equals_one_by_one():
    """Shapes, orientations and fused parts share a bmm chain; each matrix gets its own answer."""
    g = torch.Generator().manual_seed(1)
    shapes = {"a": (32, 32), "qkv": (96, 32), "up": (128, 32), "down": (32, 128), "b": (32, 32)}
    start = {name: torch.randn(shape, generator=g) for name, shape in shapes.items()}
    grads = {name: torch.randn(shape, generator=g) for name, shape in shapes.items()}

    def stepped(names, splits):
        parameters = {name: nn.Parameter(start[name].clone()) for name in names}
        muon = Muon(parameters, lr=0.1, weight_decay=0.1, splits=splits)
        for _ in range(2):
            for name, p in parameters.items():
                p.grad = grads[name].clone()
            muon.step()
        return {name: p.detach() for name, p in parameters.items()}

    together = stepped(shapes, {"qkv": 3})
    for name in shapes:
        alone = stepped([name], {"qkv": 3} if name == "qkv" else {})[name]
        torch.testing.assert_close(together[name], alone, rtol=1e-5, atol=1e-6)
    for i, part in enumerate(start["qkv"].chunk(3)):  # a fused part is a matrix of its own
        start[f"q{i}"], grads[f"q{i}"] = part, grads["qkv"].chunk(3)[i]
        alone = stepped([f"q{i}"], {})[f"q{i}"]
        torch.testing.assert_close(together["qkv"].chunk(3)[i], alone, rtol=1e-5, atol=1e-6)


def test_memory_layout_changes_nothing():
    """A convolution turned channels-last after the optimiser was built learns the same."""

    def stepped(layout):
        torch.manual_seed(3)
        conv = nn.Conv2d(8, 16, 3)
        opt = optimizer(conv, lr=0.1, hidden=lambda name, module: True)
        conv.to(memory_format=layout)
        for _ in range(2):
            opt.zero_grad()
            conv(torch.ones(1, 8, 5, 5)).square().sum().backward()
            opt.step()
        return conv.weight.detach()

    plain, last = stepped(torch.contiguous_format), stepped(torch.channels_last)
    torch.testing.assert_close(plain, last, rtol=1e-5, atol=1e-5)


def test_a_step_is_as_large_as_adamw_s():
    p = nn.Parameter(torch.zeros(48, 192))
    p.grad = torch.randn(48, 192)
    Muon({"p": p}, lr=1.0).step()
    assert 0.15 < p.detach().square().mean().sqrt() < 0.25


def test_who_gets_what():
    opt = optimizer(net(), lr=1e-2)
    names = {f"blocks.{i}.{m}.weight" for i in (0, 1) for m in ("qkv", "out", "up", "down")}
    assert set(opt.muon.parameters) == names
    assert opt.muon.splits["blocks.0.qkv.weight"] == 3
    everything = {name for name, _ in net().named_parameters()}
    assert set(opt.adamw.parameters) == everything - names


def test_it_learns():
    model = net()
    opt, x = optimizer(model, lr=1e-2), torch.randn(64, 5, 8)
    before = (model(x) - x.flip(-1)).square().mean()
    train(model, opt, Ema(model), 25)
    assert (model(x) - x.flip(-1)).square().mean() < 0.5 * before


def test_resumed_equals_never_stopped_bit_for_bit():
    def parts():
        model = net()
        return model, optimizer(model, lr=1e-2, weight_decay=0.1), Ema(model)

    whole, first, second = parts(), parts(), parts()
    train(*whole, 7)
    train(*first, 4)
    for source, target in zip(first, second, strict=True):
        state = source.state_dict()
        target.load_state_dict(state)
    train(*first, 1, first=4)  # what was loaded is a copy: going on elsewhere does not touch it
    train(*second, 3, first=4)
    for name, value in whole[0].state_dict().items():
        assert torch.equal(value, second[0].state_dict()[name]), name
    for name, value in whole[2].average.items():
        assert torch.equal(value, second[2].average[name]), name
    with pytest.raises(CheckpointError, match="missing"):
        second[1].load_state_dict({"muon": {}})


def test_wsd_warms_up_stays_and_decays():
    def at(step):
        return wsd(step, warmup=10, total=100, decay_share=0.2, floor=0.1)

    assert at(0) == 0.1 and at(9) == at(50) == at(80) == 1.0
    assert at(90) == pytest.approx(0.55) and at(100) == at(1000) == pytest.approx(0.1)
    assert wsd(79, warmup=0, total=80, decay_share=0.0) == 1.0


def test_ema_starts_unbiased_and_swaps_back_exactly():
    model = net()
    ema = Ema(model, decay=0.999)
    own = {name: p.detach().clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        for p in model.parameters():
            p += 1.0
    changed = {name: p.detach().clone() for name, p in model.named_parameters()}
    ema.update()
    assert torch.allclose(ema.average["leave.bias"], own["leave.bias"] + 0.9)
    with ema.swapped():
        assert torch.equal(model.leave.bias.detach(), ema.average["leave.bias"])
    for name, p in model.named_parameters():
        assert torch.equal(p.detach(), changed[name])


def test_clip_names_what_is_not_finite():
    model = net()
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    norm = clip_grad_norm(model, 1.0)
    assert norm == pytest.approx(sum(p.numel() for p in model.parameters()) ** 0.5)
    assert clip_grad_norm(model, 1.0) == pytest.approx(1.0, rel=1e-4)
    model.blocks[1].up.weight.grad[3, 3] = float("nan")
    with pytest.raises(TrainingError, match="blocks.1.up.weight"):
        clip_grad_norm(model, 1.0)
