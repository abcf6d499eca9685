"""CV2 and LvR of trains whose intervals are known."""

import numpy as np
import pytest
from scipy import integrate, stats

from cbnet.simulation.measure import local_variation, online
from cbnet.simulation.measure.monitored import from_monitors
from tests.simulation.test_statistics import elephant_trains, gamma_trains

DT = 1e-5


def accumulated(indices, times, size, start, stop):
    steps = np.floor(times / DT).astype(int)
    o = online.Observation(
        (size,), round(start / DT), round((stop - start) / DT), DT, (0,), (0.0,), (1.0,), (0.0,),
        names=("E",), neighbours=True,
    )  # fmt: skip
    none = np.empty((o.steps, 0))
    return from_monitors(o, indices, steps, none, none > 0, [none, none])


def in_the_long_run(cv, rate):
    """CV2 and LvR of gamma intervals, by the beta law of x/(x + y) and the gamma law of x + y."""
    k = cv**-2
    share, length = stats.beta(k, k), stats.gamma(2 * k, scale=1 / (k * rate))

    def mean(f):
        return integrate.quad(lambda b: f(b) * share.pdf(b), 0, 0.5)[0] * 2

    inverse = (k * rate) / (2 * k - 1)  # ⟨1/(x + y)⟩
    assert length.mean() == pytest.approx(2 / rate)
    longer = 1 + 4 * local_variation.REFRACTORINESS * inverse
    return mean(lambda b: 2 * (1 - 2 * b)), 3 * mean(lambda b: 1 - 4 * b * (1 - b)) * longer


def test_one_train_as_elephant_has_it():
    from elephant.statistics import cv2, lvr

    indices, times = gamma_trains(40.0, 0.7, 1, 100, np.random.default_rng(1))
    times = np.floor(times / DT) * DT
    found = accumulated(indices, times + DT / 2, 1, 0, 100)
    n, of_cv2, of_lvr = found.local_sums[0].sum(axis=0)
    intervals = np.diff(times)
    pairs = len(intervals) - 1
    # weights of one over 1 − (x + y)/T exceed one by 5e-4 on average, and vary by less
    assert pairs < n < pairs * (1 + 1e-3)
    assert of_cv2 / n == pytest.approx(cv2(intervals), abs=1e-3)
    (train,) = elephant_trains(indices, times, 0, 100)
    expected = float(lvr(np.diff(train.rescale("ms").magnitude), R=5.0))
    assert of_lvr / n == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("cv", "stop"), [(0.4, 3.0), (1.0, 3.0), (1.0, 20.0)])
def test_means_and_their_errors(cv, stop):
    """Thirty trials of sixty neurons: the mean is within its error, the spread is the error."""
    rng, rate = np.random.default_rng(2), 30.0
    found = []
    for _ in range(30):
        trains = gamma_trains(rate, cv, 60, 1 + stop, rng)
        of_one = local_variation.measured(accumulated(*trains, 60, 1.0, 1 + stop), 0)
        found.append([*of_one[0], *of_one[1]])
        assert of_one[2] == 60
    for k, expected in enumerate(in_the_long_run(cv, rate)):
        values, errors = np.transpose(found)[2 * k : 2 * k + 2]
        spread = values.std(ddof=1)
        assert abs(values.mean() - expected) < 4 * spread / np.sqrt(30)
        # thirty values tell a spread to 13 %
        assert np.sqrt(np.mean(errors**2)) == pytest.approx(spread, rel=0.4)


def test_who_hardly_fires_has_none():
    found = accumulated(np.zeros(11, int), np.linspace(0.1, 0.9, 11), 1, 0, 1.0)
    (value, error), (other, of_other), count = local_variation.measured(found, 0)
    assert count == 0 and np.isnan([value, error, other, of_other]).all()
