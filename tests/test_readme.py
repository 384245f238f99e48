"""What the README shows is so."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import mnist

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_example_prints_what_its_comments_say() -> None:
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code[1], names)
    gradient = printed.getvalue().splitlines()[0]
    assert f"# {gradient}, the gradient" in code[1]
    # Central differences of step h err by h^2 f'''/6 and eps f / h: both below 1e-9 here.
    np.testing.assert_allclose(names["difference"], names["x"].grad.numpy(), rtol=0, atol=1e-9)


def test_the_table_is_that_of_the_results() -> None:
    assert mnist.table(json.loads(mnist.RESULTS.read_text())) in README


def test_every_link_leads_to_a_file() -> None:
    root = Path(__file__).parents[1]
    for document in [root / "README.md", root / "CONTRIBUTING.md", *(root / "docs").glob("**/*.md")]:
        prose = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#:]+)\)", prose):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
