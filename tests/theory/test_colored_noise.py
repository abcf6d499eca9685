"""Synapses with time constants: theory against simulated neurons, and its limits."""

import csv
import dataclasses
import shutil
import warnings

import numpy as np
import pytest
from brian2 import Hz, ms, mV, second
from hypothesis import given, settings
from hypothesis import strategies as st

import cbnet
from benchmarks import colored_reference
from benchmarks.coverage_checks import respond
from benchmarks.random_neurons import Neuron as Simulated
from cbnet.errors import CbnetWarning, ConvergenceError, ParameterError
from cbnet.theory.neuron.colored import colored_noise, colored_noise_limits
from cbnet.theory.neuron.colored.filtered_membrane import Membrane
from cbnet.theory.neuron.neuron import Neuron
from cbnet.theory.neuron.white import first_passage, siegert

STRONG, MIDDLE, WEAK = colored_reference.STRONG, colored_reference.MIDDLE, colored_reference.WEAK
# r_E, r_I and tau_S in ms; simulated rate in Hz and its standard error
SIMULATED = [
    (STRONG, 10, 18, 0.1, 6.81, 0.07),
    (STRONG, 10, 18, 0.5, 1.884, 0.019),
    (STRONG, 10, 18, 1, 0.534, 0.009),
    (STRONG, 10, 18, 2, 0.053, 0.003),
    (STRONG, 50, 90, 0.1, 31.2, 0.3),
    (STRONG, 50, 90, 0.5, 1.124, 0.028),
    (MIDDLE, 20, 16, 0.1, 22.86, 0.20),
    (MIDDLE, 20, 16, 0.5, 10.14, 0.10),
    (MIDDLE, 20, 16, 1, 4.77, 0.05),
    (MIDDLE, 20, 16, 2, 1.286, 0.018),
    (MIDDLE, 100, 80, 0.1, 124.8, 0.8),
    (MIDDLE, 100, 80, 0.5, 28.9, 0.27),
    (MIDDLE, 100, 80, 1, 6.10, 0.09),
    (MIDDLE, 100, 80, 2, 0.342, 0.017),
    (WEAK, 20, 16, 0.1, 26.8, 0.2),
    (WEAK, 20, 16, 0.5, 18.4, 0.15),
    (WEAK, 20, 16, 1, 13.7, 0.12),
    (WEAK, 20, 16, 2, 8.17, 0.08),
    (WEAK, 20, 16, 5, 2.41, 0.03),
    (WEAK, 20, 16, 10, 0.418, 0.014),
    (WEAK, 100, 80, 0.1, 245.2, 0.9),
    (WEAK, 100, 80, 0.5, 219.1, 0.9),
    (WEAK, 100, 80, 1, 205.9, 0.9),
    (WEAK, 100, 80, 2, 198.7, 0.9),
    (WEAK, 100, 80, 5, 197.5, 0.9),
    (WEAK, 100, 80, 10, 200.9, 1.2),
]
with colored_reference.TABLE.open() as file:
    REFERENCE = [
        {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)
    ]


def membrane(point):
    params, r_E, r_I = colored_reference.parameters(point)
    neuron = Neuron(params, noise="colored")
    return colored_noise.of_neuron(neuron, (np.array([float(r_E)]), np.array([float(r_I)])), 0)


def conductance(r_E, r_I, tau_E, tau_I, **changes):
    return membrane(("conductance", changes, r_E, r_I, tau_E, tau_I))


def plain(**changes):
    """A membrane written by hand, in no need of strings."""
    standard = Membrane(
        leak=lambda v: -(v + 0.065) / 0.02,
        jumps=(lambda v: 4e-4 + 0 * v, lambda v: -0.006 * (v + 0.08)),
        rates=(2000.0, 3000.0),
        taus=(0.002, 0.005),
        threshold=-0.055,
        reset=-0.065,
        tau_rp=0.002,
    )
    return dataclasses.replace(standard, **changes)


