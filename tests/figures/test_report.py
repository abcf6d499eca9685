"""Verdicts: what must pass passes, what must fail fails, and what is too noisy decides nothing."""

import json
import math
import re

import numpy as np
import pytest
import xarray as xr
from cbnet.figures.claims import beyond, networks, one_neuron, page
from cbnet.figures.claims import verdicts as v
from cbnet.figures.claims.claims import Claim, Outcome, judge
from cbnet.figures.claims.verdicts import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Number

from cbnet.cli import report

CLAIMS = {c.key: c for c in (*one_neuron.CLAIMS, *networks.CLAIMS, *beyond.CLAIMS)}
NOTHING = Number(math.nan, math.nan)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (Number(0.5), SUPPORTED),
        (Number(1.5), NOT_SUPPORTED),
        (Number(0.5, 0.1), SUPPORTED),
        (Number(1.5, 0.1), NOT_SUPPORTED),
        (Number(0.9, 0.1), UNDECIDED),
        (Number(1.1, 0.1), UNDECIDED),
        (NOTHING, UNDECIDED),
        (Number(0.5, math.nan), UNDECIDED),
    ],
)
def test_at_most_one(number, expected):
    assert v.at_most(number, 1.0) == expected
    assert v.at_least(Number(-number.value, number.sem), -1.0) == expected


def test_an_interval_has_two_ends():
    assert v.between(Number(0.5, 0.01), 0, 1) == SUPPORTED
    assert v.between(Number(-0.5, 0.01), 0, 1) == NOT_SUPPORTED
    assert v.between(Number(1.5, 0.01), 0, 1) == NOT_SUPPORTED
    assert v.between(Number(0.01, 0.01), 0, 1) == UNDECIDED


def test_numbers_agree_within_three_standard_errors():
    assert v.agree(Number(1.0, 0.1), Number(1.25)) == SUPPORTED
    assert v.agree(Number(1.0, 0.1), Number(1.35)) == NOT_SUPPORTED
    assert v.agree(Number(1.0, 0.1), Number(1.35), tolerance=0.1) == SUPPORTED
    # an error that would hide anything is no agreement
    assert v.agree(Number(1.0, 5.0), Number(1.2)) == UNDECIDED
    assert v.agree(NOTHING, Number(1.0)) == UNDECIDED


def test_one_failure_decides():
    assert v.every(SUPPORTED, SUPPORTED) == SUPPORTED
    assert v.every(SUPPORTED, UNDECIDED) == UNDECIDED
    assert v.every(UNDECIDED, NOT_SUPPORTED, SUPPORTED) == NOT_SUPPORTED
    assert v.every() == UNDECIDED


def test_exponents_and_their_errors():
    x = np.array([1.0, 10.0, 100.0])
    assert v.exponent(x, 3 * x**-0.25).value == pytest.approx(-0.25, abs=1e-12)
    # equal relative errors e on decades: the slope has e / √(Σ (ln x − mean)²)
    found = v.exponent(x, x**0.5, 0.01 * x**0.5)
    assert found.value == pytest.approx(0.5, abs=1e-12)
    assert found.sem == pytest.approx(0.01 / math.sqrt(2 * math.log(10) ** 2))
    rng = np.random.default_rng(1)
    slopes = [v.exponent(x, x * np.exp(0.01 * rng.standard_normal(3))).value for _ in range(2000)]
    # 2000 draws know a standard deviation to 1/√4000
    assert np.std(slopes) == pytest.approx(found.sem, rel=4 / math.sqrt(4000))
    assert not v.exponent(x, [1.0, -1.0, math.nan]).known
    for unknown in (math.nan, 0.0):  # the error of one point: that of the exponent is not known
        found = v.exponent(x, x**0.5, [0.01, unknown, 0.01])
        assert math.isfinite(found.value) and not found.known
        assert v.at_most(found, 1.0) == UNDECIDED


def test_where_a_line_crosses():
    found = v.crossing([0.0, 0.1, 0.2], [0.0, 0.05, 0.15], 0.1, [0.0, 0.01, 0.01])
    assert found.value == pytest.approx(0.15)
    assert found.sem == pytest.approx(math.hypot(0.005, 0.005) / 1.0)
    assert not v.crossing([0.0, 0.1], [0.0, 0.05], 0.1).known


