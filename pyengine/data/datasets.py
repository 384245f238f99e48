"""Well-known data sets, read from a folder; downloaded into it on request.

Images are float32 (N, C, H, W) in [0, 1], labels int64 (N,).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from pyengine.data.dataset import TensorDataset
from pyengine.data.download import Resource, fetch
from pyengine.data.readers import LIMIT, read_cifar, read_idx, read_text
from pyengine.extras import require
from pyengine.files import Path_, atomic_write

DIGITS = tuple("0123456789")
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_LIMIT = LIMIT // 16
"""Bytes of a file of images: more than any of these sets has, and its pixels are four times as large as floats."""

_MNIST_MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
_MNIST = (
    Resource("train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    Resource("train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    Resource("t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    Resource("t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)
_FASHION_MIRRORS = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
_FASHION = (
    Resource("train-images-idx3-ubyte.gz", 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    Resource("train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    Resource("t10k-images-idx3-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    Resource("t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
)
_CIFAR_MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
_CIFAR = Resource("cifar-10-binary.tar.gz", 170052171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd")


def mnist(root: Path_, train: bool = True, *, download: bool = False) -> TensorDataset:
    """60,000 training or 10,000 test images (1, 28, 28) of handwritten digits, from the IDX files in ``root``; ``download`` fetches them.

    Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86(11), 1998.
    """
    return _idx_pair("mnist", root, train, _MNIST if download else (), _MNIST_MIRRORS)


def fashion_mnist(root: Path_, train: bool = True, *, download: bool = False) -> TensorDataset:
    """60,000 training or 10,000 test images (1, 28, 28) of clothes in ten classes (``FASHION``), in the files and layout of MNIST.

    Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms",
    arXiv:1708.07747, 2017.
    """
    return _idx_pair("fashion_mnist", root, train, _FASHION if download else (), _FASHION_MIRRORS)


def cifar10(root: Path_, train: bool = True, *, download: bool = False) -> TensorDataset:
    """50,000 training or 10,000 test images (3, 32, 32) in ten classes (``CIFAR10``), from the files of the binary version in ``root``.

    Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", technical report, University of Toronto, 2009.
    """
    if download and not _matches(root, _cifar_pattern(train)):
        _extract(fetch(_CIFAR, root, _CIFAR_MIRRORS), Path(root))
    paths = _matches(root, _cifar_pattern(train))
    if not paths:
        raise FileNotFoundError(
            f"cifar10: no file '{_cifar_pattern(train)}' in '{root}'; pass the folder of the binary version, or download=True (--download)"
        )
    parts = [read_cifar(path, _LIMIT) for path in paths]
    return _dataset("cifar10", np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts]))


def digits(train: bool = True) -> TensorDataset:
    """1,437 training or 360 test images (1, 8, 8) of handwritten digits, the set that scikit-learn carries; a fixed random split.

    Source: E. Alpaydin, C. Kaynak, "Optical recognition of handwritten digits", UCI machine learning repository, 1998 (its test set).
    """
    sklearn_datasets = require("sklearn.datasets", "scikit-learn", "the data set of scanned digits")
    images, labels = sklearn_datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    chosen = order[: len(order) * 4 // 5] if train else order[len(order) * 4 // 5 :]
    return TensorDataset((images[chosen].reshape(-1, 1, 8, 8) / 16).astype(np.float32), labels[chosen].astype(np.int64))


def tiny_shakespeare(root: Path_, limit: int = LIMIT // 64) -> tuple[npt.NDArray[np.int64], list[str]]:
    """The text in ``root/input.txt`` as numbers of characters (n,), and the characters in order of their code.

    Raises ValueError where it is not UTF-8 or empty. Memory: at most 64 bytes for each byte of text, of which there are at most ``limit``.

    Source: A. Karpathy, "char-rnn", 2015.
    """
    path = Path(root) / "input.txt" if Path(root).is_dir() else Path(root)
    text = read_text(path, limit)
    codes, numbers = np.unique(np.frombuffer(text.encode("utf-32-le"), np.uint32), return_inverse=True)
    return numbers.astype(np.int64), [chr(code) for code in codes]


# Finding and checking -------------------------------------------------------------------------------------------------------------------


def _idx_pair(name: str, root: Path_, train: bool, resources: tuple[Resource, ...], mirrors: tuple[str, ...]) -> TensorDataset:
    for resource in resources:
        fetch(resource, root, mirrors)
    part = "train" if train else "t10k"
    return _dataset(
        name,
        read_idx(_find(name, root, f"{part}-images?idx3-ubyte"), _LIMIT),
        read_idx(_find(name, root, f"{part}-labels?idx1-ubyte"), _LIMIT),
    )


def _find(name: str, root: Path_, stem: str) -> Path:
    """The file of that name, plain or gzipped; the plain one where there are both."""
    found = _matches(root, stem) or _matches(root, stem + ".gz")
    if not found:
        raise FileNotFoundError(
            f"{name}: no file '{stem.replace('?', '-')}.gz' in '{root}'; pass the folder that holds it, or download=True (--download)"
        )
    return found[0]


def _matches(root: Path_, pattern: str) -> list[Path]:
    return sorted(Path(root).glob(pattern))


def _cifar_pattern(train: bool) -> str:
    return "data_batch_[1-5].bin" if train else "test_batch.bin"


def _dataset(name: str, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> TensorDataset:
    fits = images.dtype == labels.dtype == np.uint8 and images.ndim in (3, 4) and labels.shape == images.shape[:1]
    if not fits or not images.size:
        raise ValueError(
            f"{name}: images and labels do not fit: images {images.dtype} {images.shape}, labels {labels.dtype} {labels.shape}; "
            "uint8 images, at least one, and one uint8 label for each, expected"
        )
    if labels.max() > 9:
        raise ValueError(f"{name}: label out of range: {labels.max()}; 0 to 9 expected")
    channels = images.reshape(len(images), -1, *images.shape[-2:])
    return TensorDataset(channels.astype(np.float32) / np.float32(255), labels.astype(np.int64))


def _extract(archive: Path, root: Path) -> None:
    """The members we know by name, nothing else an archive may hold."""
    import tarfile

    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    with tarfile.open(archive, "r:gz") as tar:
        for name in names:
            member = tar.extractfile(f"cifar-10-batches-bin/{name}")
            assert member is not None
            with atomic_write(root / name) as file:
                file.write(member.read())
