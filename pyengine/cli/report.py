"""The picture of a run: how it learned, what it confuses, where it is most wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyengine.files import Path_, atomic_write

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

_INK, _FAINT, _TRAIN, _TEST = "#22272e", "#8b949e", "#9aa7b4", "#c2410c"
_STYLE: Any = {
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": "#c9d1d9",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "grid.color": "#eaeef2",
}
_ROWS, _COLUMNS = 3, 12
_LEFT, _RIGHT = 0.04, 0.975


def draw(
    path: Path_,
    title: str,
    history: Sequence[dict[str, float]],
    probabilities: Floats,
    labels: Labels,
    images: Floats,
    classes: Sequence[str],
) -> None:
    """Writes the PNG. ``probabilities`` (n, classes), ``labels`` (n,) and ``images`` (n, C, H, W) are those of the test set."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    worst = _most_confident_mistakes(probabilities, labels)[: _ROWS * _COLUMNS]
    lower = 1.25 * -(-len(worst) // _COLUMNS) + 0.85  # inches
    height = lower + 4.6
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(13, height), dpi=110, facecolor="white")
        FigureCanvasAgg(figure)
        figure.text(_LEFT, 1 - 0.45 / height, title, fontsize=14, fontweight="bold")
        top, bottom = 1 - 1.05 / height, (lower + 0.35) / height
        grid = figure.add_gridspec(1, 3, left=0.055, right=_RIGHT, top=top, bottom=bottom, wspace=0.24, width_ratios=(1, 1, 1.1))
        _curves(figure.add_subplot(grid[0]), history, "loss", "Loss (cross-entropy)")
        _curves(figure.add_subplot(grid[1]), history, "error", "Error in %")
        _confusions(figure.add_subplot(grid[2]), probabilities.argmax(axis=1), labels, classes)
        _mistakes(figure, lower / height, 1 / height, worst, probabilities, labels, images, classes)
        with atomic_write(path) as file:
            figure.savefig(file, format="png")


def _curves(axes: Any, history: Sequence[dict[str, float]], name: str, title: str) -> None:
    """Both curves over the epochs; the axis is logarithmic, as most of learning happens in its last tenth."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    epochs = [int(record["epoch"]) for record in history]
    curves = {
        part: [record[f"{part}_loss"] if name == "loss" else 100 * (1 - record[f"{part}_accuracy"]) for record in history]
        for part in ("train", "test")
    }
    floor = 0.7 * min((value for curve in curves.values() for value in curve if value > 0), default=0.01)
    for part, color in (("train", _TRAIN), ("test", _TEST)):
        shown = np.maximum(curves[part], floor)
        label = f"{part}  {curves[part][-1]:.4f}" if name == "loss" else f"{part}  {curves[part][-1]:.2f}%"
        axes.plot(epochs, shown, color=color, linewidth=1.8, marker="o" if len(epochs) < 40 else None, markersize=3)
        axes.plot([], [], color=color, linewidth=3, label=label)
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="upper right", handlelength=0.8)


def _confusions(axes: Any, predicted: Labels, labels: Labels, classes: Sequence[str]) -> None:
    """Rows are the truth. The colour shows the mistakes alone: on the scale of the hits they would all be white."""
    from matplotlib.colors import LinearSegmentedColormap

    count = len(classes)
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (labels, predicted), 1)
    mistakes = np.where(np.eye(count, dtype=bool), 0, table)
    scale = max(mistakes.max(), 4)
    axes.imshow(mistakes, cmap=LinearSegmentedColormap.from_list("mistakes", ["white", "#fed7aa", _TEST]), vmin=0, vmax=scale)
    for row, column in np.argwhere(table):
        hit = row == column
        dark = mistakes[row, column] > 0.6 * scale
        axes.text(
            column, row, f"{table[row, column]}", ha="center", va="center", fontsize=7.5,
            color="white" if dark else _FAINT if hit else _INK, fontweight="normal" if hit else "bold",
        )  # fmt: skip
    short = _are_short(classes)
    axes.set_xticks(range(count), classes, rotation=0 if short else 45, ha="center" if short else "right", color=_INK, fontsize=8)
    axes.set_yticks(range(count), classes, color=_INK, fontsize=8)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("Confusions")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")


def _most_confident_mistakes(probabilities: Floats, labels: Labels) -> Labels:
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    return wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")]


def _mistakes(
    figure: Any, top: float, inch: float, worst: Labels, probabilities: Floats, labels: Labels, images: Floats, classes: Sequence[str]
) -> None:
    """The images of ``worst`` in rows below ``top``, a share of the figure's height, of which an inch is the share ``inch``."""
    count = int((probabilities.argmax(axis=1) != labels).sum())
    chosen = f"; the {len(worst)} most confident" if len(worst) < count else ""
    figure.text(_LEFT, top - 0.4 * inch, f"{count:,} mistakes in {len(labels):,} test images{chosen}", fontsize=11, fontweight="bold")
    if not len(worst):
        return
    figure.text(_LEFT, top - 0.6 * inch, "true → predicted, and the probability it was given", color=_FAINT)
    rows = -(-len(worst) // _COLUMNS)
    grid = figure.add_gridspec(rows, _COLUMNS, left=_LEFT, right=_RIGHT, top=top - 1.0 * inch, bottom=0.15 * inch, hspace=0.45, wspace=0.1)
    for place, index in enumerate(worst):
        axes = figure.add_subplot(grid[place // _COLUMNS, place % _COLUMNS])
        _mistake(axes, probabilities[index], labels[index], images[index], classes)


def _mistake(axes: Any, probabilities: Floats, label: int, image: Floats, classes: Sequence[str]) -> None:
    predicted = int(probabilities.argmax())
    axes.imshow(image[0] if len(image) == 1 else image.transpose(1, 2, 0), cmap="gray_r", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    gap = " " if _are_short(classes) else "\n"
    caption = f"{classes[label]}{gap}→ {classes[predicted]}  {probabilities[predicted]:.0%}"
    axes.set_title(caption, fontsize=8, fontweight="normal", loc="center", pad=3)


def _are_short(classes: Sequence[str]) -> bool:
    return all(len(name) <= 2 for name in classes)