@pytest.mark.parametrize(("changes", "r_E", "r_I", "tau", "rate", "sem"), SIMULATED)
def test_rates_of_simulated_neurons(changes, r_E, r_I, tau, rate, sem):
    found = colored_noise.solve(conductance(r_E, r_I, tau, tau, **changes)).rate
    assert abs(found - rate) - 2 * sem < 0.05 * rate


@pytest.mark.parametrize("row", REFERENCE, ids=lambda row: f"{row['point']:.0f}")
def test_the_reference_table(row):
    point = colored_reference.POINTS[int(row["point"])]
    found = colored_noise.solve(membrane(point))
    answers = (found.rate, found.cv, 1e3 * found.v_mean, 1e3 * found.v_sd)
    assert abs(found.rate - row["rate_Hz"]) - 2 * row["rate_Hz_sem"] < 0.05 * row["rate_Hz"]
    # 4 standard errors: of 200 comparisons one in 16,000 is expected beyond; the error of the mean
    # is relative to the membrane's range, of about 10 mV
    scales = (found.rate, found.cv, 10.0, found.v_sd * 1e3)
    for name, answer, scale in zip(colored_reference.FIELDS, answers, scales, strict=True):
        allowed = 4 * row[f"{name}_sem"] + found.error * scale
        assert abs(answer - row[name]) < allowed, name


def test_the_reference_has_points_of_every_kind():
    points = [colored_reference.POINTS[int(row["point"])] for row in REFERENCE]
    own = [p for p in points if p[1] not in (STRONG, MIDDLE, WEAK)]
    assert len(own) >= 20
    assert sum(p[4] != p[5] for p in own) >= 8
    assert sum(p[0] == "current" for p in own) >= 5
    # two steps agree: with four standard errors for the 50 of them
    assert all(abs(row["difference_of_steps_in_sem"]) < 4 for row in REFERENCE)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.parametrize("k", [9, 30, 35, 51])
def test_the_reference_can_be_made_again(tmp_path, k):
    """Slow: compiles and simulates some thousand spikes."""
    program = colored_reference.compiled(tmp_path)
    point = colored_reference.POINTS[k]
    found, sem, _ = colored_reference.reference(program, point, seed=7, spikes=1500)
    row = REFERENCE[k]
    for name, value, e in zip(colored_reference.FIELDS, found, sem, strict=True):
        assert abs(value - row[name]) < 4 * np.hypot(e, row[f"{name}_sem"]), name


@pytest.mark.parametrize(
    ("tau_E", "tau_I", "changes"),
    [(0.1, 0.1, STRONG), (1, 4, MIDDLE), (1, 1, MIDDLE), (5, 5, WEAK)],
)
def test_the_error_is_no_less_than_it_says(tau_E, tau_I, changes):
    neuron = conductance(20, 16, tau_E, tau_I, **changes)
    rough, fine = colored_noise.solve(neuron, 0.05), colored_noise.solve(neuron, 3e-3)
    for name in ("rate", "cv", "v_sd"):
        gap = abs(getattr(rough, name) / getattr(fine, name) - 1)
        assert gap <= rough.error + fine.error, name


@pytest.mark.parametrize(("changes", "r_E", "r_I"), [(STRONG, 10, 18), (MIDDLE, 20, 16)])
def test_short_time_constants_are_finite_jumps(changes, r_E, r_I):
    params = cbnet.load("conductance").replace(**changes, jump="exponential")
    exact = cbnet.simulate_neuron(params, r_E * Hz, r_I * Hz, duration=300 * second, seed=3)
    found = colored_noise.solve(conductance(r_E, r_I, 1e-4, 1e-4, **changes), rtol=0.05)
    assert "longer time constants" in found.note
    allowed = found.error * found.rate + 3 * float(exact.rate_sem)
    assert abs(found.rate - float(exact.rate)) < allowed
    assert found.v_sd == pytest.approx(float(exact.V_sd), rel=0.02)


