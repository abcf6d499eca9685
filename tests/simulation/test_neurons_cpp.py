"""One step of neurons in C++ against what enumeration, simulation or a finer step gives."""

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import solve_ivp

from tests import cpp

DRIVER = r"""
#include "filtered.h"
#include "instantaneous.h"

using Instantaneous = cbnet::Instantaneous<2>;
using Filtered = cbnet::Filtered<2, 2>;
using Random = cbnet::RandomOrder<2>;
using Brian2 = cbnet::Brian2Order<2>;
using FilteredNeurons = cbnet::FilteredNeurons<2, 2>;

// One stepper and the state of n neurons.
template <class Stepper> struct Population {
    Stepper stepper;
    std::vector<char> active;
    std::vector<double> lastspike;
    std::vector<int32_t> spikes;

    Population(int64_t n, int64_t seed)
        : stepper(seed), active(n), lastspike(n, -1e4), spikes(n + 1) {}

    cbnet::Neurons<uint16_t, 2> neurons(double *v, float *held, uint16_t *n_E, uint16_t *n_I) {
        const int n = active.size();
        return {0, n, v, held, {n_E, n_I}, active.data(), lastspike.data(), 0.0};
    }

    int64_t report(int n, int32_t *fired, char *not_refractory) {
        std::copy(spikes.begin(), spikes.begin() + n, fired);
        std::copy(active.begin(), active.end(), not_refractory);
        return n;
    }
};

extern "C" {
void outcomes(const double *jumps, int64_t E, int64_t I, double *out) {
    const cbnet::Jump both[2] = {{jumps[0], jumps[1]}, {jumps[2], jumps[3]}};
    const cbnet::Arrivals<2> arrivals{{static_cast<int>(E), static_cast<int>(I)}};
    cbnet::Outcomes<2> table(both, cbnet::RANDOM);
    table.reserve(arrivals);
    const cbnet::Outcome &one = table.at(arrivals);
    out[0] = one.factor;
    out[1] = one.mean;
    out[2] = one.spread;
}

// The same of three classes, of which the third does what the first does.
void outcomes_of_three(const double *jumps, int64_t E, int64_t I, int64_t more, int64_t in_turn,
                       double *out) {
    const cbnet::Jump all[3] = {{jumps[0], jumps[1]}, {jumps[2], jumps[3]}, {jumps[0], jumps[1]}};
    const cbnet::Outcomes<3> outcomes(all, in_turn ? cbnet::BY_CLASS : cbnet::RANDOM);
    const cbnet::Outcome one =
        outcomes.at({{static_cast<int>(E), static_cast<int>(I), static_cast<int>(more)}});
    out[0] = one.factor;
    out[1] = one.mean;
    out[2] = one.spread;
}

#define STEPPER(NAME, CLASS)                                                                       \
    int64_t create_##NAME(int64_t n, int64_t seed) {                                               \
        return reinterpret_cast<int64_t>(new Population<CLASS>(n, seed));                          \
    }                                                                                              \
    void destroy_##NAME(Population<CLASS> *p) { delete p; }

STEPPER(random, Random)
STEPPER(brian2, Brian2)
STEPPER(filtered, FilteredNeurons)

int64_t step_random(Population<Random> *p, const Instantaneous *values, double *v,
                    float *held, uint16_t *n_E, uint16_t *n_I, int32_t *fired, char *active) {
    const int n = p->stepper.step(*values, p->neurons(v, held, n_E, n_I), p->spikes.data());
    return p->report(n, fired, active);
}
int64_t step_brian2(Population<Brian2> *p, const Instantaneous *values, double *v,
                    float *held, uint16_t *n_E, uint16_t *n_I, int32_t *fired, char *active) {
    const int n = p->stepper.step(*values, p->neurons(v, held, n_E, n_I), p->spikes.data());
    return p->report(n, fired, active);
}
int64_t step_filtered(Population<FilteredNeurons> *p, const double *given, double *v,
                      float *held, uint16_t *n_E, uint16_t *n_I, int32_t *fired, char *active,
                      double *s_E, double *s_I) {
    const double *x = given;
    const Filtered values = {x[0], x[1],
                             {{x[2], x[3], x[5]}, {x[6], x[7], x[9]}},
                             {{x[4], 0}, {x[8], 1}},
                             x[10], x[11], x[12], x[13]};
    const int n =
        p->stepper.step(values, p->neurons(v, held, n_E, n_I), {s_E, s_I}, p->spikes.data());
    return p->report(n, fired, active);
}
}
"""