def test_ratios():
    found = v.ratio(Number(2.0, 0.2), Number(4.0, 0.4))
    assert found.value == 0.5
    assert found.sem == pytest.approx(0.5 * math.hypot(0.1, 0.1))
    assert not v.ratio(Number(1.0), Number(0.0)).known


def strong_coupling(
    exponent=-0.25,
    simulated=None,
    rate=1e-4,
    cv_above=0.05,
    held=0.0,
    error=0.01,
    runs_away=0.5,
    cv_held=0.9,
    waited=1e-6,
):
    """What the figure would store, with these exponents of the voltage sd."""
    K, K_exact = 10.0 ** np.arange(2, 10), np.array([1e2, 1e3, 1e4, 1e5])
    names = [one_neuron.CONDUCTANCE, one_neuron.HELD, one_neuron.UNTUNED, one_neuron.ABOVE]
    found = exponent if simulated is None else simulated
    powers, powers_exact = ([e, held, 0.0, e] for e in (exponent, found))
    sd = np.array([K**p for p in powers])
    sd_exact = np.array([K_exact**p for p in powers_exact])
    mean, mean_exact = (
        np.array([-60 + 0 * x, -60 + 0 * x, -80 - x**runs_away, -50 + 0 * x]) for x in (K, K_exact)
    )
    cv = np.array([0.9, cv_held, np.nan, cv_above])[:, None]
    rates = np.array([rate, 10.0, 0.0, 400.0])[:, None]

    def exact(values):
        return (("condition", "K_exact"), np.broadcast_to(values, (4, len(K_exact))))

    def theory(values):
        return (("condition", "K"), np.broadcast_to(values, (4, len(K))))

    return xr.Dataset(
        {
            "V_sd_theory": theory(sd),
            "V_sd_exact": exact(sd_exact),
            "V_sd_sem_exact": exact(error * sd_exact),
            "V_mean_theory": theory(mean),
            "V_mean_exact": exact(mean_exact),
            "V_mean_sem_exact": exact(0.01),
            "rate_theory": theory(rates),
            "rate_exact": exact(rates),
            "rate_sem_exact": exact(0.01 * rates + waited),
            "cv_theory": theory(cv),
            "cv_exact": exact(cv),
            "cv_sem_exact": exact(error / 2),
            "cv_stepped": ("K_exact", cv_held + 0 * K_exact),
            "cv_stepped_sem": ("K_exact", error + 0 * K_exact),
        },
        {"condition": names, "K": K, "K_exact": K_exact},
    )


def scaling(kept=5.0, cv=0.9, log_cv=0.9, sqrt_rate=0.01, error=0.02, slope=1.0, bend=1.3):
    """Four laws at two in-degrees; `slope` and `bend` are those of large K, over their limits."""
    r_E, K = [10.0, 20.0, 50.0], [1e3, 1e5]
    rate = np.array([sqrt_rate, 1.0, 100.0, kept])
    cvs = np.array([0.9, 0.9, log_cv, cv])
    shape = (2, 4, 2, 3)
    rate, cvs = (np.broadcast_to(x[None, :, None, None], shape) for x in (rate, cvs))
    lines, seen = ("model", "law", "K", "r_E"), ("model", "law", "K", "r_E_exact")
    C, large = 0.004, 10.0 ** np.arange(9, 13)
    return xr.Dataset(
        {
            "rate": (lines, rate),
            "cv": (lines, cvs),
            "rate_exact": (seen, rate),
            "rate_sem_exact": (seen, error * rate),
            "cv_exact": (seen, cvs),
            "cv_sem_exact": (seen, error + 0 * cvs),
            "slope": ("K_diffusion", slope * C + 0 * large),
            "slope_theory": ("K_diffusion", C + 0 * large),
            "a_diffusion": ("K_diffusion", bend * C / np.log(large)),
            "C_diffusion": ((), C),
        },
        {"model": ["conductance", "current"], "law": ["sqrt", "inverse", "log", "preserving"]}
        | {"K": K, "r_E": r_E, "r_E_exact": r_E, "K_diffusion": large},
    )


