"""Claims about networks."""

import numpy as np

from cbnet.model.library import load

from . import currents, growing_input, in_degrees
from . import verdicts as v
from .claims import NETWORK, Claim, Outcome, difference, largest, number, numbers, smallest
from .one_neuron import IRREGULAR, SILENT
from .verdicts import Number

ASYNCHRONOUS = 30.0  # Fano factor of the count in 1 ms up to which a population counts as such


def _at(data, model, scaling):
    """The part of network_response at the largest K."""
    return data.sel(model=model, scaling=scaling).isel(K=-1)


def _least_irregular(model, scaling):
    def decide(data):
        at = _at(data, model, scaling)
        lines = at.sel(nu_X=at.nu_X_simulated.values).isel(branch=0)
        theory = _firing(lines.rate_E_theory, numbers(lines.cv_E_theory, 0 * lines.nu_X))
        simulated = _firing(at.rate_E, numbers(at.cv_E, at.cv_E_sem))
        # a network that fires too rarely for a CV in that time leaves the claim open
        verdict = v.every(*(v.at_least(n, IRREGULAR) for n in (*theory, *simulated)))
        unknown = sum(not n.known for n in simulated)
        note = f"K = {float(at.K):g}, smallest over inputs; Fano factors up to "
        note += f"{float(at.fano_1ms.max()):.0f}"
        note += _without_refractory(at.cv_E, at.rate_E, model)
        low, high = (f"−{-float(x):.0f}" for x in (at.mu.min(), at.mu.max()))
        note += f"; mean potential {low} to {high} mV"
        if unknown:
            note += f"; not measured at {unknown} of {len(simulated)}"
        return Outcome(verdict, _least(theory), _least(simulated), note)

    return decide


def _without_refractory(cv, rate, model):
    free = cv / (1 - rate * load(model).resolve("E")["tau_rp"])
    return f"; CV/(1 − ν τ_rp), intervals without refractory time: {float(free.min()):.2f}"


def _broad_irregular(data):
    """Current synapses with broad delays: no rhythm of the loop that neurons could follow."""
    simulated = numbers(data.broad_cv_E, data.broad_cv_E_sem)
    theory = numbers(data.broad_cv_E_theory, 0 * data.broad_cv_E_theory)
    verdict = v.every(*(v.at_least(n, IRREGULAR) for n in (*theory, *simulated)))
    note = "smallest over inputs"
    note += _without_refractory(data.broad_cv_E, data.broad_rate_E, "current")
    return Outcome(verdict, _least(theory), _least(simulated), note)


def _broad_asynchronous(data):
    simulated = largest(numbers(data.broad_fano_1ms, data.broad_fano_1ms_sem))
    growth = float(data.broad_mode_growth.max())
    what = "unstable, grows" if growth > 0 else "stable, decays"
    note = f"largest over inputs; simulation only; linear theory: {what} at {abs(growth):.2g}/s"
    return Outcome(v.at_most(simulated, ASYNCHRONOUS), None, simulated, note)


def _firing(rates, found):
    """The numbers at inputs at which the network is not silent."""
    return [n for n, rate in zip(found, np.ravel(rates), strict=True) if rate >= SILENT]


def _least(found):
    return smallest(n for n in found if n.known)


def _asynchronous(model, scaling):
    def decide(data):
        at = _at(data, model, scaling)
        simulated = largest(numbers(at.fano_1ms, at.fano_1ms_sem))
        note = f"K = {float(at.K):g}, largest over inputs; simulation only; linear theory: "
        return Outcome(v.at_most(simulated, ASYNCHRONOUS), None, simulated, note + _mode(at))

    return decide


def _mode(at):
    """The leading mode where the Fano factor is largest, in words."""
    worst = at.isel(nu_X_simulated=int(np.nanargmax(at.fano_1ms.values)))
    if not np.isfinite(worst.mode_growth):
        return "no mode found"
    growth, frequency, nu_X = (
        float(worst[name]) for name in ("mode_growth", "mode_frequency", "nu_X_simulated")
    )
    what = "unstable, an oscillation grows" if growth > 0 else "stable, the slowest mode decays"
    return f"{what} at {abs(growth):.0f}/s ({frequency:.0f} Hz, ν_X = {nu_X:g} Hz)"