DT = 1e-4
THRESHOLD, RESET, E_L, E_I, TAU = -0.055, -0.065, -0.08, -0.075, 0.02
A, G = 0.0015, 20.0
CONDUCTANCE = (0.0, -A, G * A * E_I, -G * A)  # offset and slope of the jumps
CURRENT = (1e-4, 0.0, -5e-4, 0.0)


@pytest.fixture(scope="module", params=["plain", "fast"])
def library(request, tmp_path_factory):
    flags = {
        "plain": cpp.WARNINGS + ("-O2", "-Wno-psabi"),
        "fast": ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math"),
    }
    return cpp.load(DRIVER, tmp_path_factory.mktemp("neurons"), *flags[request.param])


class Population:
    """Neurons under one stepper; `kind` is "random", "brian2" or "filtered"."""

    def __init__(self, library, kind, values, v, seed=1):
        self._library, self._kind = library, kind
        self.values = np.array(values, float)
        self.v = np.array(v, float)
        n = self.v.size
        self.held = np.zeros(n, np.float32)
        self.s = [np.zeros(n), np.zeros(n)]
        self.active = np.zeros(n, np.int8)
        self._it = getattr(library, f"create_{kind}")(n, seed)

    def __del__(self):
        getattr(self._library, f"destroy_{self._kind}")(self._it)

    def step(self, n_E=0, n_I=0):
        """Indices of those that fire."""
        arrived = [np.array(np.broadcast_to(x, self.v.shape), np.uint16) for x in (n_E, n_I)]
        fired = np.empty(self.v.size + 1, np.int32)
        count = getattr(self._library, f"step_{self._kind}")(
            *(self._it, self.values, self.v, self.held, *arrived, fired, self.active),
            *(self.s if self._kind == "filtered" else ()),
        )
        assert not np.any(arrived)
        return fired[:count]


def instantaneous(jumps=CONDUCTANCE, threshold=THRESHOLD, leak=True, tau_rp=0.002, dt=DT):
    slope = -1 / TAU if leak else 0.0
    return [-slope * E_L, slope, *jumps, threshold, RESET, tau_rp, dt]


@pytest.mark.parametrize("numbers", [(1, 0, 0), (3, 2, 0), (4, 3, 5), (0, 0, 2)])
@pytest.mark.parametrize("jumps", [CONDUCTANCE, CURRENT])
def test_outcome_of_three_classes(library, jumps, numbers):
    """Where two of three classes do the same, the outcome is that of two classes."""
    E, I, more = numbers  # noqa: E741
    found, table = np.empty(3), np.empty(3)
    library.outcomes_of_three(np.array(jumps), E, I, more, 0, found)
    library.outcomes(np.array(jumps), E + more, I, table)
    assert found[0] == pytest.approx(table[0], rel=1e-13)
    # Gauss' rule with three nodes is exact to sixth order in the jumps' slopes
    error = abs(sum(numbers) * max(jumps[1], jumps[3], key=abs)) ** 6
    assert found[1] == pytest.approx(table[1], rel=1e-12 + error)
    # the spread is one of first order: relative errors are of the order of all slopes together
    slopes = abs((E + more) * jumps[1]) + abs(I * jumps[3])
    assert found[2] == pytest.approx(table[2], rel=slopes, abs=1e-15)
    if jumps is CURRENT:
        assert found[2] == 0.0


