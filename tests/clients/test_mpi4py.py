"""mpi4py: tensors as the buffers of messages, in one process."""

from __future__ import annotations

import numpy as np
import pytest

import pyengine as pe

pytest.importorskip("mpi4py")
try:
    from mpi4py import MPI
except (ImportError, RuntimeError) as error:
    pytest.skip(f"mpi4py is installed, and no MPI library: {error}", allow_module_level=True)

COMM = MPI.COMM_SELF


@pytest.mark.parametrize("dtype", [pe.uint8, pe.int32, pe.int64, pe.float32, pe.float64, pe.complex128], ids=str)
def test_reduction(dtype: pe.DType) -> None:
    x, y = pe.astype(pe.arange(6), dtype), pe.zeros(6, dtype)
    COMM.Allreduce(x, y, op=MPI.SUM)
    assert bool(pe.all(x == y))


def test_messages() -> None:
    x, y = pe.arange(6.0), pe.zeros(6)
    request = COMM.Irecv(y, source=0)
    COMM.Send(x, dest=0)
    request.Wait()
    assert y.tolist() == x.tolist()
    COMM.Bcast(y)
    gathered = pe.zeros((1, 6))
    COMM.Allgather(y, gathered)
    assert gathered.tolist() == [x.tolist()]


def test_read_only_memory_is_not_received_into() -> None:
    source = np.zeros(3)
    source.flags.writeable = False
    with pytest.raises(BufferError):
        COMM.Allreduce(pe.ones(3, dtype=pe.float64), pe.asarray(source))
