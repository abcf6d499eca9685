"""Currents, drift against diffusion, and synchrony in networks, against the in-degree."""

import numpy as np
from scipy.signal import welch

import cbnet
from cbnet.errors import ConvergenceError, ParameterError
from cbnet.model.reduced import of_model
from cbnet.results import plotting

from . import drawing, shared
from .drawing import colour, key
from .shared import hertz, solve

TITLE = "Currents and synchrony in networks"
CASES = (("conductance", "sqrt"), ("conductance", "log"), ("current", "sqrt"))
CURRENTS = ("E", "I", "net")
SETTINGS = {
    "quick": {
        "K": [400, 1000, 4000],
        "nu_X": 30.0,
        "N": 10_000,
        "duration": "0.8s",
        "storage": "stored",
        "seeds": [4, 5, 6],
    },
    "full": {
        "K": [400, 1000, 4000, 10_000, 31_600, 100_000],
        "nu_X": 30.0,
        "N": None,
        "duration": "2s",
        "storage": "auto",
        "seeds": [4, 5, 6],
    },
}
MINUTES = {"quick": 1.2, "full": 220}
CAPTION = (
    "Networks at ν_X = 30 Hz. (a) Mean excitatory, inhibitory and net input against K, as "
    "displacement of the voltage a millisecond, and the standard deviation in bins of 1 ms of (b) "
    "excitatory, (c) inhibitory and (d) net input; (e) standard deviation of the excitatory input "
    "over its mean. (f) Share of the firing rate that diffusion carries, averaged between reset "
    "and threshold; drift carries the rest, a negative one above the grey line. (g) Flux of drift "
    "away from threshold half-way between the mean potential and threshold, over the rate: "
    "diffusion carries this and the rate itself; below zero, drift drives the neuron. (h) Density "
    "of the voltage at the largest K. (i) CV of intervals. (j) Fano factor of the population's "
    "spike count in 1 ms (one for independent Poisson neurons) and (k) the mean correlation of two "
    "neurons' counts that it implies. (l) Power spectrum of the excitatory population at the "
    "smallest K, per neuron and divided by the rate; simulated: averaged over a twelfth of a "
    "decade. Lines: theory (white noise; linear response for j and l), markers: simulation of "
    "{GRAPHS} (f, g: from simulated densities, errors from the spread over graphs alone; h, l: "
    "errors not known); (k) simulation only; crossed where the population fires together (Fano "
    "factor above 30), which no theory of an asynchronous state describes."
)
SILENT = 1e-3  # Hz
_SEGMENT = 256  # ms of a piece of the spectrum


def compute(progress, *, K, nu_X, N, duration, storage, seeds):
    """Theory and simulation of each case against K.

    Returns
    -------
    xarray.Dataset
    """
    settings = {k: v for k, v in locals().items() if k != "progress"}
    params = [
        shared.base(model).scaled(law, int(k)).replace(nu_X=hertz(nu_X))
        for model, law in CASES
        for k in K
    ]
    sizes = [N or shared.network_size(k) for _ in CASES for k in K]
    theory = shared.each(_theory, list(zip(params, sizes, strict=True)), progress, "theory")
    points = zip(params, sizes, strict=True)
    measured, _ = shared.simulate_graphs(
        [(p, {"N": n}) for p, n in points],
        _measured,
        progress,
        seeds=seeds,
        duration=duration,
        transient="0.3s",
        storage=storage,
    )
    names = [f"{model}, {law}" for model, law in CASES]
    variables = {
        "case": ("case", names),
        "K": ("K", K, "1", "in-degree"),
        "current": ("current", list(CURRENTS)),
        "voltage": ("voltage", _VOLTAGES, "mV", "membrane potential"),
        "frequency": ("frequency", _FREQUENCIES, "Hz", "frequency"),
    }
    extra = {"density": "voltage", "spectrum": "frequency"}
    extra |= dict.fromkeys(("current_mean", "current_sd"), "current")
    extra |= dict.fromkeys(("current_mean_sem", "current_sd_sem"), "current")
    for kind, answers in (("theory", theory), ("simulation", measured)):
        for name in answers[0]:
            values = np.array([answer[name] for answer in answers], float)
            values = values.reshape(len(CASES), len(K), *values.shape[1:])
            dims = ("case", "K", *((extra[name],) if name in extra else ()))
            unit = _UNITS.get(name.removesuffix("_sem"), "1")
            variables[f"{name}_{kind}"] = (dims, values, unit, f"{name}, {kind}")
    parameters = {model: shared.base(model) for model in dict(CASES)}
    return shared.dataset(TITLE, parameters, settings, variables)