def test_classes_in_turn(library):
    found = np.empty(3)
    library.outcomes_of_three(np.array(CONDUCTANCE), 2, 3, 4, 1, found)
    v = -0.06
    after = v
    for kind, n in ((0, 2), (1, 3), (0, 4)):
        for _ in range(n):
            offset, slope = CONDUCTANCE[2 * kind : 2 * kind + 2]
            after += offset + slope * after
    assert found[0] * v + found[1] == pytest.approx(after, rel=1e-13)
    assert found[2] == 0.0


def leaked(v, dt=DT):
    return E_L + (v - E_L) * np.exp(-dt / TAU)


def jump(jumps, kind, v):
    offset, slope = jumps[2 * kind : 2 * kind + 2]
    return v + offset + slope * v


def orders(n_E, n_I):
    """All orders of the arrivals, equally likely: True where excitatory."""
    for places in itertools.combinations(range(n_E + n_I), n_E):
        yield [k in places for k in range(n_E + n_I)]


# Tables


@pytest.mark.parametrize("jumps", [CONDUCTANCE, CURRENT, (0.001, -0.3, -0.02, -0.4)], ids=str)
def test_outcomes_are_those_of_all_orders(library, jumps):
    for n_E, n_I in itertools.product(range(6), range(6)):
        found = np.empty(3)
        library.outcomes(np.array(jumps), n_E, n_I, found)
        ends = []
        for v in (0.0, 1.0):
            ends.append([])
            for order in orders(n_E, n_I):
                x = v
                for excites in order:
                    x = jump(jumps, 0 if excites else 1, x)
                ends[-1].append(x)
        ends = np.array(ends)
        assert np.allclose(ends[1] - ends[0], found[0], rtol=1e-12, atol=0)
        assert found[1] == pytest.approx(ends[0].mean(), rel=1e-12, abs=1e-18)
        spread = np.sqrt(12) * ends[0].std()  # width of a uniform number of that variance
        # below a millionth of the outcome it is what rounding leaves of jumps that commute
        assert found[2] == pytest.approx(spread, rel=1e-6, abs=1e-6 * np.abs(ends[0]).max() + 1e-17)
        if jumps is CURRENT:
            assert found[2] == 0


# Random order


def brute_force(jumps, v, n_E, n_I, threshold, trials, rng):
    """v after arrivals in random order, each trial by itself, and whether it crossed."""
    v = np.full(trials, float(v))
    crossed = v > threshold
    left = np.full(trials, n_E), np.full(trials, n_I)
    for _ in range(n_E + n_I):
        excites = rng.random(trials) * (left[0] + left[1]) < left[0]
        moved = np.where(excites, jump(jumps, 0, v), jump(jumps, 1, v))
        v = np.where(crossed, v, moved)
        crossed |= v > threshold
        left[0][:] -= excites
        left[1][:] -= ~excites
    return v, crossed


STRONG = (0.0, -0.01, 0.12 * E_I, -0.12)
STATES = {
    "far below": (CONDUCTANCE, -0.068, 12, 8),
    "conductance": (CONDUCTANCE, -0.0553, 12, 3),
    "strong": (STRONG, -0.0572, 8, 3),
    "many": (CONDUCTANCE, -0.0559, 60, 10),
    "no inhibition": (CONDUCTANCE, -0.0555, 9, 0),
    "no excitation": (CONDUCTANCE, -0.0555, 0, 4),
    "current": (CURRENT, -0.05542, 10, 3),
    "many currents": (CURRENT, -0.05622, 100, 18),
    "below inhibition": (CONDUCTANCE, -0.0780, 12, 8),
    "strong from below": (STRONG, -0.0780, 30, 8),
    # inhibition that lifts v past threshold, which no table may be used for
    "not monotone": ((0.0, -0.01, 0.12 * -0.050, -0.12), -0.0572, 3, 1),
    # beyond its reversal potential, and from below it to above
    "inhibition overshoots": ((0.0, -0.05, 1.5 * E_I, -1.5), -0.0850, 5, 2),
    "excitation that grows": ((0.003, 0.02, -0.004, -0.05), -0.0600, 5, 3),
}