def network_response(
    cv=0.8, lost=None, rate=50.0, fano=8.0, error=0.01, power=-0.2, mu=-57.0, away=2.0
):
    """Two in-degrees, three inputs; `lost`: an input at which no CV was measured.

    `away`: rate at the larger in-degree over that at the smaller one.
    """
    inputs, K = [20.0, 45.0, 80.0], np.array([400.0, 4000.0])
    shape = (2, 2, 2, 3)
    dims = ("model", "scaling", "K")
    rate = np.broadcast_to(rate * np.array([1, away])[:, None], shape)
    sd = np.broadcast_to((2 * (K / 400) ** power)[None, None, :, None], shape)
    cvs = np.full(shape, cv)
    if lost is not None:
        cvs[..., lost] = np.nan

    def theory(values):
        return ((*dims, "nu_X", "branch"), np.broadcast_to(values, shape)[..., None])

    def seen(values):
        return ((*dims, "nu_X_simulated"), np.broadcast_to(values, shape))

    return xr.Dataset(
        {
            "rate_E_theory": theory(rate),
            "cv_E_theory": theory(cv),
            "V_sd_theory": theory(sd),
            "mu_theory": ((*dims, "nu_X"), np.full(shape, mu)),
            "rate_E": seen(rate),
            "rate_E_sem": seen(error * rate),
            "balance_line": ("nu_X", [15.0, 34.0, 60.0]),
            "cv_E": seen(cvs),
            "cv_E_sem": seen(np.where(np.isfinite(cvs), error, np.nan)),
            "V_sd": seen(sd),
            "V_sd_sem": seen(error * sd),
            "fano_1ms": seen(fano),
            "fano_1ms_sem": seen(error * fano),
            "mu": seen(mu),
            "broad_cv_E_theory": ("nu_X_simulated", np.full(3, cv)),
            "broad_cv_E": ("nu_X_simulated", cvs[1, 0, -1]),
            "broad_cv_E_sem": (
                "nu_X_simulated",
                np.where(np.isfinite(cvs[1, 0, -1]), error, np.nan),
            ),
            "broad_rate_E": ("nu_X_simulated", np.full(3, 20.0)),
            "broad_fano_1ms": ("nu_X_simulated", np.full(3, fano)),
            "broad_fano_1ms_sem": ("nu_X_simulated", np.full(3, error * fano)),
            "broad_mode_growth": ("nu_X_simulated", np.full(3, -1.0)),
            "mode_growth": (("model", "scaling", "nu_X_simulated"), np.full((2, 2, 3), -20.0)),
            "mode_frequency": (("model", "scaling", "nu_X_simulated"), np.full((2, 2, 3), 80.0)),
        },
        {"model": ["conductance", "current"], "scaling": ["sqrt", "log"], "K": K}
        | {"nu_X": inputs, "nu_X_simulated": inputs},
    )


def drift_diffusion(net=0.1, power=-0.5, drift=0.5, opposed=2.0, error=0.01):
    """Currents whose relative fluctuations go as a power of K, and the shares of the rate."""
    K = np.array([400.0, 1000.0, 4000.0])
    cases, currents = ["conductance, log", "current, sqrt"], ["E", "I", "net"]
    mean = np.broadcast_to(np.array([1.0, net - 1, net]), (2, 3, 3)) * np.sqrt(K)[None, :, None]
    sd = np.abs(mean) * (K**power)[None, :, None]
    dims = ("case", "K", "current")
    found = {}
    for kind in ("theory", "simulation"):
        found[f"current_mean_{kind}"] = (dims, mean)
        found[f"current_sd_{kind}"] = (dims, sd)
        found[f"drift_{kind}"] = (dims[:2], np.full((2, 3), drift))
        found[f"opposed_{kind}"] = (dims[:2], np.full((2, 3), opposed))
    for name in ("drift", "opposed"):
        found[f"{name}_sem_simulation"] = (dims[:2], np.full((2, 3), error))
    found["current_mean_sem_simulation"] = (dims, error * np.abs(mean))
    found["current_sd_sem_simulation"] = (dims, error * sd)
    settings = json.dumps({"seeds": [4, 5, 6]})
    coordinates = {"case": cases, "K": K, "current": currents}
    return xr.Dataset(found, coordinates, {"settings": settings})


