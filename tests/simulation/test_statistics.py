"""Statistics of spikes, voltage and currents: known processes, and elephant on the same trains."""

import warnings

import numpy as np
import pytest
from scipy import signal, stats

from cbnet.simulation.measure import irregularity, online, statistics
from cbnet.simulation.measure.monitored import from_monitors

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


def observation(steps, N=1, dt=1e-4, first_step=0, **values):
    defaults = {"probes": 0, "low": -0.08, "high": -0.04, "reference": -0.0595}
    of_one = {name: (values.pop(name, default),) for name, default in defaults.items()}
    return online.Observation((N,), first_step, steps, dt, names=("E",), **of_one, **values)


def of_spikes(indices, times, size, start, stop, dt=1e-5, **values):
    """Accumulators of a window of an excitatory population."""
    o = observation(round((stop - start) / dt), size, dt, round(start / dt), **values)
    steps = np.floor(np.asarray(times) / dt).astype(int)
    none = np.empty((o.steps, 0))
    return from_monitors(o, np.asarray(indices, int), steps, none, none > 0, [none, none])


def of_membrane(v, active, E=0.0, dt=1e-3, **values):
    """Accumulators of the voltage and the input of probes."""
    o = observation(len(v), v.shape[1], dt, probes=v.shape[1], **values)
    E = np.broadcast_to(E, v.shape)
    silent = np.empty(0, int)
    return from_monitors(o, silent, silent, v, ~active, [E, 0 * E])


def blocks(times, start, stop):
    """Spikes and seconds of ten blocks."""
    sums = of_spikes(np.zeros(len(times)), times, 1, start, stop)
    seconds = online.block_lengths(sums.observation.steps) * sums.observation.dt
    return sums.block_spikes[0], seconds


def rate(times, size, start, stop):
    sums = of_spikes(np.zeros(len(times)), times, 1, start, stop)
    return statistics.rate(sums.counts[0], 1e-3, size, sums.spikes.sum(), stop - start)


def isi_cv(indices, times, stop, start=0):
    """Mean over the neurons that have ten intervals, with its error."""
    sums = of_spikes(indices, times, np.max(indices, initial=0) + 1, start, stop)
    value, count = irregularity.of_each(
        sums.spikes, sums.interval_squares, sums.interval_lengths, sums.observation.steps
    )
    enough = sums.spikes > irregularity.FEWEST_INTERVALS
    error = irregularity.error_of_each(sums.interval_sums, enough, 0.0, value)
    return statistics.Estimate(value, error), count


def cv(indices, times, size, start, stop, **values):
    """As a simulation states it."""
    return irregularity.measured(of_spikes(indices, times, size, start, stop, **values), 0)


def fano(times, stop):
    return statistics.fano(of_spikes(np.zeros(len(times)), times, 1, 0, stop).counts[0])


def voltage(v, active):
    sums = of_membrane(v, active)
    return statistics.mean_and_sd(sums.voltage_sums[0], sums.observation.reference[0])


def density(v, active, **values):
    o = (sums := of_membrane(v, active, **values)).observation
    return statistics.density(sums.histogram[0], o.low[0], o.high[0])


def current(values, active, dt):
    sums = of_membrane(np.zeros(values.shape), active, values, dt)
    return statistics.mean_and_sd(sums.current_sums[0, 0])


# Rates


def test_rate():
    rng = np.random.default_rng(1)
    found = [rate(rng.uniform(1, 3, rng.poisson(4000)), 100, 1.0, 3.0) for _ in range(400)]
    z = np.array([(f.value - 20) / f.sem for f in found])
    assert abs(np.mean([f.value for f in found]) - 20) < 4 * np.std([f.value for f in found]) / 20
    # t with nine degrees of freedom lies within 2 in 92.3 % of cases; 400 give ± 1.3 %
    assert abs(np.mean(np.abs(z) < 2) - 0.923) < 4 * 0.0133


