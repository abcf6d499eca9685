"""How many threads linear algebra takes: one, unless the environment says otherwise.

The matrices here are small and banded, and cores are shared by processes: threads would wait for
one another, busily.
"""

import os

ONE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
}


def one_by_default():
    """Set the environment of this process, before numpy is loaded, and of those it starts."""
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