def heterogeneity(conductance=0.3, current=0.1, error=0.01, cv=0.4, loses=2.0, spread=4.0):
    """Shares of silent neurons that grow from 0 to 20 % at twice these CV_K.

    Equal in-degrees have a CV of 0.8, unequal ones at the largest K `cv`; at the smallest K they
    lose less of it by a factor of `loses`.
    """
    x = np.linspace(0, 0.8, 81)
    shares = {"conductance": conductance, "current": current}
    silent = np.array([[[np.clip(0.1 * x / shares[m], 0, 1)]] for m in shares])
    silent = np.broadcast_to(silent, (2, 2, 2, 81))
    lost = np.array([(0.8 - cv) / loses, 0.8 - cv])[:, None] * (x > 0)
    cvs = np.broadcast_to(0.8 - lost, silent.shape)
    found = {}
    for dims, suffix in ((("K", "CV_K"), "_theory"), (("K_simulated", "CV_K_simulated"), "")):
        dims = ("model", "scaling", *dims)
        values = {"quiet": silent, "silent": silent, "rate_cv": spread * silent, "cv": cvs}
        found |= {name + suffix: (dims, value) for name, value in values.items()}
    found |= {f"{name}_sem": (dims, 0 * silent + error / 10) for name in ("quiet", "rate_cv", "cv")}
    coordinates = {"model": list(shares), "scaling": ["sqrt", "log"], "K": [1e3, 1e5]}
    coordinates |= {"K_simulated": [1e3, 1e4], "CV_K": x, "CV_K_simulated": x}
    seen = ("model", "scaling", "K_simulated", "CV_K_simulated")
    found |= {name: (seen, 0 * silent + 10.0) for name in ("rate", "fano")}
    found["seconds"] = ("K_simulated", [1.0, 1.0])
    return xr.Dataset(found, coordinates)


def synaptic_time_constants(
    filtered=0.1, instant=10.0, current=10.0, tau=-0.5, a=-0.5, there=1.5, left=0.3, error=0.01
):
    """Rates at the largest input over those at the smallest, and powers of the critical input.

    `left`: of the sd of the conductance neuron's voltage; the current neuron keeps 0.9.
    """
    sd = np.broadcast_to(np.array([[1.0, left], [1.0, 0.9]])[..., None], (2, 2, 2))
    last = np.array([[instant, filtered], [instant, current]])
    rate = np.stack([np.ones_like(last), last], -1)
    taus, efficacies = np.array([1.0, 2.0, 4.0]), np.array([0.005, 0.01])
    critical = efficacies[:, None] ** a * taus**tau
    lines = ("model", "tau_S", "r_E")
    grid = ("a", "tau_critical")
    return xr.Dataset(
        {
            "rate_theory": (lines, rate),
            "rate": ((*lines[:2], "r_E_simulated"), rate),
            "rate_sem": ((*lines[:2], "r_E_simulated"), error * rate),
            "V_sd_theory": (lines, sd),
            "V_sd": ((*lines[:2], "r_E_simulated"), sd),
            "V_sd_sem": ((*lines[:2], "r_E_simulated"), error * sd),
            "r_E_critical": (grid, critical),
            "r_E_critical_seen": (grid, critical),
            "r_E_critical_seen_sem": (grid, 3 * error * critical),
            "tau_eff_critical_seen": (grid, np.broadcast_to(there * taus, critical.shape)),
            "tau_eff_critical_seen_sem": (grid, np.broadcast_to(error * taus, critical.shape)),
            "tau_eff_critical": (grid, np.broadcast_to(there * taus, critical.shape)),
        },
        {"model": ["conductance", "current"], "tau_S": [0.0, 2.0], "r_E": [20.0, 100.0]}
        | {"r_E_simulated": [20.0, 100.0], "a": efficacies, "tau_critical": taus},
    )


def network_time_constants(low=0.8, high=0.3, ratio=0.5, error=0.01):
    """CVs of conductance networks at two inputs; `ratio`: their filtered sd over the other."""
    cv = np.array([low, high])
    sd = np.array([[1.0, ratio], [1.0, 0.9]])
    dims = ("model", "tau_S", "nu_X_simulated")
    return xr.Dataset(
        {
            "cv_E": (dims, np.broadcast_to(cv, (2, 2, 2))),
            "rate_E": (dims, np.full((2, 2, 2), 50.0)),
            "fano_1ms": (dims, np.full((2, 2, 2), 10.0)),
            "cv_E_sem": (dims, np.full((2, 2, 2), error)),
            "cv_E_theory": (("model", "tau_S", "nu_X"), np.broadcast_to(cv, (2, 2, 2))),
            "V_sd": (dims, np.repeat(sd[..., None], 2, -1)),
            "V_sd_theory": (("model", "tau_S", "nu_X"), np.repeat(sd[..., None], 2, -1)),
            "V_sd_sem": (dims, np.full((2, 2, 2), error)),
        },
        {"model": ["conductance", "current"], "tau_S": [0.0, 5.0], "nu_X": [20.0, 90.0]}
        | {"nu_X_simulated": [20.0, 90.0]},
    )