_VOLTAGES = np.linspace(-85, -55, 121)
_FREQUENCIES = np.fft.rfftfreq(_SEGMENT, 1e-3)[1:]
_UNITS = {
    "rate": "Hz",
    "V_sd": "mV",
    "current_mean": "mV/ms",
    "current_sd": "mV/ms",
    "density": "1/mV",
}


def _theory(item):
    params, N = item
    state = solve((params, "diffusion"))
    nu_E, nu_I = float(state["rate_E"][0]), float(state["rate_I"][0])
    if nu_E < SILENT:  # the input alone does not reach the threshold
        return _nothing() | {"rate": nu_E}
    r_E, r_I = hertz(float(params.nu_X) + nu_E), hertz(nu_I)
    found = cbnet.currents(params, r_E, r_I)
    response = cbnet.respond(params, r_E, r_I, noise="diffusion")
    density = response.density(shared.to_quantity(_VOLTAGES * 1e-3, "V"))
    fano, spectrum = np.nan, np.full(_FREQUENCIES.size, np.nan)
    try:
        stability = cbnet.stability(params, N=N)
        fano = float(stability.fano)
        spectrum = np.asarray(stability.spectrum(hertz(_FREQUENCIES)), float) / nu_E
    except (ConvergenceError, ParameterError):
        pass  # unstable: there is no stationary spectrum
    return {
        "rate": nu_E,
        "cv": float(state["cv_E"][0]),
        "V_sd": float(state["V_sd"][0]),
        "drift": float(found.drift_rate) / nu_E,
        "opposed": -float(found.flux(shared.to_quantity(_midway(params, nu_E, nu_I), "V"))[0])
        / nu_E,
        "current_mean": found.in_units("current_mean"),
        "current_sd": found.in_units("current_sd"),
        "density": np.asarray(density, float) / 1e3,
        "fano": fano,
        "spectrum": spectrum,
    }


def _midway(params, nu_E, nu_I):
    """The potential (V) half-way from the mean potential of the drift to threshold."""
    mu, _ = shared.mean_potential(params, float(params.nu_X) + nu_E, nu_I)
    return (float(mu) * 1e-3 + params.resolve("E")["theta"]) / 2


def _nothing():
    """What a silent network has."""
    found = dict.fromkeys(("rate", "cv", "V_sd", "drift", "opposed", "fano"), np.nan)
    found |= dict.fromkeys(("current_mean", "current_sd"), np.full(3, np.nan))
    return found | {
        "density": np.full(_VOLTAGES.size, np.nan),
        "spectrum": np.full(_FREQUENCIES.size, np.nan),
    }