@pytest.mark.parametrize("state", STATES)
def test_random_order(library, state):
    """Probability of a crossing, and mean and spread of v without one."""
    jumps, v, n_E, n_I = STATES[state]
    trials = 200_000
    population = Population(library, "random", instantaneous(jumps, leak=False), np.full(trials, v))
    fired = population.step(n_E, n_I)
    rng = np.random.default_rng(4)
    expected, crossed = brute_force(jumps, v, n_E, n_I, THRESHOLD, trials, rng)
    p = crossed.mean()
    sem = np.sqrt(2 * max(p * (1 - p), 1 / trials) / trials)
    assert abs(fired.size / trials - p) < 5 * sem
    assert np.all(np.diff(fired) > 0)
    silent = np.setdiff1d(np.arange(trials), fired)
    assert np.all(population.v[fired] == RESET)
    assert np.all(population.v[silent] <= THRESHOLD)
    if silent.size < 100:
        return
    found, expected = population.v[silent], expected[~crossed]
    if expected.std() < 1e-12:
        assert found == pytest.approx(np.full(found.size, expected[0]), abs=1e-12)
        return
    z = (found.mean() - expected.mean()) / np.hypot(stats.sem(found), stats.sem(expected))
    assert abs(z) < 5
    error = [
        np.sqrt((((x - x.mean()) ** 2) ** 2).mean() - x.var() ** 2) / np.sqrt(x.size)
        for x in (found, expected)
    ]
    assert abs(found.var() - expected.var()) < 5 * np.hypot(*error)


def test_states_cross_sometimes(library):
    """Or the test above would say nothing of crossings."""
    rng = np.random.default_rng(5)
    p = {
        state: brute_force(j, v, n_E, n_I, THRESHOLD, 20_000, rng)[1].mean()
        for state, (j, v, n_E, n_I) in STATES.items()
    }
    assert sum(0.02 < x < 0.98 for x in p.values()) >= 6, p


def test_order_of_all_arrangements(library):
    """Each order of three and three arrivals, told by where v ends."""
    jumps = (0.0, -0.01, 0.12 * E_I, -0.12)
    v, trials = -0.0605, 200_000
    low = instantaneous(jumps, threshold=v + 0.0015, leak=False)
    ends = {}
    for order in orders(3, 3):
        x, crossed = v, False
        for excites in order:
            if not crossed:
                x = jump(jumps, 0 if excites else 1, x)
                crossed = x > low[6]
        key = None if crossed else round(x * 1e9)
        ends[key] = ends.get(key, 0) + 1
    assert len(ends) > 2
    # woken up at the beginning of a step, which is then not taken in halves
    low[7] = v
    population = Population(library, "random", low, np.full(trials, v))
    population.held[:] = 1e-9
    fired = population.step(3, 3)
    silent = np.setdiff1d(np.arange(trials), fired)
    values, observed = np.unique(
        np.rint(population.v[silent] * 1e9).astype(int), return_counts=True
    )
    found = dict(zip(values, observed, strict=True))
    if None in ends:
        found[None] = fired.size
    assert set(found) == set(ends)
    counts = np.array([[found[key], ends[key]] for key in ends])
    assert stats.chisquare(counts[:, 0], counts[:, 1] / 20 * trials).pvalue > 1e-4


