"""Sessions that need more than the package and its tests."""

import nox

CLIENTS = [
    "array-api-strict==2.6.1",
    "autoray==0.11.0",
    "dask[array]==2026.8.0",
    "einops==0.8.2",
    "hypothesis==6.170.15",
    "jax==0.10.2",
    "joblib==1.6.0",
    "mpi4py==4.1.2",
    "ndindex==1.10.1",
    "opt_einsum==3.4.0",
    "pandas==3.1.1",
    "pooch==1.9.0",
    "pytest==9.2.0",
    "pytest-xdist==3.8.0",
    "scikit-learn==1.9.1",
    "scipy==1.17.1",
    "tensorly==0.10.0",
    "xarray==2026.9.0",
]
"""The versions that the numbers in docs/interop.md are of."""


@nox.session
def clients(session: nox.Session) -> None:
    """The tests of every client, at pinned versions."""
    session.install(".[test]", *CLIENTS)
    session.run("python", "-m", "pytest", "tests/clients", *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """``nox -s conformance -- PATH``: every suite, and the table in docs/interop.md. PATH is a checkout of data-apis/array-api-tests."""
    session.install(".[test]", *CLIENTS)
    session.run("python", "-m", "tests.clients.conformance", *session.posargs)