def predictions(last=0.5, theory=None, error=0.001, exponents=(3.0, 1.0)):
    """Every measure goes from 1 to `last` as the input grows."""
    x = [20.0, 40.0, 80.0]
    lines, marks = ("case", "nu_X"), ("case", "nu_X_simulated")
    found = {"exponent": (lines, [[exponents[0], 2.0, exponents[1]]] * 2)}
    rate = np.array([[1, 2.0 ** exponents[0], 2.0 ** sum(exponents)]] * 2)
    found |= {"rate_theory": (lines, rate), "rate": (marks, rate)}
    found["rate_sem"] = (marks, error * rate)
    for name in ("V_sd", "cv", "tau_eff"):
        found[f"{name}_theory"] = (lines, [[1.0, 0.8, last if theory is None else theory]] * 2)
        found[name] = (marks, [[1.0, 0.8, last]] * 2)
        found[f"{name}_sem"] = (marks, [[error, error, error]] * 2)
    cases = [networks.REFERENCE, "current, K = 1000"]
    return xr.Dataset(found, {"case": cases, "nu_X": x, "nu_X_simulated": x})


def approximations(
    ratio=1.0, error=0.005, step=0.7, ordered=1.0, far=2.0, exponent=1.2, slowest=1.0
):
    """`ratio`: the right theories are off by; `far`: the wrong ones; `step`: Brian2's order."""
    shape = ("set", "a_exact", "r_E_exact")
    rate = np.full((1, 2, 2), 10.0)
    filtered = np.array([[10.0, slowest]])
    return xr.Dataset(
        {
            "rate_exact": (shape, rate),
            "rate_sem_exact": (shape, error * rate),
            "rate_theory": (("noise", *shape), np.array([ratio * rate, far * rate, far * rate])),
            "filtered_rate": (("r", "tau_S"), filtered),
            "filtered_rate_sem": (("r", "tau_S"), error * filtered),
            "filtered_theory": (
                ("filtered_noise", "r", "tau_S"),
                [ratio * filtered, far * filtered],
            ),
            "tau_S": ("tau_S", [0.1, 1.0]),
            "exponent": (("exponent_noise", "set", "ratio"), [[[0.02 * exponent]], [[0.02]]]),
            "step_ratio": (("arrivals", "dt"), [[ordered], [step]]),
            "step_ratio_sem": (("arrivals", "dt"), [[error], [error]]),
        },
        {"noise": ["shot", "diffusion", "effective"], "arrivals": ["random", "brian2"]}
        | {"dt": [0.1], "filtered_noise": ["colored", "diffusion"], "ratio": [1.8]}
        | {"exponent_noise": ["shot", "diffusion"], "set": ["strong inhibition"]},
    )


def stability(growth=-50.0, power=50.0, fano=0.0, error=0.01):
    """`power`: of the mode over that of independent neurons; `fano`: its exponent against N."""
    f, N = np.arange(10.0, 100.0, 10.0), np.array([5e3, 1e4])
    marks, sizes = ("model", "point"), ("model", "N")
    spectrum = np.full((2, 1, f.size), power)
    counts = np.broadcast_to(10 * (N / 5e3) ** fano, (2, 2))
    return xr.Dataset(
        {
            "point_growth": (marks, np.full((2, 1), growth)),
            "point_frequency": (marks, np.full((2, 1), 50.0)),
            "point_delay": ("point", [10.0]),
            "spectrum_theory": ((*marks, "f"), spectrum),
            "point_mode_power": (marks, np.full((2, 1), power)),
            "point_mode_power_sem": (marks, np.full((2, 1), error * power)),
            "fano_theory": (sizes, counts),
            "fano_simulation": (sizes, counts),
            "fano_sem_simulation": (sizes, error * counts),
        },
        {"model": ["conductance", "current"], "point": ["A"], "f": f, "N": N},
    )


