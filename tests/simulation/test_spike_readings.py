"""Spectra and correlations of spikes whose laws are known."""

import numpy as np
import pytest

from cbnet.errors import ParameterError
from cbnet.results.spikes import SpikeReadings

SIZES, RATES, DURATION = (100, 40), (20.0, 50.0), 40.0


class Trains(SpikeReadings):
    """Poisson neurons, those of B in part with spikes of one common train."""

    populations, sizes, recorded = ("A", "B"), np.array(SIZES), np.arange(sum(SIZES))

    def __init__(self, shared, seed=1):
        rng = np.random.default_rng(seed)
        bins = round(DURATION * 1e3)
        rates = np.repeat(RATES, SIZES)[:, None]
        fired = rng.random((sum(SIZES), bins)) < (1 - shared) * rates * 1e-3
        common = rng.random(bins) < shared * RATES[1] * 1e-3
        fired[SIZES[0] :] |= common
        self.count_1ms = np.stack([part.sum(axis=0) for part in np.split(fired, SIZES[:1])])
        self.spike_neurons, steps = np.nonzero(fired)
        self._si = {"spike_times": (steps + 0.5) * 1e-3, "transient": 0.0, "dt": 1e-4,
                    "duration": DURATION}  # fmt: skip

    def in_si(self, name):
        return self._si[name]

    def neurons(self, name):
        first = 0 if name == "A" else SIZES[0]
        return range(first, first + SIZES[self.populations.index(name)])


def test_spectrum_of_independent_neurons_is_their_rate_over_their_number():
    found = Trains(0.0).spectrum("0.5 s")
    expected = np.array(RATES) / SIZES * (1 - np.array(RATES) * 1e-3)  # one spike a bin at most
    # the error of a power is a share of it
    share = float((found.power_sem / found.power).mean())
    off = (found.power.values / expected[:, None] - 1) / share
    assert np.abs(off.mean(axis=1)).max() < 4 / 249**0.5
    # as errors say: of 498 of them
    assert off.std() == pytest.approx(1, abs=0.15)


def test_correlations_of_shared_spikes():
    runs = [Trains(0.3, seed).correlations("20 ms") for seed in range(6)]
    assert runs[0].correlation.dims == ("population", "other")
    # in a bin of 1 ms a spike of the common train, or one of its own, or both in one
    common, alone = 0.015, 0.035
    fired = 1 - (1 - common) * (1 - alone)
    shared = common * (1 - common) * (1 - alone) ** 2 / (fired * (1 - fired))
    values = np.array([run.correlation for run in runs])
    errors = np.sqrt(np.mean([run.correlation_sem**2 for run in runs], axis=0))
    off = (values.mean(axis=0) - [[0, 0], [0, shared]]) / (errors / 6**0.5)
    assert np.abs(off).max() < 4
    # six values tell a spread to 32 %, and ten parts of time an error to 24 %
    assert np.all(np.abs(np.log(values.std(axis=0, ddof=1) / errors)) < 1)
    assert errors.max() < 0.02


def test_what_is_too_long_is_refused():
    trains = Trains(0.0)
    with pytest.raises(ParameterError, match="segment: got 30 s; expected"):
        trains.spectrum("30 s")
    with pytest.raises(ParameterError, match="at most a twentieth of the duration"):
        trains.correlations("4 s")
    with pytest.raises(ParameterError, match="less than the duration"):
        trains.psth("50 s")
