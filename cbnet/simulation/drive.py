"""External Poisson input: how many spikes reach a neuron in one step.

The K external trains of a neuron are independent, so that their number of spikes in a step is one
Poisson draw of mean K ν_X dt. It is found from one uniform number by the inverse of the
distribution, which is tabulated once a mean; Brian2's own ``poisson()`` multiplies uniform numbers
and takes four times as long here.
"""

from pathlib import Path

import numpy as np
from brian2.core.functions import Function

HEADERS = Path(__file__).parent / "cpp"


def poisson_count():
    """The Brian2 function ``poisson_count(mean, uniform)``."""
    function = Function(_poisson_count, arg_units=[1, 1], return_unit=1, arg_types=["float"] * 2)
    function.implementations.add_implementation(
        "cpp",
        """
        static inline double poisson_count(double mean, double uniform)
        {
            return cbnet::poisson_count(mean, uniform);
        }
        """,
        compiler_kwds={"headers": ['"poisson.h"'], "include_dirs": [str(HEADERS)]},
    )
    function.implementations.add_numpy_implementation(_poisson_count)
    return function


def _poisson_count(mean, uniform):
    """The least n whose cumulative probability exceeds `uniform`."""
    from scipy.stats import poisson

    mean, uniform = np.broadcast_arrays(mean, uniform)
    counts = np.zeros(mean.shape, int)
    for value in np.unique(mean[mean > 0]):
        here = mean == value
        last = int(value + 12 * np.sqrt(value)) + 40  # beyond any uniform number's reach
        counts[here] = np.searchsorted(poisson.cdf(np.arange(last), value), uniform[here], "right")
    return counts