# By claim: what would be stored if it held, if it did not, and, where there are errors, if they
# were too large to tell.
WORLDS = {
    "1.1": (strong_coupling, {}, {"held": -0.1}, None),
    "1.2": (strong_coupling, {}, {"cv_held": 0.3}, {"error": 0.2}),
    "1.3": (strong_coupling, {}, {"runs_away": 0.3}, None),
    "1.4": (drift_diffusion, {}, {"net": 0.6}, {"error": 1.0}),
    "1.5": (network_response, {}, {"cv": 0.3}, {"lost": 0}),
    "1.6": (network_response, {}, {"fano": 300.0}, {"error": 2.0}),
    "1.7": (network_response, {}, {"cv": 0.3}, {"lost": 0}),
    "1.8": (network_response, {}, {"fano": 300.0}, {"error": 2.0}),
    "2.1": (strong_coupling, {}, {"simulated": -0.35}, {"error": 2.0}),
    "2.2": (strong_coupling, {}, {"rate": 1.0}, {"waited": 1.5}),
    "2.3": (strong_coupling, {}, {"cv_above": 0.6}, {"error": 0.5}),
    "2.4": (network_response, {}, {"power": 0.2}, {"error": 1.0}),
    "2.5": (network_response, {}, {"cv": 0.3}, {"lost": 2}),
    "2.6": (heterogeneity, {}, {"cv": 0.9}, {"error": 3.0}),
    "2.8": (network_response, {}, {"fano": 300.0}, {"error": 2.0}),
    "2.7": (heterogeneity, {}, {"loses": 0.5}, {"error": 3.0}),
    "3.1": (scaling, {}, {"kept": 8.0}, {"error": 0.5}),
    "3.2": (scaling, {}, {"cv": 0.2}, {"error": 0.2}),
    "3.3": (scaling, {}, {"log_cv": 0.2}, {"error": 0.2}),
    "3.4": (scaling, {}, {"sqrt_rate": 5.0}, {"error": 5.0}),
    "3.5": (network_response, {}, {"cv": 0.3}, {"error": 0.2}),
    "3.6": (network_response, {}, {"fano": 300.0}, {"error": 2.0}),
    "3.7": (heterogeneity, {"spread": 20.0}, {"spread": 1.0}, {"spread": 20.0, "error": 3.0}),
    "4.1": (drift_diffusion, {}, {"power": 0.3}, {"error": 2.0}),
    "4.2": (drift_diffusion, {}, {"drift": 0.99}, {"error": 0.5}),
    "4.3": (drift_diffusion, {}, {"opposed": 0.2}, {"error": 2.0}),
    "5.1": (network_response, {}, {"mu": -75.0}, {"error": 1.0}),
    "6.1": (synaptic_time_constants, {}, {"filtered": 3.0}, {"error": 2.0}),
    "6.2": (synaptic_time_constants, {}, {"instant": 0.3}, {"error": 2.0}),
    "6.3": (synaptic_time_constants, {}, {"current": 0.3}, {"error": 2.0}),
    "6.4": (synaptic_time_constants, {}, {"tau": 0.5}, {"error": 0.2}),
    "6.5": (synaptic_time_constants, {}, {"a": 0.5}, {"error": 0.2}),
    "6.6": (synaptic_time_constants, {}, {"there": 0.5}, {"error": 0.5}),
    "6.7": (synaptic_time_constants, {}, {"left": 1.5}, {"error": 0.5}),
    "6.8": (network_time_constants, {}, {"high": 0.9}, {"error": 0.2}),
    "6.9": (network_time_constants, {}, {"ratio": 1.5}, {"error": 0.5}),
    "7.1": (heterogeneity, {}, {"conductance": 0.1}, {"error": 5.0}),
    "7.2": (heterogeneity, {}, {"conductance": 0.1, "current": 0.3}, {"conductance": 5.0}),
    "8.1": (predictions, {}, {"last": 2.0}, {"error": 1.0}),
    "8.2": (predictions, {"last": 1.0}, {"last": 0.5}, {"last": 1.0, "error": 1.0}),
    "8.3": (predictions, {}, {"last": 2.0, "theory": 0.5}, {"error": 1.0}),
    "8.4": (predictions, {}, {"last": 2.0, "theory": 0.5}, {"error": 1.0}),
    "8.5": (predictions, {}, {"last": 2.0}, {"error": 1.0}),
    "8.6": (predictions, {}, {"exponents": (1.0, 2.0)}, {"error": 0.5}),
    "b.1": (approximations, {}, {"ratio": 1.3}, {"error": 0.1}),
    "b.2": (approximations, {}, {"far": 1.0}, {"error": 1.0}),
    "b.3": (approximations, {}, {"far": 1.0}, {"error": 1.0}),
    "b.4": (approximations, {}, {"exponent": 1.0}, None),
    "b.5": (approximations, {}, {"ratio": 0.7}, {"error": 0.1}),
    "b.6": (approximations, {}, {"far": 1.0}, {"error": 1.0}),
    "b.7": (scaling, {}, {"slope": 1.1}, None),
    "b.8": (scaling, {}, {"bend": 1.0}, None),
    "b.9": (stability, {}, {"growth": 20.0}, None),
    "b.10": (stability, {}, {"growth": 20.0}, None),
    "b.11": (stability, {}, {"power": 1.0}, {"power": 2.5, "error": 0.5}),
    "b.16": (stability, {}, {"fano": 1.0}, {"error": 0.5}),
    "b.12": (stability, {}, {"fano": 1.0}, {"error": 0.5}),
    "b.13": (approximations, {}, {"step": 1.0}, {"error": 0.2}),
    "b.14": (approximations, {}, {"ordered": 0.8}, {"error": 0.2}),
    "b.15": (network_response, {}, {"away": 0.5}, {"error": 0.5}),
}