def test_many_weak_arrivals_approach_white_noise_as_the_root_of_the_time_constant():
    J, R = 0.005 / np.sqrt(0.02 * 2e9), 1e9
    white = float(siegert.rate(-0.058, 0.02, 2 * R * J**2, -0.055, -0.065, 0.002))
    distance = []
    for tau in (4e-4, 1e-4, 2.5e-5):
        neuron = plain(
            leak=lambda v: -(v + 0.058) / 0.02,
            jumps=(lambda v: J + 0 * v, lambda v: -J + 0 * v),
            rates=(R, R),
            taus=(tau, tau),
        )
        found = colored_noise.solve(neuron, rtol=5e-3)
        distance.append(1 - found.rate / white)
        shifted = colored_noise_limits.fast(neuron)
        # what the shift leaves out is of the order tau_S/tau
        assert shifted == pytest.approx(found.rate, rel=0.4 * tau / 0.02 + found.error)
    assert distance[0] / distance[1] == pytest.approx(2, abs=0.12)
    assert distance[1] / distance[2] == pytest.approx(2, abs=0.12)


def test_equal_time_constants_make_one_fluctuation_of_two_currents():
    both = plain(jumps=(lambda v: 4e-4 + 0 * v, lambda v: -6e-5 + 0 * v), taus=(0.003, 0.003))
    three, two = colored_noise.solve(both), colored_noise.solve(both, dimensions=2)
    assert three.rate == two.rate


def test_which_train_is_called_excitatory_does_not_matter():
    neuron = plain()
    swapped = plain(jumps=neuron.jumps[::-1], rates=neuron.rates[::-1], taus=neuron.taus[::-1])
    one, other = colored_noise.solve(neuron), colored_noise.solve(swapped)
    assert one.rate == pytest.approx(other.rate, rel=one.error + other.error)


def test_time_units_scale_out():
    neuron = plain()
    slow = plain(
        leak=lambda v: neuron.leak(v) / 10,
        rates=tuple(R / 10 for R in neuron.rates),
        taus=tuple(10 * tau for tau in neuron.taus),
        tau_rp=10 * neuron.tau_rp,
    )
    fast = colored_noise.solve(neuron)
    assert 10 * colored_noise.solve(slow).rate == pytest.approx(fast.rate, rel=1e-6)


def test_a_current_that_stands_still_modulates_a_clock():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for tau in (50, 200):
            neuron = conductance(20, 10, tau, tau, **WEAK)
            clock = colored_noise_limits.adiabatic(neuron)
            assert clock == pytest.approx(colored_noise.solve(neuron).rate, rel=0.05)


def test_currents_that_go_on_while_v_is_held():
    """Refractory times of the order of those of the synapses."""
    one = {"E_L": -75.78, "E_E": 2.43, "E_I": -81.78, "theta": -46.19, "V_r": -61.98}
    many = {"E_L": -78.3, "E_E": 7.02, "E_I": -85.1, "theta": -48.97, "V_r": -66.47}
    cases = (
        (one, {"K": 51, "gamma": 0.998, "g": 8.383, "a": 0.08165}, 23.03, 5.46, 267.1, 39.6),
        (many, {"K": 570, "gamma": 1.169, "g": 9.104, "a": 0.03287}, 28.1, 9.9, 29.27, 4.056),
    )
    for volts, numbers, tau_L, tau_S, r_E, r_I in cases:
        params = cbnet.load("conductance").replace(
            **{name: value * mV for name, value in volts.items()},
            **numbers,
            tau_L=tau_L * ms,
            tau_rp=10 * ms,
            tau_S=tau_S * ms,
        )
        slow, exact = (
            cbnet.respond(params, r_E=r_E * Hz, r_I=r_I * Hz, noise=noise)
            for noise in ("adiabatic", "colored")
        )
        assert float(slow.rate) == pytest.approx(float(exact.rate), rel=0.06)


