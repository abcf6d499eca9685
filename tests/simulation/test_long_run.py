"""Standard errors of means of correlated series, against known long-run variances."""

import numpy as np
import pytest
from scipy import signal

from cbnet.simulation.measure import long_run

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
    known = np.isfinite(found)
    assert known.mean() > 0.95  # the others look as if they fluctuated more slowly
    found = found[known]
    return found.mean(), found.std() / np.sqrt(len(found))


@pytest.mark.parametrize(
    "make, parameter, n, correlation_time",
    [
        (autoregressive, 0.0, 240, 20),
        (autoregressive, 0.0, 200, 0),
        (autoregressive, np.exp(-1 / 20), 240, 20),
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
    series = np.random.default_rng(3).standard_normal(240)
    assert np.isfinite(long_run.error_of_mean(series, 20))
    assert np.isnan(long_run.error_of_mean(series, 21))
    assert np.isnan(long_run.error_of_mean(series[:12]))
    assert long_run.long_enough(0.24, 0.02) and not long_run.long_enough(0.239, 0.02)


PARTS = 32


def wandering(ways, strength, lasting, rng, neurons=300, mean=10.0):
    """Counts of Poisson neurons whose rates follow a few processes of `lasting` parts."""
    phi = np.exp(-1 / lasting) if lasting else 0.0
    noise = rng.standard_normal((ways, PARTS)) * np.sqrt(1 - phi**2)
    noise[:, 0] /= np.sqrt(1 - phi**2)
    shared = signal.lfilter([1], [1, -phi], noise, axis=1)
    mixed = rng.standard_normal((neurons, ways)) @ shared / np.sqrt(ways)
    return rng.poisson(mean * np.exp(strength * mixed - strength**2 / 2))


def share_that_wanders(runs, correlation_time, **values):
    rng = np.random.default_rng(7)
    given = [wandering(rng=rng, **values) for _ in range(runs)]
    return np.mean([long_run.wander(one, correlation_time) for one in given])


@pytest.mark.parametrize("mean", [0.1, 1.0, 30.0])
def test_independent_neurons_do_not_wander(mean):
    # one in a hundred may be called so by chance
    assert share_that_wanders(200, 0.5, ways=1, strength=0.0, lasting=0, mean=mean) < 0.03


def test_weak_common_fluctuations_are_not_wandering():
    # what they share is of Poisson's order: F N/D of about 2
    found = share_that_wanders(100, 0.5, ways=5, strength=0.08, lasting=0)
    assert found < 0.06


@pytest.mark.parametrize("lasting", [0, 3, 300])
def test_rates_that_wander_in_a_few_ways(lasting):
    found = share_that_wanders(100, 0.5, ways=10, strength=0.7, lasting=lasting)
    assert found > (0.9 if lasting < 100 else 0.6)


def test_private_slow_fluctuations_are_noticed():
    found = share_that_wanders(40, 0.5, ways=300, strength=0.5, lasting=20)
    assert found > 0.9


def test_wandering_of_nothing():
    assert not long_run.wander(np.zeros((5, PARTS)), 0.5)
    assert not long_run.wander(np.ones((1, PARTS)), 0.5)
