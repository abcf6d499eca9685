"""What an experiment would see as the input of a network grows."""

import numpy as np

from cbnet.results import plotting

from . import drawing, shared
from .drawing import colour, key
from .shared import hertz, solve

TITLE = "Networks as their input grows"
CASES = (("conductance", 1000), ("conductance", 10_000), ("current", 1000))
SETTINGS = {
    "quick": {
        "inputs": [13, 16, 20, 27, 37, 50, 68, 92],
        "inputs_simulated": [20.0, 40.0, 80.0],
        "K_simulated": 1000,
        "N": 10_000,
        "duration": "0.5s",
        "storage": "stored",
        "seeds": [8, 9],
    },
    "full": {
        "inputs": [12, 13, 14, 15, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63, 70, 80, 92],
        "inputs_simulated": [15.0, 20.0, 30.0, 40.0, 60.0, 80.0],
        "K_simulated": 10_000,
        "N": None,
        "duration": "2s",
        "storage": "auto",
        "seeds": [8, 9, 10],
    },
}
MINUTES = {"quick": 0.5, "full": 15}
CAPTION = (
    "Networks as the rate of their external input grows, efficacy 0.0015 at K = 1000 and following "
    "1/log K. (a) Excitatory rate, (b) gain dν/dν_X, (c) local exponent d ln ν/d ln ν_X, (d) "
    "effective time constant of the membrane, (e) mean and (f) standard deviation of the voltage "
    "without refractory time, (g) CV of intervals, (h) standard deviation of the voltage against "
    "the effective time constant. With conductances the time constant falls with the input; with "
    "currents it cannot. Lines: theory with finite jumps, markers: simulations of {GRAPHS} "
    "(gain and exponent: theory only); dotted grey line in (c): proportional. Grey lines "
    "are measured in vivo: (d) a fifth of τ_L, (e) about −65 mV and (f) about 4 mV, in neurons of "
    "the parietal cortex of anaesthetised cats in periods of intense activity, whose input "
    "resistance was a fifth of that with activity blocked (Destexhe & Paré, J. Neurophysiol. 81, "
    "1531, 1999; a time constant that falls with it is assumed here); (g) CV about 1 once the rate "
    "is normalised, areas V1 and MT of the awake monkey (Softky & Koch, J. Neurosci. 13, 334, "
    "1993). How the time constant changes with the input: with the contrast of a stimulus the "
    "conductance of neurons in cat V1 grew by 20 to 300 % (Anderson, Carandini & Ferster, J. "
    "Neurophysiol. 84, 909, 2000); in cats awake and at rest, however, input resistance was higher "
    "than in sleep (Steriade, Timofeev & Grenier, J. Neurophysiol. 85, 1969, 2001)."
)
# In vivo, in the units of the panels; CAPTION says what was measured by whom.
_MEASURED = {"tau_eff": 20.0 / 5, "V_mean": -65.0, "V_sd": 4.0, "cv": 1.0}
_MEASURES = (("rate", "Hz"), ("cv", "1"), ("V_mean", "mV"), ("V_sd", "mV"), ("tau_eff", "ms"))


def _point(model, K, nu_X):
    return shared.base(model).scaled("log", K).replace(nu_X=hertz(nu_X))


def compute(progress, *, inputs, inputs_simulated, K_simulated, N, duration, storage, seeds):
    """Theory and simulation of each network against its input.

    Returns
    -------
    xarray.Dataset
    """
    settings = {k: v for k, v in locals().items() if k != "progress"}
    items = [(_point(*case, rate), None) for case in CASES for rate in inputs]
    solutions = shared.each(solve, items, progress, "fixed points of networks")
    points, rows = [], []
    for row, (model, K) in enumerate(CASES):
        for column, rate in enumerate(inputs_simulated):
            if K_simulated >= K:
                points.append((_point(model, K, rate), {"N": N or shared.network_size(K)}))
                rows.append((row, column))
    runs, _ = shared.simulate_graphs(
        points, _measured, progress, seeds=seeds, duration=duration, storage=storage
    )
    lines, marks = ("case", "nu_X"), ("case", "nu_X_simulated")
    variables = {
        "case": ("case", [f"{model}, K = {K}" for model, K in CASES]),
        "nu_X": ("nu_X", np.asarray(inputs, float), "Hz", "rate of each external input"),
        "nu_X_simulated": ("nu_X_simulated", inputs_simulated, "Hz", "the same, simulations"),
    }
    sources = {"rate": "rate_E", "cv": "cv_E"}
    for name, unit in _MEASURES:
        source = sources.get(name, name)
        values = shared.gathered(solutions, source, (len(CASES), len(inputs)))
        variables[f"{name}_theory"] = (lines, values, unit, f"{name}, theory")
        if name == "tau_eff":
            continue
        for suffix in ("", "_sem"):
            values = np.full((len(CASES), len(inputs_simulated)), np.nan)
            for at, run in zip(rows, runs, strict=True):
                values[at] = run[source + suffix]
            variables[name + suffix] = (marks, values, unit, f"{name}, simulation")
    tau, tau_sem = np.full((2, len(CASES), len(inputs_simulated)), np.nan)
    for at, run in zip(rows, runs, strict=True):
        tau[at], tau_sem[at] = run["tau_eff"], run["tau_eff_sem"]
    variables["tau_eff"] = (marks, tau, "ms", "effective time constant at the simulated rates")
    variables["tau_eff_sem"] = (marks, tau_sem, "ms", "its standard error, from that of the rates")
    rate = np.where(variables["rate_theory"][1] > 1e-3, variables["rate_theory"][1], np.nan)
    x = np.asarray(inputs, float)
    variables["gain"] = (lines, np.gradient(rate, x, axis=1), "1", "dν/dν_X")
    exponent = np.gradient(np.log(rate), np.log(x), axis=1)
    variables["exponent"] = (lines, exponent, "1", "d ln ν/d ln ν_X")
    parameters = {f"{model}, K = {K}": _point(model, K, 30.0) for model, K in CASES}
    return shared.dataset(TITLE, parameters, settings, variables)


