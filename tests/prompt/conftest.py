"""marble's own text encoder: what a prompt becomes is about what it reads."""

import pytest

from worldreel.checkpoint import PACKAGED, load_text


@pytest.fixture(scope="session")
def marble():
    return load_text(PACKAGED / "marble" / "text").requires_grad_(False)
