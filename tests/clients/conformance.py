"""Runs the suites of others on pyengine, and on array_api_strict where they can be: ``nox -s conformance -- PATH``.

PATH is a checkout of data-apis/array-api-tests. Writes tests/clients/results.json, and from it the table in docs/interop.md. With
``--only NAME`` one suite, the other rows are kept.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.clients import suites
from tests.clients.suites import ROOT, SUITES, Outcome

RESULTS = ROOT / "tests" / "clients" / "results.json"
PAGE = ROOT / "docs" / "interop.md"
STANDARD = "2025.12"
NAMES = ("array-api-tests", *SUITES)


def array_api_tests(checkout: Path, namespace: str, examples: int) -> Outcome:
    environment = {"ARRAY_API_TESTS_MODULE": namespace, "ARRAY_API_TESTS_VERSION": STANDARD}
    return suites.run_pytest(
        "array_api_tests", "--disable-deadline", f"--max-examples={examples}", environment=environment, cwd=checkout.resolve()
    )


def measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One row: our counts, and those of the yardstick."""
    own_suite = name == "array-api-tests"
    row: dict[str, Any] = {"version": STANDARD if own_suite else version(SUITES[name].package)}
    compared = own_suite or SUITES[name].compared
    for namespace in ["pyengine", *(["array_api_strict"] if compared and not arguments.ours else [])]:
        start = time.perf_counter()
        outcome = (
            array_api_tests(arguments.checkout, namespace, arguments.max_examples) if own_suite else suites.run(name, namespace=namespace)
        )
        row[namespace] = {**asdict(outcome), "seconds": round(time.perf_counter() - start)}
        print(f"{name} on {namespace}: {outcome.passed} passed, {outcome.failed} failed, {outcome.skipped} skipped")
    return row


def table(results: dict[str, Any]) -> str:
    lines = ["| suite | version | passed | failed | skipped | array_api_strict |", "|---|---|---|---|---|---|"]
    for name in NAMES:
        if name not in results["suites"]:
            continue
        row = results["suites"][name]
        ours, strict = row["pyengine"], row.get("array_api_strict")
        beside = f"{strict['passed']} passed, {strict['failed']} failed" if strict else ""
        lines.append(f"| {name} | {row['version']} | {ours['passed']} | {ours['failed']} | {ours['skipped']} | {beside} |")
    return "\n".join(lines)


def put_table(results: dict[str, Any]) -> None:
    page = PAGE.read_text()
    new = f"<!-- table -->\n{table(results)}\n<!-- end of table -->"
    PAGE.write_text(re.sub(r"<!-- table -->.*<!-- end of table -->", lambda _: new, page, flags=re.DOTALL))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path, nargs="?", help="a checkout of data-apis/array-api-tests with its submodule")
    parser.add_argument("--only", action="append", help="a suite; may be repeated")
    parser.add_argument("--ours", action="store_true", help="leave the yardstick out")
    parser.add_argument("--max-examples", type=int, default=100, help="of each test of array-api-tests")
    arguments = parser.parse_args()
    names = arguments.only or NAMES
    if "array-api-tests" in names and arguments.checkout is None:
        parser.error("the path to a checkout of array-api-tests is missing; or name other suites with --only")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"suites": {}}
    results["python"] = platform.python_version()
    for name in names:
        kept = results["suites"].get(name, {}) if arguments.ours else {}
        results["suites"][name] = {**kept, **measure(name, arguments)}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        put_table(results)


if __name__ == "__main__":
    main()