def test_every_claim_has_worlds_in_which_it_holds_and_does_not():
    assert set(WORLDS) == set(CLAIMS)


@pytest.mark.parametrize("key", WORLDS)
def test_verdicts(key):
    make, holds, fails, vague = WORLDS[key]
    decide = CLAIMS[key].decide
    assert decide(make(**holds)).verdict == SUPPORTED
    assert decide(make(**fails)).verdict == NOT_SUPPORTED
    if vague is not None:
        assert decide(make(**vague)).verdict == UNDECIDED


@pytest.mark.parametrize("key", [key for key, (*_, vague) in WORLDS.items() if vague is not None])
def test_errors_that_are_not_known_decide_nothing(key):
    make, holds, *_ = WORLDS[key]
    data = make(**holds)
    errors = [name for name in data if "_sem" in name]
    assert errors
    unknown = data.assign({name: data[name] * np.nan for name in errors})
    assert CLAIMS[key].decide(unknown).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("key", "name", "along"),
    [
        ("3.1", "rate_sem_exact", "K"),
        ("6.6", "tau_eff_critical_seen_sem", "tau_critical"),
        ("2.4", "V_sd_sem", "K"),
        ("b.16", "fano_sem_simulation", "N"),
    ],
)
def test_one_error_that_is_not_known_leaves_a_claim_open(key, name, along):
    data = WORLDS[key][0]()
    assert CLAIMS[key].decide(data).verdict == SUPPORTED
    errors = data[name].where(data[along] != data[along][0])
    assert CLAIMS[key].decide(data.assign({name: errors})).verdict == UNDECIDED


def test_exponents_have_limits_as_well_as_errors():
    assert CLAIMS["2.1"].decide(strong_coupling(exponent=-0.2)).verdict == NOT_SUPPORTED


def test_silence_that_was_not_waited_for_is_undecided():
    data = strong_coupling(rate=0.0)
    data["rate_sem_exact"] = data.rate_sem_exact * 0 + 1.5  # 3/duration: no spike in 2 s
    assert CLAIMS["2.2"].decide(data).verdict == UNDECIDED


def test_a_silent_network_has_no_irregularity_to_judge():
    outcome = CLAIMS["2.5"].decide(network_response(rate=0.0, lost=0))
    assert outcome.verdict == UNDECIDED
    assert CLAIMS["2.5"].decide(network_response(cv=0.3, lost=0)).verdict == NOT_SUPPORTED


def test_the_tolerance_is_a_ratio():
    outcome = CLAIMS["7.1"].decide(heterogeneity())
    assert outcome.theory.value == pytest.approx(3.0)
    assert outcome.simulation.value == pytest.approx(3.0)
    assert outcome.simulation.sem > 0