@pytest.mark.parametrize(
    ("noise", "inside", "outside", "off"),
    [
        ("fast", (WEAK, 20, 16, 0.5), (STRONG, 10, 18, 0.5), 0.08),
        ("shift", (WEAK, 20, 16, 0.5), (STRONG, 10, 18, 0.5), 0.1),
        ("rice", (WEAK, 20, 16, 5), (WEAK, 20, 16, 0.5), 0.15),
        ("rescaled", (WEAK, 100, 60, 10), (MIDDLE, 20, 16, 1), 0.05),
        ("adiabatic", (WEAK, 100, 80, 10), (WEAK, 20, 16, 1), 0.05),
    ],
)
def test_approximations_know_their_range(noise, inside, outside, off):
    rate = getattr(colored_noise_limits, noise)
    changes, r_E, r_I, tau = inside
    neuron = conductance(r_E, r_I, tau, tau, **changes)
    assert rate(neuron) == pytest.approx(colored_noise.solve(neuron).rate, rel=off)
    changes, r_E, r_I, tau = outside
    neuron = conductance(r_E, r_I, tau, tau, **changes)
    with pytest.warns(CbnetWarning, match=f"'{noise}' outside of its range; it is good for"):
        wrong = rate(neuron)
    assert abs(wrong / colored_noise.solve(neuron).rate - 1) > off


def test_formulas_state_the_error_of_their_range_or_that_there_is_none():
    params = cbnet.load("conductance").replace(**WEAK, tau_S="0.5ms")
    with pytest.warns(CbnetWarning) as caught:
        found = cbnet.respond(params, r_E=[20, 2, 1] * Hz, r_I=16 * Hz, noise="fast")
    assert len(caught) == 1
    assert found.error == pytest.approx([colored_noise_limits.WITHIN["fast"], np.inf, np.inf])
    assert found.noise == "fast (outside of its range at 2 of 3 inputs: error not known)"
    network = cbnet.solve(cbnet.load("current").replace(tau_S="1ms"), noise="fast")
    # the feedback makes an error of the response less than that in the rate
    assert 1e-3 < network.error < colored_noise_limits.WITHIN["fast"]
    assert "undefined" in repr(network) and network.to_dict()["fixed_points"][0]["cv_E"] is None


@pytest.mark.filterwarnings("ignore:density. the shares of bins")
@pytest.mark.parametrize("k", [2, 9, 20, 43, 51])
def test_the_density_is_one_and_has_the_moments(k):
    neuron = membrane(colored_reference.POINTS[k])
    found = colored_noise.solve(neuron)
    v = np.linspace(neuron.threshold - 0.06, neuron.threshold, 60_001)
    p = colored_noise.density(neuron, v)
    step = v[1] - v[0]
    # outside the refractory time it is a density; of all time it has the part that is free
    assert np.sum(p) * step == pytest.approx(1, abs=5e-3)
    assert np.sum(p * v) * step == pytest.approx(found.v_mean, abs=1e-4)
    spread = np.sqrt(np.sum(p * (v - found.v_mean) ** 2) * step)
    assert spread == pytest.approx(found.v_sd, rel=found.error + 1e-2)
    assert colored_noise.density(neuron, np.array([neuron.threshold + 1e-3]))[0] == 0


def test_without_noise():
    silent = colored_noise.solve(plain(rates=(0.0, 0.0)))
    assert silent.rate == 0 and np.isnan(silent.cv)
    assert silent.v_mean == pytest.approx(-0.065, abs=1e-9)
    clock = colored_noise.solve(plain(leak=lambda v: -(v + 0.05) / 0.02, rates=(0.0, 0.0)))
    assert clock.rate == pytest.approx(1 / (0.002 + 0.02 * np.log(15 / 5)), rel=1e-6)
    with pytest.raises(ParameterError, match="^density: got a neuron at rest without noise"):
        colored_noise.density(plain(rates=(0.0, 0.0)), np.array([-0.06]))