def test_neighbours_and_steps_are_independent(library):
    """Whether neurons in the same state fire."""
    jumps, v, n_E, n_I = STATES["conductance"]
    n, steps = 2000, 200
    fires = np.zeros((steps, n))
    population = Population(library, "random", instantaneous(jumps), np.full(n, v))
    for step in range(steps):
        population.v[:], population.held[:] = v, 0
        fires[step, population.step(n_E, n_I)] = 1
    z = (fires - fires.mean()) / fires.std()
    for lag in (1, 2, 16):
        assert abs((z[:, lag:] * z[:, :-lag]).sum()) < 5 * np.sqrt(z.size)
        assert abs((z[lag:] * z[:-lag]).sum()) < 5 * np.sqrt(z.size)
    assert z.sum(axis=1).var() / n == pytest.approx(1, rel=5 * np.sqrt(2 / steps))


def test_more_arrivals_than_are_tabulated(library):
    """Thousands of both kinds, of which every pair would take too much memory."""
    jumps = (5e-8, 0.0, -5e-8, 0.0)
    v = np.array([-0.06, -0.06, -0.0560])
    population = Population(library, "random", instantaneous(jumps), v)
    fired = population.step([60_000, 0, 2100], [0, 60_000, 3000])
    assert fired.tolist() == []
    expected = leaked(leaked(v, DT / 2) + 5e-8 * np.array([60_000, -60_000, -900]), DT / 2)
    # the step is taken in halves, and coins say in which each arrives: the leak takes dt/(2τ) less
    # from a jump of the second; five standard deviations of that
    deviation = 5e-8 * np.sqrt(60_000) / 2 * DT / (2 * TAU)
    assert population.v == pytest.approx(expected, abs=5 * deviation)


def test_without_leak(library):
    values = instantaneous(CURRENT, leak=False)
    values[0] = 2.0  # V/s
    population = Population(library, "random", values, [-0.06, -0.07])
    population.step()
    assert population.v == pytest.approx([-0.06 + 2.0 * DT, -0.07 + 2.0 * DT], abs=1e-15)


def test_leak_alone_crosses(library):
    values = instantaneous(CURRENT)
    values[0] = 1 / TAU * -0.02  # rests above threshold
    v = np.array([-0.0551, -0.0560])
    population = Population(library, "random", values, v)
    after = -0.02 + (v + 0.02) * np.exp(-DT / TAU)
    assert (after > THRESHOLD).tolist() == [True, False]
    assert population.step().tolist() == [0]


# Refractory time


def spikes_of(population, steps, arrived):
    """Step and neuron of every spike; `arrived` gives what arrives in each step."""
    found = [(population.step(*arrived()), step) for step in range(steps)]
    neurons = np.concatenate([fired for fired, _ in found])
    return np.concatenate([np.full(fired.size, step) for fired, step in found]), neurons


@pytest.mark.parametrize("tau_rp", [0.0, 0.03e-3, 0.1e-3, 0.25e-3, 2.03e-3])
def test_refractory_time(library, tau_rp):
    """Every arrival makes a neuron fire that is not refractory: intervals are τ_rp + 1/R.

    There is one spike a step, and the second one waits for a third of it on average: with R dt =
    0.02 that is 0.02²/6 of an interval.
    """
    n, steps, mean = 20_000, 500, 0.02
    values = instantaneous((0.1, 0.0, -0.1, 0.0), tau_rp=tau_rp)
    population = Population(library, "random", values, np.full(n, RESET))
    rng = np.random.default_rng(2)
    when, who = spikes_of(population, steps, lambda: (rng.poisson(mean, n),))
    rate = np.bincount(who[when >= 100], minlength=n) / ((steps - 100) * DT)
    expected = 1 / (tau_rp + DT / mean)
    assert abs(rate.mean() - expected) < 4 * stats.sem(rate) + expected * mean**2 / 6
    assert stats.sem(rate) < 0.003 * expected


