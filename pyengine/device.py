"""Devices by name: "cpu", "cuda" (of several GPUs "cuda:1"), and "simulator", which runs the CUDA kernels on the CPU."""

from __future__ import annotations

from pyengine import _engine

__all__ = ["available_devices", "get_default_device", "set_default_device"]

_default = "cpu"


def available_devices() -> tuple[str, ...]:
    """What this build and this machine have."""
    return tuple(_engine.available_devices())


def get_default_device() -> str:
    """Where tensors are made when nobody says; see :func:`set_default_device`."""
    return _default


def set_default_device(device: str) -> None:
    """Chooses where tensors are made when nobody says. ValueError for a device that is not available."""
    global _default
    _default = as_device("set_default_device", device)


def as_device(op: str, device: object) -> str:
    """The name of a device, the default for None. ValueError for one that is not available."""
    if device is None:
        return _default
    name = str(device).removesuffix(":0")
    if name not in _engine.available_devices():
        there = f"this build and machine have {', '.join(map(repr, available_devices()))}"
        why = f"; there is no GPU: {_engine.cuda_why_none()}" if name.startswith("cuda") and _engine.cuda_why_none() else ""
        raise ValueError(f"{op}: device not available: {device!r}; {there}{why}")
    return name
