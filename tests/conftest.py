"""What every test shares: one thread count, deterministic kernels, no timing and no luck."""

import os

import hypothesis
import torch

# Law 9 is about the same thread count, and a test must not take a shared machine for itself.
torch.set_num_threads(min(2, os.cpu_count() or 1))
torch.use_deterministic_algorithms(True)

hypothesis.settings.register_profile("laws", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("laws")