def test_a_neuron_that_never_fires_has_the_free_membrane():
    found = colored_noise.solve(plain(threshold=-0.03))
    assert found.rate == 0 and np.isnan(found.cv)
    assert "1e-6 Hz" in found.note
    # additive noise alone has moments in closed form
    tau, tau_S = 0.02, 0.002
    additive = plain(threshold=-0.03, rates=(2000.0, 0.0))
    found = colored_noise.solve(additive)
    variance = 2000 * (4e-4) ** 2 / (2 * tau_S) * tau**2 * tau_S / (tau + tau_S)
    assert found.rate == 0
    assert found.v_mean == pytest.approx(-0.065 + tau * 0.8, abs=2e-5)
    assert found.v_sd == pytest.approx(np.sqrt(variance), rel=1e-6) and found.error < 1e-6


def test_a_membrane_held_far_below_has_its_mean_and_sd():
    jumps = (lambda v: 4e-4 + 0 * v, lambda v: -8e-4 + 0 * v)
    found = colored_noise.solve(plain(rates=(1e6, 1e9), taus=(0.005, 0.005), jumps=jumps))
    tau, tau_S = 0.02, 0.005
    assert found.v_mean == pytest.approx(-0.065 - tau * (8e5 - 4e2), rel=1e-6)
    variance = (1e9 * 8e-4**2 + 1e6 * 4e-4**2) / 2 * tau**2 / (tau + tau_S)
    assert found.v_sd == pytest.approx(np.sqrt(variance), rel=1e-6)


def test_linear_response_is_as_good_as_it_says():
    """Of conductances that fluctuate by much: the grid, where it is fine enough, agrees."""
    neuron = conductance(1, 2, 5, 5, K=1000, g=12, a=0.003)
    free, solved = colored_noise._linear(neuron), colored_noise.solve(neuron)
    assert solved.rate == 0 and solved.error < 0.01 < free.error < 0.3
    assert free.v_sd == pytest.approx(solved.v_sd, rel=free.error)


def test_too_few_arrivals_are_refused_with_the_best_estimate():
    with pytest.raises(ConvergenceError, match="^(tau_S|rtol): got") as caught:
        colored_noise.solve(plain(rates=(800.0, 3.0), taus=(0.005, 0.005)), rtol=1e-3)
    best = caught.value.best
    assert best.rate > 0 and 1e-3 < best.error < 0.05


# A reset next to the threshold and inhibition that carries v far down: potentials in mV, times in
# ms, inputs in Hz; simulated with benchmarks.filtered_paths (seed 11) rate, CV, mean and sd of v
# with their standard errors.
WELLS = {
    "leaky": (
        Simulated(
            *("lif", "current", "linear"),
            {
                **dict(E_L=-76.52870848106984, tau_L=21.123879012917673, tau_rp=0.52804551661972),
                **dict(theta=-50.55354833151541, V_r=-50.700623200568415),
                **dict(E_E=-10.870751293451919, E_I=-80.00201757117503),
                **dict(V_match=-48.86016733752706, K=1234, gamma=0.543482707463605),
                **dict(g=4.286778937666259, r_E=2.4555128515497597, r_I=0.285894216673),
                **dict(a=0.04413165282264156, tau_E=0.31971240709971, tau_I=0.31971240709971),
            },
        ),
        [(1198.08, 1.07), (1.0167, 0.0026), (-52.646, 0.008), (2.832, 0.012)],
    ),
    "exponential": (
        Simulated(
            *("eif", "current", "linear"),
            {
                **dict(E_L=-79.65166388815017, tau_L=18.229318349636436, tau_rp=6.82598775473577),
                **dict(Delta_T=0.5531748197232867, V_T=-59.53391433094133),
                **dict(theta=-56.06043875603308, V_r=-56.53732178782001),
                **dict(E_E=-0.8022252690656355, E_I=-93.53188347008538),
                **dict(V_match=-54.45458007810158, K=458, gamma=0.9970302995066891),
                **dict(g=1.133824430952086, r_E=3.990565898132508, r_I=2.65815476143),
                **dict(a=0.09089007113189972, tau_E=0.49727893802378, tau_I=0.80339126321573),
            },
        ),
        [(140.787, 0.033), (0.1956, 0.0014), (-63.596, 0.037), (7.439, 0.044)],
    ),
    "rare": (
        Simulated(
            *("lif", "current", "linear"),
            {
                **dict(E_L=-67.5506107690024, tau_L=27.2087525983314, tau_rp=0.21254635833878),
                **dict(theta=-41.220760877506095, V_r=-41.34329206894967),
                **dict(E_E=-3.9882066665198088, E_I=-58.48462789243931),
                **dict(V_match=-42.41407736255055, K=94, gamma=0.20870315064906),
                **dict(g=0.36529948911425664, r_E=2.091892128989426, r_I=47.3178734431),
                **dict(a=0.1832885902724869, tau_E=0.43875209487016, tau_I=0.16768534215726),
            },
        ),
        [(68.14, 0.43), (3.891, 0.014), (-59.336, 0.035), (9.801, 0.015)],
    ),
}


