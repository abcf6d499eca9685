"""Standard errors of means of correlated series, against known long-run variances."""

import numpy as np
import pytest
from scipy import signal

from cbnet.simulation import long_run

SERIES = 400


def autoregressive(phi, n, rng):
    """Series of unit variance whose correlations go as phi^k, and the variance of their mean."""
    noise = rng.standard_normal((SERIES, n)) * np.sqrt(1 - phi**2)
    noise[:, 0] /= np.sqrt(1 - phi**2)
    k = np.arange(1, n)
    variance = (1 + 2 * np.sum((1 - k / n) * phi**k)) / n
    return signal.lfilter([1], [1, -phi], noise, axis=1), variance


def moving(theta, n, rng):
    """What is added is taken back one item later: theta near 1 leaves almost nothing."""
    noise = rng.standard_normal((SERIES, n + 1))
    variance = (1 + theta**2) / n - 2 * theta * (n - 1) / n**2
    return noise[:, 1:] - theta * noise[:, :-1], variance


def stated(series, correlation_time):
    """Mean squared error that is stated, and the standard error of this mean."""
    found = np.array([long_run.error_of_mean(one, correlation_time) ** 2 for one in series])
    assert np.isfinite(found).all()
    return found.mean(), found.std() / np.sqrt(len(found))


@pytest.mark.parametrize(
    "make, parameter, n, correlation_time",
    [
        (autoregressive, 0.0, 200, 0),
        (autoregressive, np.exp(-1 / 20), 200, 20),
        (autoregressive, np.exp(-1 / 20), 400, 20),
        (autoregressive, np.exp(-1 / 20), 4000, 20),
        (autoregressive, np.exp(-1 / 3), 1000, 20),
        (moving, 0.7, 400, 10),
        (moving, 0.5, 2000, 10),
    ],
)
def test_mean_square_of_the_errors(make, parameter, n, correlation_time):
    rng = np.random.default_rng(n)
    series, variance = make(parameter, n, rng)
    mean, error = stated(series, correlation_time)
    # the method claims a tenth in the error, a fifth in its square
    assert abs(mean / variance - 1) < 0.2 + 3 * error / variance


def test_fluctuations_slower_than_expected_are_noticed():
    series, variance = autoregressive(np.exp(-1 / 100), 4000, np.random.default_rng(1))
    mean, error = stated(series, 20)
    # a fixed band of 1/40 would state a third of the variance
    assert abs(mean / variance - 1) < 0.3 + 3 * error / variance


def test_units_and_trends_of_nothing():
    series = np.random.default_rng(2).standard_normal(300)
    found = long_run.error_of_mean(series)
    assert long_run.error_of_mean(1e-9 * series + 5) == pytest.approx(1e-9 * found, rel=1e-6)
    assert long_run.error_of_mean(np.full(100, 3.7)) == 0


def test_too_short_a_series_has_no_error():
    series = np.random.default_rng(3).standard_normal(200)
    assert np.isfinite(long_run.error_of_mean(series, 20))
    assert np.isnan(long_run.error_of_mean(series, 21))
    assert np.isnan(long_run.error_of_mean(series[:8]))
    assert long_run.long_enough(0.2, 0.02) and not long_run.long_enough(0.199, 0.02)
