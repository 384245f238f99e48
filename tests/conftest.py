"""Settings that every test shares: which examples hypothesis tries, and in what order the engine's state is put back."""

import os
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from hypothesis import HealthCheck, Phase, settings

from pyengine import _engine
from tests.devices import DEVICE, elsewhere

# Kernels differ in speed by level and build, so no deadlines; what bounds the time is the number of examples.
settings.register_profile("dev", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.register_profile("quick", settings.get_profile("ci"), max_examples=8)  # for builds with sanitizers
settings.register_profile("faults", settings.get_profile("ci"), phases=[Phase.explicit, Phase.generate])  # any failure will do
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))


if DEVICE != "cpu":  # levels are of the CPU: elsewhere every test would run once for each, and do the same
    _engine.available_isas = lambda: [_engine.isa()]


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where the test's tensors are: see tests/devices.py."""
    with elsewhere(monkeypatch) if DEVICE != "cpu" else nullcontext():
        yield


@pytest.fixture(autouse=True)
def engine_state() -> Iterator[None]:
    """A test may choose a level and a number of threads; the next one starts from the defaults."""
    level, threads = _engine.isa(), _engine.thread_count()
    yield
    _engine.set_isa(level)
    if _engine.thread_count() != threads:
        _engine.set_thread_count(threads)
