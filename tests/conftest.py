"""Settings that every test shares: which examples hypothesis tries, and in what order the engine's state is put back."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from pyengine import _engine

# Kernels differ in speed by level and build, so no deadlines; what bounds the time is the number of examples.
settings.register_profile("dev", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.register_profile("quick", settings.get_profile("ci"), max_examples=8)  # for builds with sanitizers
settings.register_profile("faults", settings.get_profile("ci"), phases=[Phase.explicit, Phase.generate])  # any failure will do
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))


@pytest.fixture(autouse=True)
def engine_state() -> Iterator[None]:
    """A test may choose a level and a number of threads; the next one starts from the defaults."""
    level, threads = _engine.isa(), _engine.thread_count()
    yield
    _engine.set_isa(level)
    if _engine.thread_count() != threads:
        _engine.set_thread_count(threads)