def test_rate_counts_what_lies_inside():
    found = rate(np.array([0.9, 1.1, 1.5, 2.9, 3.2]), 2, 1.0, 3.0)
    assert found.value == pytest.approx(3 / 4)


def test_rate_of_silence():
    found = rate(np.empty(0), 50, 0.2, 1.2)
    assert (found.value, found.sem) == (0, pytest.approx(1 / 50))


def test_error_of_a_rate_counts_correlations():
    # All neurons fire together: the error is that of one train, not of a hundred.
    rng = np.random.default_rng(2)
    found = [
        rate(np.repeat(rng.uniform(0, 2, rng.poisson(100)), 100), 100, 0, 2) for _ in range(300)
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
    found, count = isi_cv(indices, times, 0.5)
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
        found, count = isi_cv(indices, times, 0.5)
        assert 100 < count < 8000
        assert abs(found.value / cv - 1) < 0.05


def jackknifed_cvs(indices, times, stop):
    """The CV of each neuron that has ten intervals, corrected by leaving out every interval."""
    same = indices[1:] == indices[:-1]
    x, owners = np.diff(times)[same], indices[1:][same]
    found = []
    for one in np.split(x, np.flatnonzero(np.diff(owners)) + 1):
        if len(one) >= 10:
            kept = np.vstack([np.ones((1, len(one))), 1 - np.eye(len(one))]) / (stop - one)
            zeroth, first, second = (kept @ one**power for power in range(3))
            cv = np.sqrt(second * zeroth / first**2 - 1)
            found.append(len(one) * cv[0] - (len(one) - 1) * cv[1:].mean())
    return np.array(found)


@pytest.mark.parametrize("cv", [0.2, 0.4, 0.7, 1.0])
@pytest.mark.parametrize("rate", [14, 20, 30, 50, 100])
def test_bias_of_cv_is_no_larger_than_that_of_a_jackknife(cv, rate):
    rng = np.random.default_rng(int(rate + 10 * cv))
    indices, times = gamma_trains(rate, cv, 1500, 1.0, rng)
    order = np.lexsort((times, indices))
    expected = jackknifed_cvs(indices[order], times[order], 1.0)
    found, count = isi_cv(indices, times, 1.0)
    assert count == len(expected)
    error = expected.std() / np.sqrt(count)
    # the same trains: their difference is known better than either
    assert abs(found.value - cv) < abs(expected.mean() - cv) + error


def test_cv_of_long_trains_is_elephants():
    from elephant.statistics import cv as elephant_cv
    from elephant.statistics import isi

    rng = np.random.default_rng(3)
    indices, times = gamma_trains(80, 0.6, 30, 40.0, rng)
    found, count = isi_cv(indices, times, 40.0)
    assert count == 30
    expected = np.mean([elephant_cv(isi(t)) for t in elephant_trains(indices, times, 0, 40.0)])
    # the corrections for window and number of intervals are of the order 1/n = 1/3200
    assert found.value == pytest.approx(expected, rel=2e-3)
    assert abs(found.value - 0.6) < 3 * found.sem


def test_error_of_cv():
    rng = np.random.default_rng(4)
    found = [isi_cv(*gamma_trains(60, 0.8, 50, 1.0, rng), 1.0)[0] for _ in range(100)]
    spread = np.std([f.value for f in found])
    assert np.sqrt(np.mean([f.sem**2 for f in found])) == pytest.approx(spread, rel=0.25)


@pytest.mark.parametrize("value, runs", [(1.0, 500), (0.6, 100)])
def test_error_of_cv_of_few_intervals(value, runs):
    """What takes out the bias of few intervals scatters more: 1.25 times at CV 1."""
    rng = np.random.default_rng(23)
    trains = (gamma_trains(30, value, 50, 1.5, rng) for _ in range(runs))
    found = [isi_cv(*each, 1.5, start=0.5)[0] for each in trains]
    known = [f.sem for f in found if np.isfinite(f.sem)]
    assert len(known) > 0.97 * runs
    spread = np.std([f.value for f in found], ddof=1)
    stated = np.sqrt(np.mean(np.square(known)))
    # three errors of a ratio, and what is claimed of the formula and of spectra: below 0.22, which
    # the error of what is not corrected would be off by
    assert abs(np.log(spread / stated)) < 3 * np.sqrt(1 / 2 + 1 / 18) / np.sqrt(runs) + 0.06 + 0.02


def alike(rate, value, size, start, stop, rng, spread=0.0):
    """Stationary trains of one CV, of rates that are spread log-normally."""
    rates = rate * np.exp(spread * rng.standard_normal(size) - spread**2 / 2)
    indices, times = gamma_trains(1.0, value, size, stop * rates.max(), rng)
    times = times / rates[indices]
    kept = times < stop
    order = np.argsort(times[kept], kind="stable")
    return indices[kept][order], times[kept][order]


@pytest.mark.parametrize("value", [0.4, 0.8, 1.0])
@pytest.mark.parametrize("spikes, spread", [(2.5, 0.0), (5, 0.1), (8, 0.2), (15, 0.2)])
def test_cv_of_few_spikes(value, spikes, spread):
    """Where no neuron, or some by chance, have ten intervals."""
    rng = np.random.default_rng(int(10 * spikes + 10 * value))
    window, size = spikes / 20, 300
    found = [
        cv(*alike(20, value, size, 0, window + 0.2, rng, spread), size, 0.2, window + 0.2)
        for _ in range(40)
    ]
    assert all(not one.doubt and one.count > 0.5 * size for one in found)
    values = np.array([one.value for one in found])
    error = values.std() / np.sqrt(len(found))
    assert abs(values.mean() - value) < 3 * error + 0.02 * value
    stated = np.sqrt(np.mean([one.sem**2 for one in found]))
    # the error of a ratio of forty, and the tenth that is claimed
    assert abs(np.log(values.std(ddof=1) / stated)) < 3 * np.sqrt(1 / 80 + 1 / 700) + 0.1


def test_cv_without_a_time_before_the_window():
    rng = np.random.default_rng(20)
    found = [cv(*alike(20, 0.7, 300, 0, 0.3, rng), 300, 0.0, 0.3).value for _ in range(40)]
    assert np.mean(found) == pytest.approx(0.7, abs=3 * np.std(found) / np.sqrt(40) + 0.014)


def test_error_of_cv_counts_what_neurons_share():
    """Neurons that switch together between regular and irregular intervals."""
    rng = np.random.default_rng(21)
    size, stop, dwell = 200, 2.0, 0.1
    shared = []
    for _ in range(40):
        regular, irregular = (gamma_trains(40, value, size, stop, rng) for value in (0.3, 1.0))
        state = rng.random(int(stop / dwell)) < 0.5
        parts = [
            (i[chosen], t[chosen])
            for (i, t), wanted in ((regular, True), (irregular, False))
            for chosen in [state[(t / dwell).astype(int)] == wanted]
        ]
        indices, times = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.argsort(times, kind="stable")
        shared.append(cv(indices[order], times[order], size, 0.0, stop))
    values = np.array([one.value for one in shared])
    stated = np.sqrt(np.mean([one.sem**2 for one in shared]))
    assert abs(np.log(values.std(ddof=1) / stated)) < 3 * np.sqrt(1 / 80 + 1 / 300) + 0.1
    # neurons of their own would leave less than a fourth of it
    assert stated > 4 * 0.7 / np.sqrt(2 * size * 40 * stop)


def test_doubts_about_a_cv():
    rng = np.random.default_rng(22)
    few = cv(*alike(20, 0.7, 5, 0, 0.3, rng), 5, 0.1, 0.3)
    assert np.isnan(few.value) and "fewer than 50" in few.doubt
    # rates of 2 to 200 Hz: some have ten intervals, and they are not all
    wide = cv(*alike(20, 0.7, 300, 0, 0.6, rng, spread=1.2), 300, 0.2, 0.6)
    assert np.isfinite(wide.value) and 20 < wide.count < 200
    assert "rests on the" in wide.doubt and "\n" not in wide.doubt
    slow = cv(*alike(2, 0.7, 3000, 0, 0.3, rng), 3000, 0.1, 0.3)
    assert np.isnan(slow.value) and "too long to be seen" in slow.doubt


def test_order_of_spikes_does_not_matter():
    rng = np.random.default_rng(5)
    indices, times = gamma_trains(60, 0.8, 50, 1.0, rng)
    shuffled = rng.permutation(times.size)
    first, _ = isi_cv(indices, times, 1.0)
    again, _ = isi_cv(indices[shuffled], times[shuffled], 1.0)
    assert first == again


def test_regular_trains():
    times = np.concatenate([np.arange(0.01, 1, 0.02), np.arange(0.005, 1, 0.02)]) + 5e-6
    found, count = isi_cv(np.repeat([0, 7], 50), times, 1.0)
    assert count == 2
    assert found.value == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("spikes", [0, 1, 5])
def test_too_few_intervals(spikes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, count = isi_cv(np.zeros(spikes, int), np.linspace(0, 0.9, spikes), 1.0)
    assert count == 0
    assert np.isnan(found.value)
    assert np.isnan(found.sem)


def test_fewest_intervals():
    rng = np.random.default_rng(6)
    for spikes, expected in ((10, 0), (11, 1)):
        times = np.sort(rng.random(spikes))
        _, count = isi_cv(np.zeros(spikes, int), times, 1.0)
        assert count == expected


# Synchrony


def test_fano_of_independent_neurons():
    rng = np.random.default_rng(7)
    found = [fano(rng.uniform(0, 2, rng.poisson(40_000)), 2) for _ in range(100)]
    values = np.array([f.value for f in found])
    assert abs(values.mean() - 1) < 4 * values.std() / 10
    assert np.sqrt(np.mean([f.sem**2 for f in found])) == pytest.approx(values.std(), rel=0.25)


def test_fano_of_neurons_that_fire_together():
    # every event is M spikes in one bin: Fano factor M
    rng = np.random.default_rng(8)
    events = rng.uniform(0, 10, rng.poisson(10 * 50))
    found = fano(np.repeat(events, 40), 10)
    assert abs(found.value - 40) < 3 * found.sem
    assert 0.5 < found.sem < 5


def test_fano_of_a_modulated_rate():
    # rate r (1 + m sin): Fano = 1 + r Δ m²/2
    rng = np.random.default_rng(9)
    bins, mean, m = 5000, 30.0, 0.5
    counts = rng.poisson(mean * (1 + m * np.sin(2 * np.pi * np.arange(bins) / 50)))
    times = (np.repeat(np.arange(bins), counts) + 0.5) * 1e-3
    found = fano(times, bins * 1e-3)
    assert abs(found.value - (1 + mean * m**2 / 2)) < 3 * found.sem


def test_fano_is_that_of_elephant():
    import quantities as pq
    from elephant.statistics import time_histogram

    rng = np.random.default_rng(10)
    indices, times = gamma_trains(40, 0.5, 50, 2.0, rng)
    trains = elephant_trains(indices, times, 0, 2.0)
    counts = time_histogram(trains, 1 * pq.ms, output="counts").magnitude.ravel()
    found = fano(times, 2.0)
    assert found.value == pytest.approx(counts.var(ddof=1) / counts.mean(), rel=0.01)


def test_fano_of_silence_and_of_short_times():
    assert np.isnan(fano(np.empty(0), 1).value)
    assert np.isnan(fano(np.array([0.005]), 0.01).value)


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
        mean, sd = voltage(ar1(5e-3, 2000, 5, rng), active)
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
    mean, sd = voltage(spoiled, active)
    assert mean.value == pytest.approx(expected.mean(), rel=1e-12)
    assert sd.value == pytest.approx(expected.std(), rel=1e-9)


def test_voltage_that_does_not_move():
    mean, sd = voltage(np.full((100, 3), -0.065), np.ones((100, 3), bool))
    assert mean.value == pytest.approx(-0.065, abs=1e-15)
    assert mean.sem == pytest.approx(0, abs=1e-15)  # rounding of the mean
    assert (sd.value, sd.sem) == pytest.approx((0, 0), abs=1e-9)


def test_voltage_never_seen():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean, sd = voltage(np.zeros((100, 3)), np.zeros((100, 3), bool))
    assert np.isnan(mean.value)
    assert np.isnan(sd.value)


def test_density():
    rng = np.random.default_rng(15)
    v = ar1(2e-3, 20_000, 10, rng)
    active = rng.random(v.shape) < 0.9
    grid, heights, outside = density(np.where(active, v, 0.0), active)
    width = grid[1] - grid[0]
    assert np.allclose(np.diff(grid), width)
    assert heights.sum() * width == pytest.approx(1, rel=1e-12)
    assert outside == 0
    assert heights.min() >= 0
    normal = stats.norm(-0.06, 0.003)
    assert np.abs(heights - normal.pdf(grid)).max() < 0.05 * normal.pdf(-0.06)
    assert (grid * heights).sum() * width == pytest.approx(v[active].mean(), abs=width / 10)


def test_density_says_what_is_outside():
    v = ar1(2e-3, 20_000, 10, np.random.default_rng(15))
    active = np.ones(v.shape, bool)
    grid, heights, outside = density(v, active, low=-0.0615, high=-0.057, bins=45)
    assert outside == np.mean((v < -0.0615) | (v >= -0.057))
    assert outside > 0.3
    assert np.allclose(np.diff(grid), 1e-4)
    assert heights.sum() * 1e-4 == pytest.approx(1 - outside, rel=1e-12)
    # what is inside does not depend on the range
    wide, of_wide, none = density(v, active, low=-0.0815, high=-0.037, bins=445)
    assert none == 0
    assert np.allclose(of_wide[200:245], heights, atol=2 / v.size / 1e-4)


def test_density_of_nothing():
    grid, heights, outside = density(np.zeros((10, 2)), np.zeros((10, 2), bool))
    assert grid.size == heights.size == 100
    assert np.isnan(heights).all()
    assert np.isnan(outside)


# Currents


def test_current_of_poisson_arrivals():
    # n arrivals of jump J in a step: mean R J, and over 1 ms a variance R J²/(1 ms)
    rng = np.random.default_rng(16)
    R, J, dt = 5000.0, 1e-4, 1e-4
    values = rng.poisson(R * dt, (20_000, 20)) * J / dt
    mean, sd = current(values, np.ones(values.shape, bool), dt)
    assert abs(mean.value - R * J) < 4 * mean.sem
    assert abs(sd.value - J * np.sqrt(R / 1e-3)) < 4 * sd.sem
    assert mean.sem == pytest.approx(J * np.sqrt(R / 2 / 20), rel=0.6)


def test_current_leaves_out_bins_with_refractory_steps():
    values = np.ones((1000, 2))
    active = np.ones((1000, 2), bool)
    values[300:305] = 100.0
    active[303:308] = False
    mean, sd = current(values, active, 1e-4)
    assert (mean.value, sd.value) == (1.0, 0.0)


@pytest.mark.parametrize("dt", [1e-3, 2e-3])
def test_current_of_long_steps(dt):
    values = np.arange(200.0).reshape(100, 2)
    mean, _ = current(values, np.ones(values.shape, bool), dt)
    assert mean.value == pytest.approx(values.mean())
