"""Currents, drift against diffusion, and synchrony in networks, against the in-degree."""

import numpy as np
from scipy.signal import welch

import cbnet
from cbnet import plotting
from cbnet.errors import ConvergenceError, ParameterError
from cbnet.reduced import of_model

from . import shared
from .shared import colour, hertz, key, solve

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
        "seed": 4,
    },
    "full": {
        "K": [400, 1000, 4000, 10_000, 31_600, 100_000],
        "nu_X": 30.0,
        "N": None,
        "duration": "5s",
        "storage": "auto",
        "seed": 4,
    },
}
MINUTES = {"quick": 1, "full": 400}
CAPTION = (
    "Networks at ν_X = 30 Hz. (a) Mean excitatory, inhibitory and net input against K, as "
    "displacement of the voltage a millisecond, and (b) their standard deviation in bins of 1 ms; "
    "(c) standard deviation of the excitatory input over its mean. (d) Share of the firing rate "
    "that diffusion carries between reset and threshold; drift carries the rest, a negative one "
    "above the grey line. (e) Density of the voltage at the largest K. (f) Fano factor of the "
    "population's spike count in 1 ms (one for independent Poisson neurons) and (g) the mean "
    "correlation of two neurons' counts that it implies. (h) Power spectrum of the excitatory "
    "population at the smallest K, per neuron and divided by the rate. Lines: theory (white "
    "noise; linear response for f and h), markers: simulation with two standard errors; (g) "
    "simulation only."
)
SILENT = 1e-3  # Hz
_SEGMENT = 256  # ms of a piece of the spectrum


def compute(progress, *, K, nu_X, N, duration, storage, seed):
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
    runs = shared.simulate_all(
        [(p, {"N": n}) for p, n in zip(params, sizes, strict=True)],
        progress,
        duration=duration,
        transient="0.3s",
        seed=seed,
        storage=storage,
    )
    measured = [_measured(run) for run in runs]
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
        "current_mean": found.in_units("current_mean"),
        "current_sd": found.in_units("current_sd"),
        "density": np.asarray(density, float) / 1e3,
        "fano": fano,
        "spectrum": spectrum,
    }


def _nothing():
    """What a silent network has."""
    found = dict.fromkeys(("rate", "cv", "V_sd", "drift", "fano"), np.nan)
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
    blocks = np.array([part.var() for part in np.array_split(counts, 10)])
    correlation = (counts.var(ddof=1) / alone - 1) / (N_E - 1)
    error = blocks.std(ddof=1) / np.sqrt(len(blocks)) / alone / (N_E - 1)
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
        "drift": _drift_share(run, centres, heights, rate),
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


def _drift_share(run, centres, heights, rate):
    """∫ A p over (V_r, θ) by the simulated density, as a share of the rate."""
    values = run.parameters.resolve("E")
    values["R_E"] = values["K"] * (values["nu_X"] + rate)
    values["R_I"] = values["gamma"] * values["K"] * float(run.in_units("rate_I"))
    drift = of_model(run.parameters.model, values).function("A", values)
    inside = (centres >= values["V_r"] * 1e3) & (centres <= values["theta"] * 1e3)
    share = np.mean(drift(centres[inside] * 1e-3) * heights[inside])
    return share * (1 - rate * values["tau_rp"]) / rate


def draw(data):
    """The figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with plotting.style():
        figure, grid = shared.canvas(2, 4, row_height=4.6, legend=1.8)
        a, b, c, d, e, f, g, h = grid.flat
        for index, case in enumerate(data.case.values):
            model, law = case.split(", ")
            style = {"color": colour(model), "ls": _STROKE[law]}
            marks = (colour(model), {"sqrt": 0, "log": 1}[law], model == "conductance")
            for axes, name in ((a, "current_mean"), (b, "current_sd")):
                for current in CURRENTS:
                    _draw_one(axes, data, name, style, marks, case=case, current=current)
            ratio = data.current_sd_theory / np.abs(data.current_mean_theory)
            c.plot(data.K, ratio.sel(case=case, current="E"), **style)
            ratio = data.current_sd_simulation / np.abs(data.current_mean_simulation)
            error = data.current_sd_sem_simulation / np.abs(data.current_mean_simulation)
            at = {"case": case, "current": "E"}
            shared.points(c, data.K, ratio.sel(at), error.sel(at), *marks)
            drift = data.drift_theory.sel(case=case)
            d.plot(data.K, 1 - drift, **style)
            simulated = 1 - data.drift_simulation.sel(case=case)
            shared.points(d, data.K, simulated, 0 * simulated, *marks)
            last = data.K.values[-1]
            e.plot(data.voltage, data.density_theory.sel(case=case, K=last), **style)
            some = data.density_simulation.sel(case=case, K=last)[index * 2 :: 6]
            e.plot(
                some.voltage,
                some,
                ls="",
                marker=shared.MARKERS[marks[1]],
                color=marks[0],
                ms=2.4,
                mew=0.6,
                mfc=marks[0] if marks[2] else "white",
            )
            _draw_one(f, data, "fano", style, marks, case=case)
            value, error = (data[f"correlation{s}_simulation"].sel(case=case) for s in ("", "_sem"))
            shared.points(g, data.K, value, error, *marks)
            first = data.K.values[0]
            h.plot(data.frequency, data.spectrum_theory.sel(case=case, K=first), **style)
            seen = data.spectrum_simulation.sel(case=case, K=first)
            h.plot(
                data.frequency[1::3],
                seen[1::3],
                ls="",
                marker=shared.MARKERS[marks[1]],
                color=marks[0],
                ms=2.2,
                mew=0.5,
                mfc=marks[0] if marks[2] else "white",
            )
        for axes, label in (
            (a, "mean input (mV/ms)"),
            (b, "sd of input (mV/ms)"),
            (c, "sd/mean of E input"),
            (d, "share of rate by diffusion"),
            (f, "Fano factor, 1 ms"),
            (g, "correlation of counts"),
        ):
            shared.in_degrees(axes, data.K.values)
            axes.set_ylabel(label)
        a.axhline(0, color="0.6", lw=0.6, zorder=0)
        d.axhline(1, color="0.6", lw=0.6, zorder=0)
        for axes in (b, c, f, g):
            axes.set_yscale("log")
        for text, height in (("E", 0.9), ("I", 0.1)):
            a.text(0.06, height, text, transform=a.transAxes, size=8, weight="bold")
        e.set(xlabel="voltage (mV)", ylabel="density (1/mV)", ylim=(0, None))
        e.set_title(f"$K$ = {data.K.values[-1]:g}", loc="left", x=0.1)
        h.set(xlabel="frequency (Hz)", ylabel="power / rate", xscale="log", yscale="log")
        h.set_title(f"$K$ = {data.K.values[0]:g}", loc="left", x=0.1)
        shared.letter(grid.flat)
        handles = [
            *shared.model_keys(),
            key(plotting.SCALING_NAMES["sqrt"], "0.2", 0, True),
            key(plotting.SCALING_NAMES["log"], "0.2", 1, True),
            *shared.theory_and_simulation("diffusion"),
        ]
        shared.legend(figure, handles, 3)
    return figure


_STROKE = {"sqrt": shared.STROKES[0], "log": shared.STROKES[1]}


def _draw_one(axes, data, name, style, marks, **at):
    axes.plot(data.K, data[f"{name}_theory"].sel(at), **style)
    value, error = (data[f"{name}{s}_simulation"].sel(at) for s in ("", "_sem"))
    shared.points(axes, data.K, value, error, *marks)