@pytest.mark.parametrize(
    "name", ["leaky", "exponential", pytest.param("rare", marks=pytest.mark.slow)]
)
def test_a_reset_at_the_threshold_above_a_deep_well(name):
    """Slow: few arrivals within a time constant take ten grids, some seconds."""
    neuron, simulated = WELLS[name]
    found = respond(neuron, noise="colored")
    error = float(found.error)
    assert error < 0.2
    for answer, unit, scale, (right, sem) in zip(
        (found.rate, found.cv, found.V_mean, found.V_sd),
        (1, 1, 1e3, 1e3),
        (simulated[0][0], max(simulated[1][0], 0.2), simulated[3][0], simulated[3][0]),
        simulated,
        strict=True,
    ):
        assert abs(float(answer) * unit - right) < error * scale + 3 * sem


def test_the_density_in_a_deep_well():
    """Shares of time and their standard errors, from the same simulation.

    Theory says by how much the share of a narrow bin may be off; those of wide ones are off by less
    than 3 %.
    """
    neuron, _ = WELLS["exponential"]
    at = np.array([-150, -80, -70, -65, -62, -60, -59, -58])
    shares = [0.0393, 0.1338, 0.1580, 0.1438, 0.1201, 0.0652, 0.0653]
    sems = [9e-4, 14e-4, 7e-4, 6e-4, 6e-4, 4e-4, 4e-4]
    v = np.linspace(-150, -56.06, 40_001)
    found = respond(neuron, noise="colored")
    with pytest.warns(CbnetWarning, match=r"density: the shares of bins may be off by \d+\.\d%"):
        p = np.asarray(found.density(v * mV)) * 1e-3
    up_to = np.concatenate([[0], np.cumsum((p[1:] + p[:-1]) / 2 * np.diff(v))])
    got = np.diff(np.interp(at, v, up_to))
    assert up_to[-1] == pytest.approx(1, abs=3e-3)
    for share, right, sem in zip(got, shares, sems, strict=True):
        assert abs(share - right) < 0.03 * right + 3 * sem


def test_a_well_without_a_bottom_is_refused():
    """A leak that does not pull v back, and a mean input that carries it down: no stationary v."""
    drifting = plain(
        leak=lambda v: 0 * v,
        jumps=(lambda v: 4e-4 + 0 * v, lambda v: -4e-4 + 0 * v),
        rates=(2000.0, 2100.0),
    )
    with pytest.raises(ConvergenceError, match="^rtol: got"):
        colored_noise.solve(drifting)


@pytest.mark.parametrize(
    ("tau", "rate", "cv", "v_sd", "rtol"),
    [(0.001, 162.04, 0.4784, 3.521, 0.02), (0.1, 156.12, 0.4816, 3.505, 0.04)],
)
def test_few_arrivals_lie_between_finite_jumps_and_longer_time_constants(tau, rate, cv, v_sd, rtol):
    """Simulated from arrival to arrival, 0.1 % in rate and CV, 0.2 % in v_sd."""
    params = cbnet.load("conductance").replace(K=20, a=0.06, g=5, tau_S=tau * ms)
    found = cbnet.respond(params, r_E=60 * Hz, r_I=40 * Hz, rtol=rtol)
    assert "between finite jumps and longer time constants" in found.noise
    error = float(found.error)
    assert 1e-3 < error < rtol
    assert float(found.rate) == pytest.approx(rate, rel=error + 3e-3)
    assert float(found.cv) == pytest.approx(cv, rel=error + 3e-3)
    assert float(found.V_sd / mV) == pytest.approx(v_sd, rel=error + 6e-3)


