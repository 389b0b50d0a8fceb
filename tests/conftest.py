"""What every suite shares."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# How long an example takes depends on the machine; tests make no timed assertions.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="session")
def no_proxies() -> Iterator[None]:
    """Servers of the tests are on this machine, whatever its environment says."""
    with pytest.MonkeyPatch.context() as patched:
        for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
            patched.delenv(name)
        yield
