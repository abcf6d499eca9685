"""Statistics of spikes, voltage and currents: known processes, and elephant on the same trains."""

import warnings

import numpy as np
import pytest
from scipy import signal, stats

from cbnet.simulation import statistics

ELEPHANT = pytest.importorskip("elephant", reason="elephant is the oracle of these tests")


def gamma_trains(rate, cv, size, stop, rng, start=0.0):
    """Indices and times of independent stationary gamma renewal trains."""
    shape = cv**-2
    most = int(4 * rate * (stop - start) + 40)
    lead = 30 / rate  # of a stationary start what is left is below 1e-6
    gaps = rng.gamma(shape, 1 / (shape * rate), (size, most + int(8 * rate * lead)))
    times = start - lead - rng.random((size, 1)) / rate + np.cumsum(gaps, axis=1)
    inside = (times >= start) & (times < stop)
    order = np.argsort(times[inside], kind="stable")
    owners = np.broadcast_to(np.arange(size)[:, None], times.shape)[inside]
    return owners[order], times[inside][order]


def elephant_trains(indices, times, start, stop):
    import neo
    import quantities as pq

    t_start, t_stop = start * pq.s, stop * pq.s
    each = [np.sort(times[indices == i]) * pq.s for i in np.unique(indices)]
    return [neo.SpikeTrain(train, t_stop, t_start=t_start) for train in each]


# Rates


def test_rate():
    rng = np.random.default_rng(1)
    found = [
        statistics.rate(rng.uniform(1, 3, rng.poisson(4000)), 100, 1.0, 3.0) for _ in range(400)
    ]
    z = np.array([(f.value - 20) / f.sem for f in found])
    assert abs(np.mean([f.value for f in found]) - 20) < 4 * np.std([f.value for f in found]) / 20
    # t with nine degrees of freedom lies within 2 in 92.3 % of cases; 400 give ± 1.3 %
    assert abs(np.mean(np.abs(z) < 2) - 0.923) < 4 * 0.0133


def test_rate_counts_what_lies_inside():
    found = statistics.rate(np.array([0.9, 1.1, 1.5, 2.9, 3.2]), 2, 1.0, 3.0)
    assert found.value == pytest.approx(3 / 4)


def test_rate_of_silence():
    found = statistics.rate(np.empty(0), 50, 0.2, 1.2)
    assert (found.value, found.sem) == (0, 1 / 50)


def test_error_of_a_rate_counts_correlations():
    # All neurons fire together: the error is that of one train, not of a hundred.
    rng = np.random.default_rng(2)
    found = [
        statistics.rate(np.repeat(rng.uniform(0, 2, rng.poisson(100)), 100), 100, 0, 2)
        for _ in range(300)
    ]
    spread = np.std([f.value for f in found])
    assert spread == pytest.approx(50 / np.sqrt(100), rel=0.2)
    assert np.sqrt(np.mean([f.sem**2 for f in found])) == pytest.approx(spread, rel=0.15)


# Irregularity


@pytest.mark.parametrize("cv", [0.3, 0.7, 1.0])
@pytest.mark.parametrize("rate", [50, 150])
def test_cv_of_short_windows(rate, cv):
    rng = np.random.default_rng(int(rate + 10 * cv))
    indices, times = gamma_trains(rate, cv, 2000, 0.5, rng)
    found, count = statistics.isi_cv(indices, times, 0.5)
    assert count > 1900
    # 1 % is what is left where some trains barely have ten intervals
    assert abs(found.value - cv) < 3 * found.sem + 0.01 * cv
    assert found.sem < 0.02


def test_cv_at_rates_too_low_for_the_window():
    # At 20 Hz half a second holds ten intervals only by chance, and such trains are more regular
    # where the CV is high; the bias stays below 5 %.
    rng = np.random.default_rng(8)
    for cv in (0.3, 0.7, 1.0):
        indices, times = gamma_trains(20, cv, 8000, 0.5, rng)
        found, count = statistics.isi_cv(indices, times, 0.5)
        assert 100 < count < 8000
        assert abs(found.value / cv - 1) < 0.05


def test_cv_of_long_trains_is_elephants():
    from elephant.statistics import cv as elephant_cv
    from elephant.statistics import isi

    rng = np.random.default_rng(3)
    indices, times = gamma_trains(80, 0.6, 30, 40.0, rng)
    found, count = statistics.isi_cv(indices, times, 40.0)
    assert count == 30
    expected = np.mean([elephant_cv(isi(t)) for t in elephant_trains(indices, times, 0, 40.0)])
    # the corrections for window and number of intervals are of the order 1/n = 1/3200
    assert found.value == pytest.approx(expected, rel=2e-3)
    assert abs(found.value - 0.6) < 3 * found.sem