def _measured(run):
    counts = np.asarray(run.count_E_1ms, float)
    N_E = run.N_E
    p = counts.mean() / N_E
    alone = (
        N_E * p * (1 - p) or np.nan
    )  # variance of independent neurons: at most one spike in 1 ms
    correlation = (counts.var(ddof=1) / alone - 1) / (N_E - 1)
    error = float(run.fano_1ms_sem) * counts.mean() / alone / (N_E - 1)
    centres, heights = run.in_units("V_grid"), np.asarray(run.V_density, float)
    rate = float(run.in_units("rate_E")) or np.nan
    _, power = welch(counts, 1e3, nperseg=min(_SEGMENT, counts.size), detrend="constant")
    spectrum = np.interp(
        _FREQUENCIES, np.fft.rfftfreq(min(_SEGMENT, counts.size), 1e-3)[1:], power[1:]
    )
    return {
        "rate": rate,
        "rate_sem": float(run.in_units("rate_E_sem")),
        "cv": float(run.cv_E),
        "cv_sem": float(run.cv_E_sem),
        "V_sd": float(run.in_units("V_sd")),
        "V_sd_sem": float(run.in_units("V_sd_sem")),
        **_drift(run, centres, heights, rate),
        "current_mean": run.in_units("current_mean"),
        "current_mean_sem": run.in_units("current_mean_sem"),
        "current_sd": run.in_units("current_sd"),
        "current_sd_sem": run.in_units("current_sd_sem"),
        "density": np.interp(_VOLTAGES, centres, heights / 1e3, left=0),
        "fano": float(run.fano_1ms),
        "fano_sem": float(run.fano_1ms_sem),
        "correlation": correlation,
        "correlation_sem": error,
        # one-sided counts² per Hz; a Poisson population of rate ν has N ν (per second) two-sided
        "spectrum": spectrum * 1e6 / 2 / (N_E * rate),
    }


def _drift(run, centres, heights, rate):
    """Drift's share of the rate by the simulated density, and what it takes from it midway.

    The share is ∫ A p over (V_r, θ); between the mean potential and threshold A is negative.
    """
    values = run.parameters.resolve("E")
    nu_I = float(run.in_units("rate_I"))
    values["R_E"] = values["K"] * (values["nu_X"] + rate)
    values["R_I"] = values["gamma"] * values["K"] * nu_I
    drift = of_model(run.parameters.model, values).function("A", values)
    inside = (centres >= values["V_r"] * 1e3) & (centres <= values["theta"] * 1e3)
    flux = drift(centres[inside] * 1e-3) * heights[inside] * (1 - rate * values["tau_rp"]) / rate
    at = _midway(run.parameters, rate, nu_I) * 1e3 if np.isfinite(rate) else np.nan
    opposed = -np.interp(at, centres[inside], flux)
    # of a density one network knows no error
    return {"drift": np.mean(flux), "drift_sem": np.nan, "opposed": opposed, "opposed_sem": np.nan}