def test_a_theory_is_right_only_where_all_rates_are_known():
    data = approximations()
    data["rate_exact"] = data.rate_exact.copy()
    data.rate_exact[0, 0, 0] = 0.0  # no spike
    assert CLAIMS["b.1"].decide(data).verdict == UNDECIDED


def test_every_claim_is_stated_in_full_and_has_a_figure():
    from cbnet.figures import NAMES

    assert len(CLAIMS) == sum(map(len, (one_neuron.CLAIMS, networks.CLAIMS, beyond.CLAIMS)))
    for claim in CLAIMS.values():
        assert all((claim.says, claim.number, claim.criterion)), claim.key
        assert claim.figure in NAMES
        assert claim.scope in ("one neuron", "network")
    # all eight claims, and those that differ for a network on both
    stated = {(c.claim, c.scope) for c in CLAIMS.values()}
    assert {number for number, _ in stated} >= set("12345678")
    for number in "1236":
        assert {(number, "one neuron"), (number, "network")} <= stated


def test_a_missing_figure_decides_nothing():
    judged = judge(tuple(CLAIMS.values()), {}, lambda figure: f"cbnet figure {figure}")
    assert {one.outcome.verdict for one in judged} == {UNDECIDED}


@pytest.fixture
def judged():
    verdicts = (SUPPORTED, NOT_SUPPORTED, UNDECIDED)
    made = []
    for i, verdict in enumerate(verdicts):
        outcome = Outcome(verdict, Number(1.0), Number(1.2, 0.1), "a <note>")
        made.append(
            Claim(f"1.{i}", "1", "x | y", "network", "n", "c", "scaling", lambda _, o=outcome: o)
        )
    return judge(made, {"scaling": None}, lambda figure: f"cbnet figure {figure} --quick")


def test_what_is_not_supported_has_a_reason():
    claim = CLAIMS["1.5"]
    assert claim.because
    for cv, given in ((0.3, True), (0.8, False)):
        (one,) = judge([claim], {claim.figure: network_response(cv=cv)}, lambda figure: figure)
        assert (claim.because in one.outcome.note) == given
        assert "K = 4000" in one.outcome.note


def test_the_page_holds_everything_itself(judged):
    text = page.page(judged, [("scaling", "A title", "A caption", b"picture")], "about")
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert set(re.findall(r'href="#(\w+)"', text)) == set(re.findall(r'id="(\w+)"', text))
    assert "data:image/png;base64,cGljdHVyZQ==" in text
    assert "a &lt;note&gt;" in text and "A caption" in text
    assert "1 supported, 1 not supported, 1 undecided at this size" in text
    assert re.sub("<[^>]*>", "", text).count("cbnet figure scaling --quick") == 3


def test_the_table_in_markdown(judged):
    text = page.markdown(judged, [("A title", "A caption", "scaling.png")], "about")
    rows = [line for line in text.splitlines() if line.startswith("| 1.")]
    assert len(rows) == 3
    columns = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert columns == {len(page.HEADER) + 1}
    assert "![A title](scaling.png)" in text


def test_values_have_as_many_decimals_as_their_errors():
    assert page.shown(Number(0.021069, 0.00543)) == "0.0211 ± 0.0054"
    assert page.shown(Number(-2026.7, 108.0)) == "−2027 ± 110"
    assert page.shown(Number(0.0, 0.003)) == "0 ± 0.003"
    assert page.shown(Number(4.7158e-11)) == "4.716e−11"


def test_json_has_plain_numbers(judged):
    rows = report.to_dict(judged, [])["claims"]
    assert rows[0]["simulation"] == [1.2, 0.1]
    assert page.shown(None) == "–" and page.shown(NOTHING) == "not measured"


def test_neurons_that_hardly_ever_fire_do_not_leave_filtered_synapses_open():
    """Nor do they hide an error: one that theory or simulation has fire counts."""
    claim = CLAIMS["b.5"]
    outcome = claim.decide(approximations(slowest=1e-3))
    assert outcome.verdict == v.SUPPORTED
    assert "1 that fire less than once a minute left out" in outcome.note
    data = approximations(slowest=1e-3)
    data.filtered_theory[0, 0, 1] = 1.0  # says theory
    assert claim.decide(data).verdict == v.NOT_SUPPORTED
    data = approximations(slowest=1.0)
    data.filtered_theory[0, 0, 1] = 1e-3
    assert claim.decide(data).verdict == v.NOT_SUPPORTED