def test_a_rate_too_low_for_the_grid_is_given_in_words():
    params = cbnet.load("conductance").replace(**WEAK, tau_S=5 * ms)
    found = cbnet.respond(params, r_E=20 * Hz, r_I=30 * Hz)
    assert float(found.rate) == 0
    assert "a rate below 1e-6 Hz given as 0" in found.noise


@pytest.mark.parametrize(("model", "nu_X"), [("conductance", 13.0), ("current", 13.0)])
def test_inhibition_that_hardly_ever_arrives_has_the_effect_of_single_jumps(model, nu_X):
    """Continued to instantaneous synapses by the root of the time constant."""

    def effect(noise, tau, rtol):
        neuron = Neuron(cbnet.load(model).replace(tau_S=tau), "E", noise)
        r_E, rates = np.array([nu_X]), []
        for r_I in (0.0, 0.1):
            rates.append(neuron.passage(r_E, np.array([r_I]), rtol, cv=False))
        return np.log(rates[1].rate[0] / rates[0].rate[0]), rates[1].error[0]

    exact, _ = effect("shot", 0 * ms, 1e-5)
    (near, error), (far, _) = (effect("colored", tau * ms, 0.2) for tau in (0.25, 1.0))
    assert 2 * near - far == pytest.approx(exact, rel=0.05)
    # a twentieth of it is the error where a grid cannot resolve the arrivals
    assert 0.045 * abs(near) < error < 0.15


@pytest.mark.parametrize(
    ("changes", "noisy"),
    [
        ({"K": 400, "tau_S": 2 * ms, "nu_X": 12 * Hz}, False),
        ({"tau_S": 1 * ms, "nu_X": 13 * Hz}, True),
        ({"tau_S": 5 * ms, "nu_X": 13 * Hz}, True),
    ],
)
def test_networks_near_silence_have_one_state(changes, noisy):
    found = cbnet.solve(cbnet.load("conductance").replace(**changes), noise="colored")
    assert found.stable.tolist() == [True] and found.error < 1e-2
    assert (0.01 < float(found.rate_E[0]) < 0.5) if noisy else found.rate_E[0] == 0 * Hz