@pytest.mark.parametrize("kind", ["random", "filtered"])
@pytest.mark.parametrize(("rest", "tau_rp"), [(-0.04, 0.0), (0.1, 0.02e-3), (0.1, 0.513e-3)])
def test_regular_firing(library, kind, rest, tau_rp):
    """Without input: interval, mean and sd of v in closed form, whatever the step.

    Spikes are rounded to steps, ends of steps take samples of v at all phases.
    """
    values = instantaneous(tau_rp=tau_rp) if kind == "random" else filtered(tau_rp=tau_rp)
    values[:2] = rest / TAU, -1 / TAU
    population, steps = Population(library, kind, values, [RESET]), 8_000
    spikes, seen = [], []
    for step in range(steps):
        spikes += [step] * population.step().size
        if population.held[0] <= 0:
            seen.append(population.v[0])
    T = TAU * np.log((rest - RESET) / (rest - THRESHOLD))
    mean = rest - TAU * (THRESHOLD - RESET) / T
    square = TAU * ((rest - RESET) ** 2 - (rest - THRESHOLD) ** 2) / 2 / T
    sd = np.sqrt(square - (rest - mean) ** 2)
    interval = (spikes[-1] - spikes[0]) * DT / (len(spikes) - 1)
    assert interval == pytest.approx(tau_rp + T, abs=DT / (len(spikes) - 1))
    # the phases are as good as evenly spread: one step of an interval in so many
    even = DT / T * 2 / np.sqrt(len(spikes))
    assert abs(np.mean(seen) - mean) < even * (THRESHOLD - RESET)
    assert abs(np.std(seen) - sd) < even * (THRESHOLD - RESET)
    share = len(seen) / steps
    assert share == pytest.approx(T / (T + tau_rp), abs=2 / np.sqrt(len(spikes)) * DT / T)


def test_held(library):
    """Neither leak nor arrivals while refractory, and Brian2 is told so."""
    population = Population(library, "random", instantaneous(), [-0.0551, -0.065])
    population.held[:] = [2, 0]
    population.step(50, 0)
    assert population.v[0] == -0.0551
    assert population.held.tolist() == [1, 0]
    assert population.active.tolist() == [0, 1]
    population.step(50, 0)  # is released at the end of this one
    assert population.held[0] == 0 and population.v[0] == RESET
    assert population.active[0] == 1
    assert 0 in population.step(150, 0)


def test_what_arrives_after_the_end_of_the_refractory_time(library):
    """A quarter of the step is left, and as much of what arrives in it."""
    n = 100_000
    values = instantaneous((0.1, 0.0, -0.1, 0.0), leak=False)
    population = Population(library, "random", values, np.full(n, RESET))
    population.held[:] = 0.75
    fired = population.step(1, 0).size / n
    assert abs(fired - 0.25) < 4 * np.sqrt(0.25 * 0.75 / n)


# Brian2's order


@pytest.mark.parametrize("jumps", [CONDUCTANCE, CURRENT], ids=["conductance", "current"])
@pytest.mark.parametrize("tau_rp", [0.0, 0.35e-3, 0.3e-3, 2e-3])
def test_brian2_order(library, jumps, tau_rp):
    """All excitatory arrivals of the last step, the inhibitory ones, leak, threshold.

    Brian2 in words: a neuron is refractory until t - lastspike ≥ τ_rp; leak while it is not; the
    threshold after the leak; arrivals after the threshold, unless refractory.
    """
    n, steps = 300, 400
    rng = np.random.default_rng(6)
    population = Population(
        library, "brian2", instantaneous(jumps, tau_rp=tau_rp), rng.uniform(RESET, THRESHOLD, n)
    )
    v, last = population.v.copy(), np.full(n, -100_000)
    held_steps = int(np.floor(tau_rp / DT + 1e-3))
    n_E, n_I = np.zeros(n, int), np.zeros(n, int)
    total = 0
    for step in range(steps):
        found = population.step(n_E, n_I)
        # the same in numpy, where arrivals were applied at the end of the last step
        awake = step - last >= max(held_steps, 1)
        v = np.where(awake, leaked(v), v)
        expected = np.flatnonzero((v > THRESHOLD) & awake)
        assert np.array_equal(found, expected)
        v[expected] = RESET
        last[expected] = step
        total += expected.size
        n_E, n_I = rng.poisson(12, n), rng.poisson(2, n)
        # Brian2 sets not_refractory before the threshold: that of the step, false once it fires
        feels = awake.copy()
        feels[expected] = False
        for _ in range(n_E.max()):
            v = np.where(feels & (n_E > _), jump(jumps, 0, v), v)
        for _ in range(n_I.max()):
            v = np.where(feels & (n_I > _), jump(jumps, 1, v), v)
    assert total > 100


