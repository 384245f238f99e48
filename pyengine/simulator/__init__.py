"""Your own CUDA kernels, on the CPU: compiled by the C++ compiler, run thread by thread, every load and store checked.

.. code-block:: python

    import pyengine as pe

    x, y = pe.arange(1000, dtype=pe.float32, device="simulator"), pe.zeros(1000, device="simulator")
    pe.simulator.load("square.cu")["square"](grid=4, block=256)(x, y, 1000)
    print(y)

What hardware leaves undefined ends the launch with a :class:`SimulatorError` that names the fault, the block, the thread and the line:
races, accesses out of bounds, misaligned or to memory that nothing wrote, barriers that not all threads reach, threads that wait forever.
"""

from pyengine.simulator.pictures import Touches, draw_fragment, trace
from pyengine.simulator.program import CompileError, Kernel, Program, SimulatorError, load, run

__all__ = ["CompileError", "Kernel", "Program", "SimulatorError", "Touches", "draw_fragment", "load", "run", "trace"]
