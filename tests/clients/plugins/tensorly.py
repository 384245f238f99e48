"""TensorLy's own tests with pyengine as its backend. Given to pytest as ``-p tests.clients.plugins.tensorly``, with
TENSORLY_BACKEND=pyengine."""

import pyengine  # noqa: F401  before TensorLy, which then chooses the backend while it is imported