# Synapses with a time constant

TAU_S = 0.5e-3


def filtered(tau_rp=0.002, dt=DT, threshold=THRESHOLD, jump_E=3.0, tau_I=1e-3, conductance=True):
    """s in Hz; conductance: dv/dt = (E_L - v)/τ + s_E (0 - v) + s_I (E_I - v)."""
    E = [0.0, -1.0] if conductance else [0.05, 0.0]
    I = [E_I, -1.0] if conductance else [-0.02, 0.0]  # noqa: E741
    return [
        *(E_L / TAU, -1 / TAU, *E, jump_E, TAU_S),
        *(*I, 30.0, tau_I, threshold, RESET, tau_rp, dt),
    ]


def test_charge_of_a_spike(library):
    """The integral of s that the membrane sees is τ times the jump, in a step or in many."""
    values = filtered(conductance=False)
    values[0:2] = [0.0, 0.0]
    for arrived in ((7, 0), (0, 3)):
        population = Population(library, "filtered", values, [-0.07])
        population.step(*arrived)
        for _ in range(400):
            population.step()
        charge = arrived[0] * 0.05 * 3.0 * TAU_S - arrived[1] * 0.02 * 30.0 * 1e-3
        assert population.v[0] + 0.07 == pytest.approx(charge, rel=1e-10)
    assert np.abs(population.s).max() < 1e-12


def test_charge_at_threshold(library):
    """The same where the step is taken in parts."""
    n = 4000
    values = filtered(conductance=False, threshold=-0.07 + 1e-6)
    values[0:2] = [0.0, 0.0]
    population = Population(library, "filtered", values, np.full(n, -0.07))
    fired = population.step(5, 2)
    assert 0 < fired.size < n
    before = [s.copy() for s in population.s]
    silent = np.setdiff1d(np.arange(n), fired)
    for _ in range(400):
        population.held[fired] = 10
        population.values[10] = 1.0  # nobody fires any more
        population.step()
    charge = 5 * 0.05 * 3.0 * TAU_S - 2 * 0.02 * 30.0 * 1e-3
    assert population.v[silent] + 0.07 == pytest.approx(np.full(silent.size, charge), rel=1e-9)
    # each arrival keeps on average what one at a uniform time leaves
    for s, size, tau, count in zip(before, (3.0, 30.0), (TAU_S, 1e-3), (5, 2), strict=True):
        left = count * size * (1 - np.exp(-DT / tau)) * tau / DT
        assert abs(s.mean() - left) < 5 * max(stats.sem(s), 1e-12)


def fine(values, v, s_E, s_I, times_E, times_I, dt):
    """The equations themselves, with every spike at its own time."""
    o_L, a_L, o_E, a_E, j_E, tau_E, o_I, a_I, j_I, tau_I = values[:10]

    def slope(_, x):
        v, E, I = x  # noqa: E741
        return [
            o_L + a_L * v + E * (o_E + a_E * v) + I * (o_I + a_I * v),
            -E / tau_E,
            -I / tau_I,
        ]

    x, now = np.array([v, s_E, s_I]), 0.0
    events = sorted([(t, 1, j_E) for t in times_E] + [(t, 2, j_I) for t in times_I]) + [
        (dt, 0, 0.0)
    ]
    top = v
    for t, which, size in events:
        if t > now:
            done = solve_ivp(slope, (now, t), x, rtol=1e-9, atol=1e-12)
            x, now = done.y[:, -1], t
            top = max(top, done.y[0].max())
        x[which] += size
    return x, top