def draw(data):
    """The figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with plotting.style():
        figure, grid = drawing.canvas(3, 4, row_height=4.3, legend=1.8)
        a, b, c, d, e, f, g, h, i, j, k, m = grid.flat
        first, last = data.K.values[[0, -1]]
        for index, case in enumerate(data.case.values):
            model, law = case.split(", ")
            style = {"color": colour(model), "ls": _STROKE[law]}
            marks = (colour(model), {"sqrt": 0, "log": 1}[law], model == "conductance")
            for current in CURRENTS:
                _draw_one(a, data, "current_mean", style, marks, case=case, current=current)
            for axes, current in zip((b, c, d), CURRENTS, strict=True):
                _draw_one(axes, data, "current_sd", style, marks, case=case, current=current)
            _draw_ratio(e, data, style, marks, case)
            for axes, name, sign in ((f, "drift", -1), (g, "opposed", 0)):
                line, seen = (data[f"{name}_{k}"].sel(case=case) for k in ("theory", "simulation"))
                if sign:
                    line, seen = 1 - line, 1 - seen
                error = data[f"{name}_sem_simulation"].sel(case=case)
                axes.plot(data.K, line, **style)
                _points(axes, data, case, seen, error, marks)
            h.plot(data.voltage, data.density_theory.sel(case=case, K=last), **style)
            some = data.density_simulation.sel(case=case, K=last)[index * 2 :: 6]
            drawing.points(h, some.voltage, some, 0 * some, *marks, ms=2.4, mew=0.6)
            _draw_one(i, data, "cv", style, marks, case=case)
            _draw_one(j, data, "fano", style, marks, case=case)
            value, error = (data[f"correlation{s}_simulation"].sel(case=case) for s in ("", "_sem"))
            _points(k, data, case, value, error, marks)
            m.plot(data.frequency, data.spectrum_theory.sel(case=case, K=first), **style)
            seen = drawing.smoothed(
                data.frequency, data.spectrum_simulation.sel(case=case, K=first)
            )
            drawing.points(m, *seen, 0 * seen[1], *marks, ms=2.6, mew=0.6)
        for axes, label in (
            (a, "mean input (mV/ms)"),
            (b, "sd of E input (mV/ms)"),
            (c, "sd of I input (mV/ms)"),
            (d, "sd of net input (mV/ms)"),
            (e, "sd/mean of E input"),
            (f, "share of rate by diffusion"),
            (g, "drift back midway / rate"),
            (i, "CV of intervals"),
            (j, "Fano factor, 1 ms"),
            (k, "correlation of counts"),
        ):
            drawing.in_degrees(axes, data.K.values)
            axes.set_ylabel(label)
        for axes in (b, c, d):
            axes.set(yscale="log", ylim=_limits(data, "current_sd"))
        e.set_yscale("log")
        for axes in (b, c, d, e):
            plotting.plain_decades(axes)
        for axes in (j, k):
            axes.set_yscale("log")
        a.axhline(0, color="0.6", lw=0.6, zorder=0)
        f.axhline(1, color="0.6", lw=0.6, zorder=0)
        g.axhline(0, color="0.6", lw=0.6, zorder=0)
        i.set_ylim(0, 1.1)
        for text, height in (("E", 0.9), ("I", 0.1)):
            a.text(0.06, height, text, transform=a.transAxes, size=8, weight="bold")
        a.annotate("net", (last, 0), (5, 0), textcoords="offset points", size=7, va="center")
        h.set(xlabel="voltage (mV)", ylabel="density (1/mV)", ylim=(0, None))
        h.set_title(f"$K$ = {last:g}", loc="left", x=0.1)
        m.set(xlabel="frequency (Hz)", ylabel="power / rate", xscale="log", yscale="log")
        m.set_title(f"$K$ = {first:g}", loc="left", x=0.1)
        drawing.letter(grid.flat)
        handles = [
            *drawing.model_keys(),
            key(plotting.SCALING_NAMES["sqrt"], "0.2", 0, True),
            key(plotting.SCALING_NAMES["log"], "0.2", 1, True),
            *drawing.theory_and_simulation("diffusion"),
            drawing.together_key(),
        ]
        drawing.legend(figure, handles, 4)
    return figure


_STROKE = {"sqrt": drawing.STROKES[0], "log": drawing.STROKES[1]}


def _limits(data, name):
    """Ends of a logarithmic axis that several panels share."""
    values = np.concatenate([np.ravel(data[f"{name}_{k}"]) for k in ("theory", "simulation")])
    values = values[np.isfinite(values) & (values > 0)]
    return values.min() / 1.3, values.max() * 1.3


def _draw_ratio(axes, data, style, marks, case):
    """Standard deviation of the excitatory input over its mean."""
    at = {"case": case, "current": "E"}
    theory, seen, error = (
        data[f"current_sd{s}"].sel(at) / np.abs(data[f"current_mean_{kind}"].sel(at))
        for s, kind in (
            ("_theory", "theory"),
            ("_simulation", "simulation"),
            ("_sem_simulation", "simulation"),
        )
    )
    axes.plot(data.K, theory, **style)
    _points(axes, data, case, seen, error, marks)


def _draw_one(axes, data, name, style, marks, **at):
    axes.plot(data.K, data[f"{name}_theory"].sel(at), **style)
    value, error = (data[f"{name}{s}_simulation"].sel(at) for s in ("", "_sem"))
    _points(axes, data, at["case"], value, error, marks)


def _points(axes, data, case, value, error, marks):
    drawing.points(axes, data.K, value, error, *marks)
    drawing.cross_together(axes, data.K, value, data.fano_simulation.sel(case=case))
