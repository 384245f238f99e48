"""opt_einsum's tests of shared intermediates with pyengine as their only backend. Given to pytest as
``-p tests.clients.plugins.opt_einsum``."""

from opt_einsum.tests import test_sharing

import pyengine as pe

test_sharing.backends[:] = ["pyengine"]
test_sharing.to_backend["pyengine"] = pe.asarray