@pytest.mark.parametrize("start", [(-0.065, 0, 0), (-0.060, 40.0, 60.0), (-0.078, 200.0, 500.0)])
@pytest.mark.parametrize("conductance", [True, False])
def test_one_step_of_synapses(library, start, conductance):
    """The mean over arrivals at any time of the step, far from threshold.

    Replacing s by its mean over the step is exact in charge; what it leaves out is the correlation
    of s(t) with v(t) - v(0), of second order in the step: compared at two steps.
    """
    v, s_E, s_I = start
    rng = np.random.default_rng(8)
    errors, jumps = [], []
    for dt in (DT, DT / 4):
        values = filtered(threshold=1.0, dt=dt, conductance=conductance)
        population = Population(library, "filtered", values, [v])
        population.s[0][:], population.s[1][:] = s_E, s_I
        population.step(4, 2)
        ends = np.array(
            [
                fine(values, v, s_E, s_I, dt * rng.random(4), dt * rng.random(2), dt)[0]
                for _ in range(400)
            ]
        )
        found = np.array([population.v[0], population.s[0][0], population.s[1][0]])
        sem = stats.sem(ends) + 1e-12
        assert np.all(np.abs(found - ends.mean(axis=0))[1:] < 5 * sem[1:])
        errors.append(abs(found[0] - ends[:, 0].mean()))
        jumps.append((abs(ends[:, 0].mean() - v), sem[0]))
    # total conductance times the step is at most 0.2 here: its square is left, over 12
    g = (1 / TAU + s_E + s_I + 4 * 3.0 + 2 * 30.0) if conductance else 1 / TAU
    for error, (moved, sem), dt in zip(errors, jumps, (DT, DT / 4), strict=True):
        assert error < 5 * sem + (g * dt) * moved / 2


@pytest.mark.parametrize(
    ("start", "n_E", "n_I"), [((-0.05505, 100.0, 300.0), 50, 3), ((-0.0551, 100.0, 200.0), 30, 3)]
)
def test_crossing_of_synapses(library, start, n_E, n_I):
    """Of neurons near threshold: how many cross in a step, beside arrivals at their own times.

    A crossing that is over at the end of its part of the step is missed; 400 steps of the equations
    show errors of 0.08 or more.
    """
    v, s_E, s_I = start
    n, fewer = 20_000, 400
    values = filtered()
    population = Population(library, "filtered", values, np.full(n, v))
    population.s[0][:], population.s[1][:] = s_E, s_I
    found = population.step(n_E, n_I).size / n
    rng = np.random.default_rng(9)
    tops = [
        fine(values, v, s_E, s_I, DT * rng.random(n_E), DT * rng.random(n_I), DT)[1]
        for _ in range(fewer)
    ]
    p = np.mean(np.array(tops) > THRESHOLD)
    assert 0.5 < p < 0.98
    assert abs(found - p) < 5 * np.sqrt(p * (1 - p) / fewer)


def test_same_seed_the_same(library):
    for kind, values in (("random", instantaneous()), ("filtered", filtered())):
        runs = []
        for seed in (1, 1, 2):
            rng = np.random.default_rng(0)
            population = Population(library, kind, values, np.full(600, -0.0556), seed)
            fired = [population.step(rng.poisson(12, 600), rng.poisson(3, 600)) for _ in range(50)]
            runs.append((np.concatenate(fired), population.v))
        assert np.array_equal(runs[0][0], runs[1][0]) and np.array_equal(runs[0][1], runs[1][1])
        assert not np.array_equal(runs[0][1], runs[2][1])