def _sd_against_K(model, scaling, test):
    def decide(data):
        at = data.sel(model=model, scaling=scaling)
        middle = at.isel(nu_X_simulated=at.sizes["nu_X_simulated"] // 2)
        simulated = v.exponent(middle.K.values, middle.V_sd, middle.V_sd_sem)
        line = at.V_sd_theory.isel(branch=0).sel(nu_X=float(middle.nu_X_simulated))
        theory = v.exponent(at.K.values, line)
        return Outcome(v.every(test(theory), test(simulated)), theory, simulated)

    return decide


def _without_tuning(data):
    at = _at(data, "conductance", "log")
    threshold = load("conductance").resolve("E")["theta"] * 1e3
    lines = at.sel(nu_X=at.nu_X_simulated.values).isel(branch=0)
    theory, simulated = [], []
    for one, mu, sd, sem, found in (
        (lines, "mu_theory", "V_sd_theory", None, theory),
        (at, "mu", "V_sd", "V_sd_sem", simulated),
    ):
        away = np.abs(threshold - one[mu].values) / one[sd].values
        relative = one[sem].values / one[sd].values if sem else 0 * away
        found += numbers(away, away * relative)
    verdict = v.every(*(v.at_most(n, 3.0) for n in (*theory, *simulated)))
    note = "largest over inputs, nothing changed but the input; error of the sd alone"
    return Outcome(verdict, largest(theory), largest(simulated), note)


def _critical_input(data):
    at = data.sel(model="conductance").isel(tau_S=-1)
    low, high = (number(at.cv_E[i], at.cv_E_sem[i]) for i in (0, -1))
    line = at.cv_E_theory.values
    theory = Number(float(line[-1]))
    verdict = v.every(
        v.at_least(low, IRREGULAR), v.at_most(high, IRREGULAR), v.at_most(theory, IRREGULAR)
    )
    note = f"τ_S = {float(at.tau_S):g} ms; simulated CV at the smallest input {low.value:.3f}"
    note += f"; at the largest, {float(at.nu_X_simulated[-1]):g} Hz, with τ_S = 0: "
    note += f"{float(data.cv_E.sel(model='conductance')[0, -1]):.3f}; theory's CV falls to 0.5 at "
    lines = data.cv_E_theory.sel(model="conductance")
    places = [v.crossing(data.nu_X, -line, -IRREGULAR) for line in (lines[0], lines[-1])]
    shown = [f"{p.value:.0f} Hz" if p.known else "no input" for p in places]
    note += f"{shown[0]} with τ_S = 0, at {shown[1]} with the longest"
    note += _without_refractory(at.cv_E, at.rate_E, "conductance")
    return Outcome(verdict, theory, high, note)


def _filtered_sd(data):
    seen = data.sel(model="conductance").isel(tau_S=-1)
    irregular = np.flatnonzero((seen.cv_E >= IRREGULAR) & (seen.fano_1ms <= ASYNCHRONOUS))
    if not irregular.size:
        return Outcome(v.UNDECIDED, note="none of the longest τ_S is irregular and asynchronous")
    nu_X = float(seen.nu_X_simulated[irregular[-1]])
    theory, simulated = {}, {}
    for model in ("conductance", "current"):
        at = data.sel(model=model, nu_X_simulated=nu_X)
        simulated[model] = v.ratio(*(number(at.V_sd[i], at.V_sd_sem[i]) for i in (-1, 0)))
        line = data.V_sd_theory.sel(model=model).interp(nu_X=nu_X)
        theory[model] = v.ratio(*(number(line[i]) for i in (-1, 0)))
    found = difference(simulated["current"], simulated["conductance"])
    note = f"ν_X = {nu_X:g} Hz: conductance {simulated['conductance'].value:.2f}, "
    note += f"current {simulated['current'].value:.2f}"
    expected = difference(theory["current"], theory["conductance"])
    return Outcome(v.at_least(found, 0), expected, found, note)


def _claim(key, says, number_, criterion, figure, decide, because=""):
    return Claim(key, key.split(".")[0], says, NETWORK, number_, criterion, figure, decide, because)


REFERENCE = "conductance, K = 1000"
LOG_RATIO = "ln of its value at the largest input over that at the smallest"
TENTH = "CV_K at which 10 % of neurons are silent, conductance over current"
EVERYWHERE = "at least 0.5 at every input at which the network fires, theory and simulation"
FALLS = "below 0, theory and simulation by 3 s.e."
CLAIMS = (
    _claim(
        "1.4",
        "current synapses, a ∝ 1/√K: excitation and inhibition of order √K cancel",
        "net over excitatory mean input at the largest K",
        "at most 0.25, theory and simulation",
        "drift_diffusion",
        currents.cancels("current, sqrt"),
    ),
    _claim(
        "1.5",
        "... firing is irregular",
        "CV of intervals",
        EVERYWHERE,
        "network_response",
        _least_irregular("current", "sqrt"),
        "theory is that of an asynchronous state, which this is not (next row): neurons fire with "
        "the oscillation of the population, at its pace",
    ),
    _claim(
        "1.6",
        "... and asynchronous",
        "Fano factor of the population in 1 ms",
        "at most 30 at every input",
        "network_response",
        _asynchronous("current", "sqrt"),
        "with these delays (uniform, 0.1 to 10 ms) and equal in-degrees the gain of the recurrent "
        "loop grows with K until inhibition drives an oscillation; conductances damp it (3.6)",
    ),
    _claim(
        "1.7",
        "... irregular where delays are broad (uniform up to 100 ms, K = 1600)",
        "CV of intervals",
        EVERYWHERE,
        "network_response",
        _broad_irregular,
        "the neurons' own trains are more regular than the Poisson trains of theory, which leaves "
        "less noise; the refractory time is a part of each interval",
    ),
    _claim(
        "1.8",
        "... and asynchronous there",
        "Fano factor of the population in 1 ms",
        "at most 30 at every input",
        "network_response",
        _broad_asynchronous,
    ),
    _claim(
        "2.4",
        "conductance synapses, a ∝ 1/√K: voltage fluctuations shrink with K",
        "exponent of the voltage sd against K",
        "below 0, theory and simulation by 3 s.e.",
        "network_response",
        _sd_against_K("conductance", "sqrt", lambda n: v.at_most(n, 0)),
    ),
    _claim(
        "2.5",
        "... and firing stays irregular in a network of identical in-degrees (self-consistency)",
        "CV of intervals",
        EVERYWHERE,
        "network_response",
        _least_irregular("conductance", "sqrt"),
    ),
    _claim(
        "2.6",
        "... a rescue that dies with unequal in-degrees",
        "CV of intervals with equal in-degrees less that with CV_K = 0.1, of neurons that fire",
        "above 0 at the largest K, theory and simulation by 3 s.e.; at most 0.5 left by theory",
        "heterogeneity",
        in_degrees.rescue,
    ),
    _claim(
        "2.7",
        "... the more so the larger K",
        "the same at the largest K less that at the smallest",
        "above 0, theory and simulation by 3 s.e.",
        "heterogeneity",
        in_degrees.rescue_dies,
    ),
    _claim(
        "2.8",
        "conductance synapses, a ∝ 1/√K: activity is asynchronous",
        "Fano factor of the population in 1 ms",
        "at most 30 at every input",
        "network_response",
        _asynchronous("conductance", "sqrt"),
        "theory has the asynchronous state stable; in a network as densely connected as this "
        "chance fluctuations are amplified by the loop",
    ),
    _claim(
        "3.5",
        "conductance synapses, a ∝ 1/log K: irregular activity survives",
        "CV of intervals",
        EVERYWHERE,
        "network_response",
        _least_irregular("conductance", "log"),
        "it fires so fast at the largest input that the refractory time, which does not vary, is a "
        "large part of each interval; the rest of it is irregular",
    ),
    _claim(
        "3.6",
        "... asynchronous",
        "Fano factor of the population in 1 ms",
        "at most 30 at every input",
        "network_response",
        _asynchronous("conductance", "log"),
    ),
    _claim(
        "3.7",
        "... with broad distributions of rates",
        "CV of rates over neurons at CV_K = 0.1",
        "at least 0.3, theory and simulation",
        "heterogeneity",
        in_degrees.broad,
    ),
    _claim(
        "4.1",
        "with a ∝ 1/log K fluctuations of currents are small",
        "exponent of sd/mean of the excitatory input against K",
        "below 0, theory and simulation by 3 s.e.",
        "drift_diffusion",
        currents.currents_shrink("conductance, log"),
    ),
    _claim(
        "4.2",
        "... and firing is kept by a balance of drift and diffusion",
        "the smaller of their shares of the rate, absolute, at the largest K",
        "at least 0.1, theory and simulation",
        "drift_diffusion",
        currents.both_carry,
        "averaged from reset to threshold diffusion carries B²p/2 at the reset over ν (θ − V_r), "
        "and hardly any neuron is there; what counts is the way to threshold (next row)",
    ),
    _claim(
        "4.3",
        "... half-way to threshold drift carries back more than fires: only diffusion gets there",
        "flux of drift away from threshold over the rate, half-way from the mean potential to it",
        "at least 1 at the largest K, theory and simulation",
        "drift_diffusion",
        currents.opposed,
    ),
    _claim(
        "5.1",
        "the balance arises by itself, without fine tuning",
        "distance of the mean potential from threshold in sd of the voltage (1/log K)",
        "at most 3 at every input, theory and simulation",
        "network_response",
        _without_tuning,
    ),
    _claim(
        "6.8",
        "irregular activity exists only while the input is below a critical value",
        "CV of intervals at the largest input, conductance, longest τ_S",
        "simulation at least 0.5 at the smallest input; at most 0.5 at the largest, theory too",
        "network_time_constants",
        _critical_input,
    ),
    _claim(
        "6.9",
        "synapses filter the voltage of conductance neurons more than that of current neurons",
        "sd of voltage with the longest τ_S over that without, current less conductance",
        "above 0 by 3 s.e. at the largest input at which the conductance network is irregular and "
        "asynchronous",
        "network_time_constants",
        _filtered_sd,
        "in a network self-consistency draws the mean potential to threshold, so that resets make "
        "most of the sd that is left; one neuron at a fixed input shows the filter (6.7)",
    ),
    _claim(
        "7.1",
        "conductance networks tolerate unequal in-degrees better than current ones, a ∝ 1/log K",
        f"{TENTH}, both 1/log K",
        "at least 1.5, theory at the largest K and simulation",
        "heterogeneity",
        in_degrees.tolerance("log"),
    ),
    _claim(
        "7.2",
        "... under 1/√K",
        f"{TENTH}, both 1/√K",
        "at least 1.5, theory at the largest K and simulation",
        "heterogeneity",
        in_degrees.tolerance("sqrt"),
    ),
    _claim(
        "8.1",
        "as input grows the membrane time constant falls (conductance)",
        f"τ_eff: {LOG_RATIO}",
        FALLS,
        "predictions",
        growing_input.trend(REFERENCE, "tau_eff", -1),
    ),
    _claim(
        "8.2",
        "... and stays with current synapses",
        f"τ_eff: {LOG_RATIO}",
        "0 ± 0.01",
        "predictions",
        growing_input.trend("current, K = 1000", "tau_eff", 0),
    ),
    _claim(
        "8.3",
        "voltage fluctuations change with the input in the direction of theory, conductance",
        f"sd of voltage: {LOG_RATIO}",
        "simulation goes where theory goes, by 3 s.e.",
        "predictions",
        growing_input.trend(REFERENCE, "V_sd", None),
    ),
    _claim(
        "8.4",
        "... and current synapses",
        f"sd of voltage: {LOG_RATIO}",
        "simulation goes where theory goes, by 3 s.e.",
        "predictions",
        growing_input.trend("current, K = 1000", "V_sd", None),
    ),
    _claim(
        "8.5",
        "the CV falls as input grows (conductance)",
        f"CV: {LOG_RATIO}",
        FALLS,
        "predictions",
        growing_input.trend(REFERENCE, "cv", -1),
    ),
    _claim(
        "8.6",
        "the response grows faster than in proportion to its input, and less so as input grows "
        "(conductance)",
        "local exponent between the smallest two inputs less that between the largest two",
        "above 0, and the first above 1; theory and simulation by 3 s.e.",
        "predictions",
        growing_input.supralinear,
    ),
)