def test_error_of_cv():
    rng = np.random.default_rng(4)
    found = [statistics.isi_cv(*gamma_trains(60, 0.8, 50, 1.0, rng), 1.0)[0] for _ in range(100)]
    spread = np.std([f.value for f in found])
    assert np.sqrt(np.mean([f.sem**2 for f in found])) == pytest.approx(spread, rel=0.25)


def test_order_of_spikes_does_not_matter():
    rng = np.random.default_rng(5)
    indices, times = gamma_trains(60, 0.8, 50, 1.0, rng)
    shuffled = rng.permutation(times.size)
    first, _ = statistics.isi_cv(indices, times, 1.0)
    again, _ = statistics.isi_cv(indices[shuffled], times[shuffled], 1.0)
    assert first == again


def test_regular_trains():
    times = np.concatenate([np.arange(0.01, 1, 0.02), np.arange(0.005, 1, 0.02)])
    found, count = statistics.isi_cv(np.repeat([0, 7], 50), times, 1.0)
    assert count == 2
    assert found.value == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("spikes", [0, 1, 5])
def test_too_few_intervals(spikes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, count = statistics.isi_cv(np.zeros(spikes, int), np.linspace(0, 0.9, spikes), 1.0)
    assert count == 0
    assert np.isnan(found.value)
    assert np.isnan(found.sem)


def test_fewest_intervals():
    rng = np.random.default_rng(6)
    for spikes, expected in ((10, 0), (11, 1)):
        times = np.sort(rng.random(spikes))
        _, count = statistics.isi_cv(np.zeros(spikes, int), times, 1.0)
        assert count == expected


# Synchrony


def test_fano_of_independent_neurons():
    rng = np.random.default_rng(7)
    found = [statistics.fano(rng.uniform(0, 2, rng.poisson(40_000)), 0, 2) for _ in range(100)]
    values = np.array([f.value for f in found])
    assert abs(values.mean() - 1) < 4 * values.std() / 10
    assert np.sqrt(np.mean([f.sem**2 for f in found])) == pytest.approx(values.std(), rel=0.25)


def test_fano_of_neurons_that_fire_together():
    # every event is M spikes in one bin: Fano factor M
    rng = np.random.default_rng(8)
    events = rng.uniform(0, 10, rng.poisson(10 * 50))
    found = statistics.fano(np.repeat(events, 40), 0, 10)
    assert abs(found.value - 40) < 3 * found.sem
    assert 0.5 < found.sem < 5


def test_fano_of_a_modulated_rate():
    # rate r (1 + m sin): Fano = 1 + r Δ m²/2
    rng = np.random.default_rng(9)
    bins, mean, m = 5000, 30.0, 0.5
    counts = rng.poisson(mean * (1 + m * np.sin(2 * np.pi * np.arange(bins) / 50)))
    times = (np.repeat(np.arange(bins), counts) + 0.5) * 1e-3
    found = statistics.fano(times, 0, bins * 1e-3)
    assert abs(found.value - (1 + mean * m**2 / 2)) < 3 * found.sem


def test_fano_is_that_of_elephant():
    import quantities as pq
    from elephant.statistics import time_histogram

    rng = np.random.default_rng(10)
    indices, times = gamma_trains(40, 0.5, 50, 2.0, rng)
    trains = elephant_trains(indices, times, 0, 2.0)
    counts = time_histogram(trains, 1 * pq.ms, output="counts").magnitude.ravel()
    found = statistics.fano(times, 0, 2.0)
    assert found.value == pytest.approx(counts.var(ddof=1) / counts.mean(), rel=0.01)


def test_fano_of_silence_and_of_short_times():
    assert np.isnan(statistics.fano(np.empty(0), 0, 1).value)
    assert np.isnan(statistics.fano(np.array([0.005]), 0, 0.01).value)


# Drift


def test_drift_of_a_stationary_rate_is_rarely_seen():
    rng = np.random.default_rng(11)
    alarms = [statistics.drift(rng.uniform(0, 1, rng.poisson(5000)), 0, 1)[2] for _ in range(1000)]
    # p < 0.001, and Welch's test on five blocks is conservative: at most 1 + 4
    assert np.sum(alarms) <= 5


def test_drift_is_seen():
    rng = np.random.default_rng(12)
    seen = []
    for _ in range(100):
        times = np.concatenate(
            [rng.uniform(0, 0.5, rng.poisson(5000)), rng.uniform(0.5, 1, rng.poisson(7000))]
        )
        first, second, differ = statistics.drift(times, 0, 1)
        seen.append(differ)
    # 40 % more, of 14 standard errors
    assert np.mean(seen) > 0.9
    assert first.value == pytest.approx(10_000, rel=0.05)
    assert second.value == pytest.approx(14_000, rel=0.05)


def test_drift_of_silence():
    assert not statistics.drift(np.empty(0), 0, 1)[2]
    # a burst in one block is no drift, and the same in every block of one half is
    steady = np.repeat(np.arange(5) * 0.1 + 0.05, 100)
    assert statistics.drift(steady, 0, 1)[2]
    assert not statistics.drift(np.full(100, 0.05), 0, 1)[2]


# Voltage


def ar1(tau, T, M, rng, dt=1e-3, mean=-0.06, sd=0.003):
    """Stationary Gauss-Markov paths."""
    decay = np.exp(-dt / tau)
    noise = rng.standard_normal((T, M)) * np.sqrt(1 - decay**2)
    noise[0] = rng.standard_normal(M)
    return mean + sd * signal.lfilter([1], [1, -decay], noise, axis=0)


def test_voltage_and_coverage_of_its_errors():
    rng = np.random.default_rng(13)
    active = np.ones((2000, 5), bool)
    z = []
    for _ in range(400):
        mean, sd = statistics.voltage(ar1(5e-3, 2000, 5, rng), active)
        z.append([(mean.value + 0.06) / mean.sem, (sd.value - 0.003) / sd.sem])
    z = np.array(z)
    # Student's t with nine degrees of freedom: 92.3 % within 2; blocks of forty correlation times
    covered = np.mean(np.abs(z) < 2, axis=0)
    assert np.all(np.abs(covered - 0.923) < 4 * 0.0133)
    assert np.all(np.abs(z.mean(axis=0)) < 4 * z.std(axis=0) / 20 + 0.1)


def test_voltage_leaves_out_refractory_time():
    rng = np.random.default_rng(14)
    v = ar1(5e-3, 1000, 4, rng)
    active = rng.random(v.shape) < 0.7
    expected = v[active]
    spoiled = np.where(active, v, 10.0)
    mean, sd = statistics.voltage(spoiled, active)
    assert mean.value == pytest.approx(expected.mean(), rel=1e-12)
    assert sd.value == pytest.approx(expected.std(), rel=1e-9)


def test_voltage_that_does_not_move():
    mean, sd = statistics.voltage(np.full((100, 3), -0.065), np.ones((100, 3), bool))
    assert mean.value == -0.065
    assert mean.sem == pytest.approx(0, abs=1e-15)  # rounding of the mean
    assert (sd.value, sd.sem) == pytest.approx((0, 0), abs=1e-9)


def test_voltage_never_seen():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean, sd = statistics.voltage(np.zeros((100, 3)), np.zeros((100, 3), bool))
    assert np.isnan(mean.value)
    assert np.isnan(sd.value)


def test_density():
    rng = np.random.default_rng(15)
    v = ar1(2e-3, 20_000, 10, rng)
    active = rng.random(v.shape) < 0.9
    grid, heights = statistics.density(np.where(active, v, 0.0), active)
    width = grid[1] - grid[0]
    assert np.allclose(np.diff(grid), width)
    assert heights.sum() * width == pytest.approx(1, rel=1e-12)
    assert heights.min() >= 0
    normal = stats.norm(-0.06, 0.003)
    assert np.abs(heights - normal.pdf(grid)).max() < 0.05 * normal.pdf(-0.06)
    assert (grid * heights).sum() * width == pytest.approx(v[active].mean(), abs=width / 10)


def test_density_of_nothing():
    for v, active in ((np.zeros((5, 2)), np.zeros((5, 2), bool)), (np.zeros((5, 2)), True)):
        grid, heights = statistics.density(v, np.broadcast_to(active, v.shape))
        assert grid.size == heights.size == 100
        assert np.isnan(grid).all()
        assert np.isnan(heights).all()


# Currents


def test_current_of_poisson_arrivals():
    # n arrivals of jump J in a step: mean R J, and over 1 ms a variance R J²/(1 ms)
    rng = np.random.default_rng(16)
    R, J, dt = 5000.0, 1e-4, 1e-4
    values = rng.poisson(R * dt, (20_000, 20)) * J / dt
    mean, sd = statistics.current(values, np.ones(values.shape, bool), dt)
    assert abs(mean.value - R * J) < 4 * mean.sem
    assert abs(sd.value - J * np.sqrt(R / 1e-3)) < 4 * sd.sem
    assert mean.sem == pytest.approx(J * np.sqrt(R / 2 / 20), rel=0.6)


def test_current_leaves_out_bins_with_refractory_steps():
    values = np.ones((1000, 2))
    active = np.ones((1000, 2), bool)
    values[300:305] = 100.0
    active[303:308] = False
    mean, sd = statistics.current(values, active, 1e-4)
    assert (mean.value, sd.value) == (1.0, 0.0)


@pytest.mark.parametrize("dt", [1e-3, 2e-3])
def test_current_of_long_steps(dt):
    values = np.arange(200.0).reshape(100, 2)
    mean, _ = statistics.current(values, np.ones(values.shape, bool), dt)
    assert mean.value == pytest.approx(values.mean())
