"""The halves of the measured time compared: what changed is told, what stands still is not."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import signal

from cbnet.simulation.measure.stationarity import LIMIT, drifts

STEPS, DT, N = 1000, 1e-3, 400


def process(rng, tau, columns):
    """Stationary Gauss-Markov paths of unit variance, one a column, a row each ms."""
    decay = np.exp(-DT / tau)
    noise = rng.standard_normal((STEPS, columns)) * np.sqrt(1 - decay**2)
    noise[0] = rng.standard_normal(columns)
    return signal.lfilter([1], [1, -decay], noise, axis=0)


def sums(values, reference=0.0):
    blocks = np.array_split(values - reference, 10)
    return np.array([[one.size, one.sum(), (one**2).sum()] for one in blocks])


def intervals(rng, cv):
    """Number, sum and sum of squares of the intervals that end in each of 32 parts, as one row."""
    shape = np.array([np.mean(one) for one in np.array_split(cv, 32)])[:, None] ** -2
    drawn = rng.gamma(shape, 1 / shape, (32, 250))
    return np.stack([np.full(32, 250.0), drawn.sum(axis=1), (drawn**2).sum(axis=1)], axis=1)


def network(rng, tau, ramp=None, **changes):
    """What a network accumulates whose neurons share a slow process, or change along a ramp."""
    ramp = np.zeros(STEPS) if ramp is None else ramp
    add = {name: change * ramp for name, change in changes.items()}
    common = process(rng, tau, 1)[:, 0]
    rate = 20 * (1 + 0.2 * common) + add.get("rate_E", 0)
    count = rng.poisson(N * np.maximum(rate, 0) * DT)
    inhibitory = rng.poisson(N * np.maximum(20 * (1 + 0.2 * common), 0) * DT)
    v = -0.06 + 0.002 * (process(rng, tau, 20) + common[:, None])
    v += add.get("V_mean", np.zeros(STEPS))[:, None]
    currents = [40 * (1 + 0.1 * process(rng, tau, 20)) for _ in range(3)]
    currents[0] = 40 + (currents[0] - 40) * (1 + add.get("current_sd E", np.zeros(STEPS)))[:, None]
    return SimpleNamespace(
        observation=SimpleNamespace(
            steps=STEPS,
            dt=DT,
            sizes=(N, N),
            names=("E", "I"),
            seen=[0],
            inputs=("E", "I", "net"),
            reference=(-0.065,),
            high=(-0.055,),
            followed=(1, 1),
            first_step=STEPS,
            longest_interval=2 * STEPS - STEPS // 8,
        ),
        interval_sums=np.stack(
            [intervals(rng, 0.7 + add.get("cv_E", np.zeros(STEPS))), intervals(rng, 0.7 + 0 * ramp)]
        ),
        interval_histogram=np.eye(2, 128)[[0, 0]],
        block_spikes=np.array(
            [[p.sum() for p in np.array_split(x, 10)] for x in (count, inhibitory)]
        ),
        counts=[count],
        voltage_sums=[sums(v, -0.065)],
        current_sums=np.array([[sums(x) for x in currents]]),
    )


@pytest.mark.parametrize("tau", [0.005, 0.02, 0.1])
def test_false_alarms_are_rare(tau):
    rng = np.random.default_rng(1)
    alarms = sum(bool(drifts(network(rng, tau), tau)) for _ in range(300))
    # one in a hundred is 3; more than ten has a probability of 3e-4
    assert alarms <= 10


@pytest.mark.parametrize(
    ("name", "size"), [("rate_E", 30.0), ("V_mean", 12e-3), ("current_sd E", 1.0), ("cv_E", 0.8)]
)
def test_a_statistic_that_changes_is_named(name, size):
    rng = np.random.default_rng(2)
    ramp = np.linspace(1, 0, STEPS)
    found = [drifts(network(rng, 0.005, ramp, **{name: size}), 0.005) for _ in range(20)]
    assert sum(name in [one.name for one in each] for each in found) >= 18
    one = next(each[0] for each in found if each)
    assert one.name == name and abs(one.t) > LIMIT and str(one).startswith(f"{name} ")
    assert one.first > one.second


def test_silence_and_neurons_at_rest_do_not_change():
    rng = np.random.default_rng(3)
    still = network(rng, 0.02)
    still.block_spikes[:] = still.counts[0][:] = 0
    creeping = -0.06 + 1e-8 * np.exp(-np.arange(STEPS) / 100)[:, None] * np.ones(20)
    still.voltage_sums[0] = sums(creeping, -0.065)
    still.current_sums[:] = sums(np.zeros((STEPS, 20)))
    assert drifts(still, 0.02) == []
    still.block_spikes[0, 0] = 3  # a few spikes in one block
    assert drifts(still, 0.02) == []


def test_irregularity_is_not_judged_where_early_blocks_miss_intervals():
    """Those longer than the transient cannot end there."""
    ramp = np.linspace(1, 0, STEPS)
    found = network(np.random.default_rng(4), 0.005, ramp, cv_E=0.6)
    assert "cv_E" in [one.name for one in drifts(found, 0.005)]
    found.interval_histogram[:, 100] = 0.01
    assert "cv_E" not in [one.name for one in drifts(found, 0.005)]