@pytest.mark.slow
@given(
    model=st.sampled_from(["conductance", "current"]),
    r_E=st.sampled_from([0.0, 0.1, 1.0]) | st.floats(2, 100),
    balance=st.just(0.0) | st.floats(0.05, 2),
    strength=st.floats(-4, -1.7),
    g=st.floats(2, 25),
    log_K=st.floats(1.5, 6),
    log_tau=st.tuples(st.floats(-1, 1.5), st.floats(-1, 1.5)),
)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_any_neuron_gets_a_rate_or_a_named_error(model, r_E, balance, strength, g, log_K, log_tau):
    """Slow: unusual parameters take the finer grids, a few seconds each."""
    K = int(10**log_K)
    a = min(10**strength, 10**strength * np.sqrt(1000 / K))
    point = (model, {"K": K, "a": a, "g": g}, r_E, balance * r_E, *(10**x for x in log_tau))
    with np.errstate(all="raise", under="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            found = colored_noise.solve(membrane(point))
        except ConvergenceError as error:
            assert isinstance(error.best, colored_noise.Firing)
            return
    assert 0 <= found.rate <= 1 / 0.002
    if found.rate > 0:
        assert found.error <= colored_noise.RTOL
    else:  # no spikes for certain: what is stated is the error of v, however large
        assert np.isfinite(found.error)
    assert np.isfinite([found.v_mean, found.v_sd]).all() and found.v_sd >= 0
    assert found.v_mean < -0.055
    assert np.isnan(found.cv) if found.rate == 0 else found.cv >= 0


def test_filters_choose_the_colored_theory():
    params = cbnet.load("conductance").replace(**WEAK, tau_S="1ms")
    found = cbnet.respond(params, r_E=[20, 100] * Hz, r_I=[16, 80] * Hz)
    assert found.noise == "colored"
    assert np.all(found.error <= 1e-2)
    np.testing.assert_allclose(np.asarray(found.rate), [13.64, 205.97], rtol=0.01)
    with pytest.raises(ParameterError, match="^noise: got 'colored' with instantaneous synapses"):
        cbnet.respond(cbnet.load("conductance"), noise="colored")


@pytest.mark.parametrize("r_E", [1e-9, 1e-7, 1e-6])
def test_arrivals_too_rare_to_meet_make_no_spike(r_E):
    found = cbnet.respond(cbnet.load("conductance").replace(tau_S="2ms"), r_E * Hz, 0 * Hz)
    assert found.rate == 0 and found.error < 1e-2
    assert float(found.V_mean) == pytest.approx(-0.080, abs=1e-6)


def test_rare_arrivals_leave_a_neuron_alone_that_its_leak_makes_fire():
    params = cbnet.load("conductance").replace(tau_S="2ms", E_L="-40mV")
    found = cbnet.respond(params, 1e-5 * Hz, 0 * Hz)
    alone = 1 / (0.002 + 0.020 * np.log(25 / 15))
    assert float(found.rate) == pytest.approx(alone, rel=float(found.error) + 1e-6)
    assert float(found.error) < 1e-2


def test_a_shift_beyond_the_reversal_potential_is_said():
    params = cbnet.load("conductance").replace(
        K=774, a=0.8, g=1.9, gamma=1.6, tau_L="0.6ms", theta="-22mV", V_r="-23mV", tau_S="60ms"
    )
    with pytest.warns(CbnetWarning, match="'fast' outside of its range"):
        found = cbnet.respond(params, 1 * Hz, 0 * Hz, noise="fast")
    assert found.rate == 0 and np.isinf(found.error)


def test_rare_inhibition_does_not_hide_that_the_leak_makes_a_neuron_fire():
    """Its mean lies below the threshold, and v mostly above."""
    params = cbnet.load("conductance").replace(tau_S="2ms", E_L="-54mV", K=100, g=100, a=0.005)
    found = cbnet.respond(params, 0 * Hz, 0.4 * Hz, rtol=0.1)
    assert float(found.mu) < float(params.theta)
    assert float(found.rate) > 1


def test_threshold_and_reset_shifted_alike():
    """Of a current neuron, in closed form; the CV is that of white noise between the two."""
    params = cbnet.load("current").replace(
        tau_L=10 * ms, E_L=-65 * mV, theta=-50 * mV, V_r=-65 * mV, tau_S=0.5 * ms, K=1000,
        J_E=0.15 * mV, J_I=0.225 * mV, r_E=12.5 * Hz, r_I=8.4 * Hz,
    )  # fmt: skip
    tau, J, R = 0.01, np.array([0.15e-3, 0.225e-3]), np.array([12_500.0, 2100.0])
    mu, B2 = -0.065 + tau * (R[0] * J[0] - R[1] * J[1]), R @ J**2
    up = colored_noise_limits.ALPHA / 2 * np.sqrt(B2 * 0.5e-3)
    ends = -0.05 + up, -0.065 + up
    white = first_passage.solve(lambda v: -(v - mu) / tau, lambda v: B2 + 0 * v, *ends, 2e-3, 1e-9)
    found = cbnet.respond(params, noise="shift")
    assert float(found.rate) == pytest.approx(white.rate[0], rel=1e-6)
    assert float(found.cv) == pytest.approx(white.cv[0], rel=1e-6)
    # the reset of "fast" has nearly forgotten its shift
    assert float(cbnet.respond(params, noise="fast").rate) < 0.995 * float(found.rate)