def _measured(run):
    found = shared.measured("rate_E", "cv_E", "V_mean", "V_sd")(run)
    # both rates of a network fluctuate together: their errors add
    tau, beside = (_time_constant(run, errors) for errors in (0, 1))
    return found | {"tau_eff": tau, "tau_eff_sem": abs(beside - tau)}


def _time_constant(run, errors):
    """τ_eff (ms) at the rates of a simulation, or that many standard errors above them."""
    params = run.parameters
    rate_E, rate_I = (
        float(run.in_units(name)) + errors * float(run.in_units(f"{name}_sem"))
        for name in ("rate_E", "rate_I")
    )
    return float(shared.mean_potential(params, float(params.nu_X) + rate_E, rate_I)[1])


def draw(data):
    """The figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with plotting.style():
        figure, grid = drawing.canvas(2, 4, row_height=4.6, legend=1.8)
        panels = (
            ("rate", "excitatory rate (Hz)"),
            ("gain", r"gain $\mathrm{d}\nu/\mathrm{d}\nu_X$"),
            ("exponent", r"$\mathrm{d}\ln\nu/\mathrm{d}\ln\nu_X$"),
            ("tau_eff", r"$\tau_{\mathrm{eff}}$ (ms)"),
            ("V_mean", "mean of voltage (mV)"),
            ("V_sd", "sd of voltage (mV)"),
            ("cv", "CV of intervals"),
        )
        for position, case in enumerate(data.case.values):
            model = case.split(",")[0]
            style = {"color": colour(model), "ls": drawing.STROKES[position]}
            marks = (colour(model), position, model == "conductance")
            fires = data.rate_theory.sel(case=case) > 1e-3
            for axes, (name, _) in zip(grid.flat, panels, strict=False):
                line = data[name if name in ("gain", "exponent") else f"{name}_theory"]
                axes.plot(data.nu_X, line.sel(case=case).where(fires), **style)
                if name in ("gain", "exponent"):
                    continue
                value = data[name].sel(case=case)
                error = 0 * value
                if f"{name}_sem" in data:
                    error = data[f"{name}_sem"].sel(case=case)
                drawing.points(axes, data.nu_X_simulated, value, error, *marks)
            _draw_plane(grid[1, 3], data, case, style, marks)
        for axes, (_, label) in zip(grid.flat, panels, strict=False):
            axes.set(xlabel=r"$\nu_X$ (Hz)", ylabel=label)
        for axes in (grid[0, 0], grid[0, 1], grid[1, 1]):
            axes.set_ylim(bottom=0)
        for axes, (name, _) in zip(grid.flat, panels, strict=False):
            if name in _MEASURED:
                axes.axhline(_MEASURED[name], color="0.6", lw=1, zorder=0)
        grid[0, 2].axhline(1, color="0.6", lw=0.8, ls=":", zorder=0)
        for axes in grid[0, 2:]:
            axes.set_yscale("log")
        plotting.plain_decades(grid[0, 2])
        grid[1, 2].set_ylim(0, 1.5)
        grid[1, 3].set(xlabel=r"$\tau_{\mathrm{eff}}$ (ms)", ylabel="sd of voltage (mV)")
        grid[1, 3].set(xscale="log", ylim=(0, None))
        drawing.letter(grid.flat)
        handles = [
            *(
                key(
                    case.replace("K =", "$K$ ="),
                    colour(case.split(",")[0]),
                    i,
                    np.isfinite(data.rate.sel(case=case)).any(),
                    "current" not in case,
                )
                for i, case in enumerate(data.case.values)
            ),
            *drawing.theory_and_simulation("finite jumps"),
            key("d-g: measured in vivo", "0.6", 0, lw=1),
        ]
        drawing.legend(figure, handles, 3)
    return figure


def _draw_plane(axes, data, case, style, marks):
    fires = data.rate_theory.sel(case=case) > 1e-3
    sd, tau = (data[f"{n}_theory"].sel(case=case).where(fires) for n in ("V_sd", "tau_eff"))
    axes.plot(tau, sd, **style)
    value, error = (data[f"V_sd{s}"].sel(case=case) for s in ("", "_sem"))
    drawing.points(axes, data.tau_eff.sel(case=case), value, error, *marks)
