"""Means over networks that differ in their graphs, with errors."""

import numpy as np

# Quantiles of Student's t at 84.1 %, by degrees of freedom: a spread over few graphs says as much
# about the error of their mean as one standard error of a known spread.
_T = (np.inf, 1.837, 1.321, 1.197, 1.142, 1.111, 1.091, 1.077, 1.067, 1.059)
# Quantiles at three standard errors of a normal number, 99.865 %, over three.
_T_OF_THREE = (np.inf, 78.6, 6.40, 3.07, 2.21, 1.84, 1.64, 1.51, 1.43, 1.37)


def of_few_graphs(n):
    """How much wider three standard errors must be where only a spread over graphs gave them.

    Parameters
    ----------
    n : int
        Graphs. An error of :func:`over_graphs` covers as one standard error does; three of it do
        not cover as three: for three graphs they are exceeded in 6 % of cases.

    Returns
    -------
    float
        A factor to the error, infinite for one graph.
    """
    if n < 2:
        return np.inf
    return _T_OF_THREE[n - 1] / _T[n - 1] if n <= len(_T) else 1.25


def over_graphs(values, errors, axis=-1):
    """Mean over networks of other seeds, with its standard error over graphs and noise.

    Parameters
    ----------
    values, errors : array_like
        Of each network; errors are those over noise within its graph. NaN where unknown.
    axis : int
        Along which the networks differ.

    Returns
    -------
    mean, error : ndarray

    Notes
    -----
    The error is the larger of two. One is the spread over the networks, in which both graphs and
    noise are, times Student's factor for so few of them (1.84 for two, 1.32 for three). The other
    is what noise alone leaves, from the errors of all: two networks may be alike by chance. Of a
    single network nothing tells how graphs differ: its error is over noise alone.
    """
    values = np.moveaxis(np.asarray(values, float), axis, -1)
    errors = np.moveaxis(np.asarray(errors, float), axis, -1)
    known = np.isfinite(values)
    n = known.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0).sum(axis=-1) / n
        apart = np.where(known, (values - mean[..., None]) ** 2, 0).sum(axis=-1)
        factor = np.array([*_T, 1.05])[np.clip(n - 1, 0, len(_T))]
        spread = np.where(n > 1, factor * np.sqrt(apart / (n - 1) / n), np.nan)
        told = known & np.isfinite(errors)
        # where some do not say, the others speak for them
        within = np.sqrt(np.where(told, errors**2, 0).sum(axis=-1) / told.sum(axis=-1) / n)
    return mean, np.fmax(within, spread)
