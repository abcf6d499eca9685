"""Statistics of the rates of neurons that are drawn with unequal weights."""

import numpy as np

SILENT = 0.01  # Hz
# Probabilities at which quantiles are kept: dense in the middle, with tails.
_TAIL = np.array([1e-4, 2e-4, 5e-4, 1e-3, 2e-3])
KEPT = np.concatenate([_TAIL, np.linspace(0.005, 0.995, 199), 1 - _TAIL[::-1]])


def mean_and_spread(x, weights):
    """Mean and standard deviation."""
    mean = np.average(x, weights=weights)
    return mean, np.sqrt(np.average((x - mean) ** 2, weights=weights))


def moments(rates, weights):
    """Mean and spread of each population's rates, one after another."""
    return np.array([x for nu in rates for x in mean_and_spread(nu, weights)])


def by_rank(nu, weights, count):
    """Indices of neurons that stand for equal shares of all."""
    order = np.argsort(nu)
    below = np.cumsum(weights[order])
    middles = (np.arange(count) + 0.5) / count * below[-1]
    return order[np.minimum(np.searchsorted(below, middles), nu.size - 1)]


def statistics(nu, weights):
    """Statistics of the rates of one population."""
    from scipy.special import ndtr

    order = np.argsort(nu)
    nu, weights = nu[order], weights[order] / weights.sum()
    mean, sd = (float(x) for x in mean_and_spread(nu, weights))
    equal = sd <= 1e-9 * mean
    found = {
        "rate_mean": mean,
        "rate_sd": 0.0 if equal else sd,
        "rate_cv": sd / mean if mean > 0 else np.nan,
        "rate_skew": np.nan if equal else float(weights @ (nu - mean) ** 3 / sd**3),
        "log_mean": np.nan,
        "log_sd": np.nan,
        "log_skew": np.nan,
        "lognormal_distance": np.nan,
        "quantiles": np.interp(KEPT, np.cumsum(weights) - weights / 2, nu),
    }
    awake = nu >= SILENT
    if awake.any():
        logs, weights = np.log(nu[awake]), weights[awake] / weights[awake].sum()
        center, width = (float(x) for x in mean_and_spread(logs, weights))
        found |= {"log_mean": center, "log_sd": width}
        if not equal and width > 0:
            z = (logs - center) / width
            normal, up_to = ndtr(z), np.cumsum(weights)
            distance = max(np.abs(normal - up_to).max(), np.abs(normal - up_to + weights).max())
            found |= {"log_skew": float(weights @ z**3), "lognormal_distance": float(distance)}
    return found
