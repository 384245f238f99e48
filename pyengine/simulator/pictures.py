"""Pictures of what a kernel does: who touches shared memory, and which lane holds which element of an accumulator."""

from __future__ import annotations

import colorsys
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from pyengine import _engine
from pyengine.extras import require

_BANKS = 32
_WARP_COLOURS = np.array(
    [
        [int(255 * part) for part in colorsys.hls_to_rgb(0.618 * warp % 1, 0.72 + 0.08 * (warp % 3), 0.55 + 0.15 * (warp % 2))]
        for warp in range(32)
    ]
)
"""Of the 32 warps that a block may have: hues by the golden section, so that neighbours differ."""


class Touches:
    """The accesses to shared memory that :func:`trace` saw, in order: ``table`` has block, thread, offset, bytes, and 1 for writes."""

    table: npt.NDArray[np.int64] = np.zeros((0, 5), np.int64)

    def draw(self, path: str | os.PathLike[str], *, block: int = 0, rows: int = 32, writes: bool = True) -> None:
        """A picture of a block's shared memory: 32 banks across, a word of four bytes in each cell, with the thread that wrote it last
        (``writes=False``: that read it first, in the order in which the simulator ran them). At most ``rows`` rows. Needs matplotlib;
        ValueError where the block has touched nothing.
        """
        pyplot = require("matplotlib.pyplot", "pyengine[train]", "a picture of shared memory")
        threads = self._words(block, writes)
        if not len(threads):
            seen = ", ".join(map(str, np.unique(self.table[:, 0])[:8])) or "none"
            raise ValueError(f"draw: no shared memory {'written' if writes else 'read'} by block {block}; the trace has blocks {seen}")
        grid = np.full((-(-len(threads) // _BANKS), _BANKS), -1)
        grid.flat[: len(threads)] = threads
        all_rows, grid = len(grid), grid[:rows]
        figure, axes = pyplot.subplots(figsize=(16, 1.2 + 0.38 * len(grid)), layout="constrained")
        axes.imshow(np.where(grid[..., None] < 0, 255, _WARP_COLOURS[grid // 32 % 32]), aspect="auto", interpolation="nearest")
        for (row, bank), thread in np.ndenumerate(grid):
            axes.text(bank, row, "" if thread < 0 else str(thread), ha="center", va="center", fontsize=8)
        axes.set_xticks(range(_BANKS))
        axes.set_yticks(range(len(grid)), [str(4 * _BANKS * row) for row in range(len(grid))])
        axes.set_xlabel("bank")
        axes.set_ylabel("byte")
        verb = "wrote each word last" if writes else "read each word first"
        shown = "" if len(grid) == all_rows else f", the first {len(grid)} of {all_rows} rows"
        axes.set_title(f"Shared memory of block {block}{shown}: the thread that {verb}; each warp has a colour")
        figure.savefig(path, dpi=110)
        pyplot.close(figure)

    def _words(self, block: int, writes: bool) -> npt.NDArray[np.int64]:
        """The thread of each word, -1 where there is none."""
        chosen = self.table[(self.table[:, 0] == block) & (self.table[:, 4] == int(writes))]
        if not len(chosen):
            return np.zeros(0, np.int64)
        words = np.full(int((chosen[:, 2] + chosen[:, 3]).max() + 3) // 4, -1)
        for _, thread, offset, count, _ in chosen if writes else chosen[::-1]:
            words[offset // 4 : (offset + count + 3) // 4] = thread
        return words


@contextmanager
def trace(most: int = 1_000_000) -> Iterator[Touches]:
    """``with pe.simulator.trace() as touches:`` notes who touches shared memory inside, the first ``most`` accesses."""
    touches = Touches()
    _engine.simulator_start_trace(most)
    try:
        yield touches
    finally:
        touches.table = _engine.simulator_stop_trace()


def draw_fragment(path: str | os.PathLike[str], rows: int = 16, columns: int = 8) -> None:
    """A picture of an accumulator of the tensor cores: which lane holds each element, in which of its registers.

    ``mma.sync`` has (16, 8), ``wgmma`` (64, N): element (r, c) is in register ``2 (r // 8 % 2) + c % 2 + 4 (c // 8)`` of lane
    ``4 (r % 8) + c // 2 % 4`` of warp ``r // 16`` (PTX ISA 8.5, sections 9.7.14.5 and 9.7.15.5). Needs matplotlib.
    """
    if rows % 16 or columns % 8 or rows < 16 or columns < 8:
        raise ValueError(f"draw_fragment: no such tile: ({rows}, {columns}); rows are a multiple of 16, columns of 8")
    pyplot = require("matplotlib.pyplot", "pyengine[train]", "a picture of a fragment")
    r, c = np.mgrid[:rows, :columns]
    lane, register = 32 * (r // 16) + 4 * (r % 8) + c // 2 % 4, 2 * (r // 8 % 2) + c % 2 + 4 * (c // 8)
    figure, axes = pyplot.subplots(figsize=(1.5 + 0.75 * columns, 1.2 + 0.36 * rows), layout="constrained")
    axes.imshow(lane % 32 // 4, cmap="Pastel2", aspect="auto", interpolation="nearest")
    for at in np.ndindex(rows, columns):
        axes.text(at[1], at[0], f"{lane[at]}: d{register[at]}", ha="center", va="center", fontsize=8)
    axes.set_xticks(range(columns))
    axes.set_yticks(range(rows))
    axes.set_xlabel("column")
    axes.set_ylabel("row")
    instruction = "mma.sync m16n8" if (rows, columns) == (16, 8) else f"wgmma m64n{columns}" if rows == 64 else "mma.sync m16n8 tiles"
    axes.set_title(f"{instruction}: thread and register")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
