"""Networks whose synapses have time constants."""

import numpy as np

import cbnet
from cbnet.errors import ConvergenceError
from cbnet.results import plotting

from . import drawing, shared
from .drawing import colour
from .shared import hertz, milliseconds

TITLE = "Networks with synaptic time constants"
MODELS = ("conductance", "current")
SETTINGS = {
    "quick": {
        "tau_S": [0.0, 2.0, 5.0],
        "inputs": [15, 20, 30, 50, 80, 130, 200, 280, 400],
        "inputs_simulated": [20.0, 50.0, 130.0, 400.0],
        "K": 1000,
        "N": 6250,
        "duration": "0.4s",
        "storage": "stored",
        "seeds": [7, 8],
    },
    "full": {
        "tau_S": [0.0, 1.0, 2.0, 5.0, 10.0],
        "inputs": [12, 15, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 240, 280, 330, 400],
        "inputs_simulated": [20.0, 30.0, 50.0, 80.0, 130.0, 200.0, 280.0, 400.0],
        "K": 4000,
        "N": None,
        "duration": "1.5s",
        "storage": "auto",
        "seeds": [7, 8, 9],
    },
}
MINUTES = {"quick": 2.4, "full": 50}
CAPTION = (
    "Networks of conductance and of current synapses of time constant τ_S, a = 0.0015 at K = 1000 "
    "(other K: 1/√K). Firing is irregular up to an input beyond which it turns regular. (a, e) "
    "Excitatory rate, (b, f) CV of intervals and (c, g) standard deviation of the voltage against "
    "the rate of each external input. (d) Share of the input's fluctuations that is left, sd with "
    "synaptic time constants over sd without. (h) Fano factor of the population's count in 1 ms. "
    "Lines: theory of filtered finite jumps (τ_S = 0: finite jumps) for an asynchronous state, "
    "markers: simulation of {GRAPHS}; (d) and (h) are simulated. Crossed: Fano factor "
    "above 30 (grey line in h), where the population fires together and the theory does not apply. "
    "Markers are shifted sideways a little."
)


def _point(model, tau, K, nu_X):
    params = shared.base(model).scaled("sqrt", K)
    params = params.replace(tau_S=milliseconds(tau), nu_X=hertz(nu_X))
    return params.replace(jump="exponential") if model == "conductance" else params


def _solve(item):
    """Numbers of the stable state of the highest rate; at the best accuracy that is reached."""
    params, rtol = item
    try:
        found = cbnet.solve(params, rtol=rtol)
    except ConvergenceError as error:
        found = error.best
    nothing = dict.fromkeys(("rate_E", "cv_E", "V_sd"), np.nan)
    if found is None or not len(found.rate_E):
        return nothing
    rates = np.asarray(found.rate_E, float)
    place = np.lexsort((-rates, ~np.asarray(found.stable, bool)))[0]
    return {name: float(found.in_units(name)[place]) for name in nothing}


def compute(progress, *, tau_S, inputs, inputs_simulated, K, N, duration, storage, seeds):
    """Theory and simulation of each network.

    Returns
    -------
    xarray.Dataset
    """
    settings = {k: v for k, v in locals().items() if k != "progress"}
    cases = [(m, t) for m in MODELS for t in tau_S]
    items = [(_point(m, t, K, r), 0.03 if t > 0 else 1e-3) for m, t in cases for r in inputs]
    found = shared.each(_solve, items, progress, "fixed points with filtered synapses")
    size = N or shared.network_size(K)
    points = [(_point(m, t, K, r), {}) for m, t in cases for r in inputs_simulated]
    runs, _ = shared.simulate_graphs(
        points,
        shared.measured("rate_E", "rate_I", "cv_E", "V_sd", "fano_1ms"),
        progress,
        seeds=seeds,
        N=size,
        duration=duration,
        storage=storage,
    )
    shape = (len(MODELS), len(tau_S))
    lines, marks = ("model", "tau_S", "nu_X"), ("model", "tau_S", "nu_X_simulated")
    variables = {
        "model": ("model", list(MODELS)),
        "tau_S": ("tau_S", tau_S, "ms", "synaptic time constant"),
        "nu_X": ("nu_X", np.asarray(inputs, float), "Hz", "rate of each external input"),
        "nu_X_simulated": ("nu_X_simulated", inputs_simulated, "Hz", "the same, simulations"),
    }
    for name, unit in (("rate_E", "Hz"), ("cv_E", "1"), ("V_sd", "mV")):
        values = shared.gathered(found, name, (*shape, len(inputs)))
        variables[f"{name}_theory"] = (lines, values, unit, f"{name}, theory")
    many = (*shape, len(inputs_simulated))
    for name, unit in (("rate_E", "Hz"), ("cv_E", "1"), ("V_sd", "mV"), ("fano_1ms", "1")):
        for suffix in ("", "_sem"):
            values = np.reshape([r[name + suffix] for r in runs], many)
            variables[name + suffix] = (marks, values, unit, f"{name}, simulation")
    tau = [
        shared.mean_potential(p, float(p.nu_X) + r["rate_E"], r["rate_I"])
        for (p, _), r in zip(points, runs, strict=True)
    ]
    values = np.reshape([float(t) for _, t in tau], many)
    variables["tau_eff"] = (marks, values, "ms", "effective time constant at simulated rates")
    parameters = {model: _point(model, 0.0, K, 30.0) for model in MODELS}
    return shared.dataset(TITLE, parameters, settings, variables)


def draw(data):
    """The figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import seaborn as sns

    count = data.sizes["tau_S"]
    shades = {m: sns.light_palette(colour(m), count + 2, reverse=True)[:count] for m in MODELS}
    with plotting.style():
        figure, grid = drawing.canvas(2, 4, row_height=4.6, legend=1.8)
        for line, model in zip(grid, MODELS, strict=True):
            for axes, name in zip(line[:3], ("rate_E", "cv_E", "V_sd"), strict=True):
                for position in range(count):
                    _draw_one(axes, data, name, model, position, shades[model][position])
            line[0].set(ylabel=f"rate (Hz), {model}", ylim=(0, None))
            line[1].set(ylabel="CV of intervals", ylim=(0, None))
            line[2].set(ylabel="sd of voltage (mV)", ylim=(0, None))
        for model in MODELS:
            for position in range(count):
                marks = (shades[model][position], position, model == "conductance")
                at = {"model": model, "tau_S": data.tau_S.values[position]}
                fano = data.fano_1ms.sel(at)
                if position:
                    ratio, error = _left(data.sel(model=model), position)
                    x = _beside(data, position)
                    drawing.points(grid[0, 3], x, ratio, error, *marks)
                    drawing.cross_together(grid[0, 3], x, ratio, fano)
                error = data.fano_1ms_sem.sel(at)
                x = _beside(data, position + (model == "current") / 2)
                drawing.points(grid[1, 3], x, fano, error, *marks)
        grid[0, 3].set(ylabel=r"sd of voltage / sd at $\tau_S$ = 0", ylim=(0, None))
        grid[1, 3].set(ylabel="Fano factor, 1 ms", yscale="log")
        for axes in grid.flat:
            axes.set(xscale="log", xlabel=r"$\nu_X$ (Hz)")
            axes.set_xticks([20, 50, 100, 200, 400], ["20", "50", "100", "200", "400"])
            axes.minorticks_off()
        drawing.letter(grid.flat)
        grid[1, 3].axhline(drawing.TOGETHER, color="0.6", lw=0.6, zorder=0)
        drawing.legend(figure, [*drawing.time_constant_keys(data), drawing.together_key()], 4)
    return figure


def _left(data, position):
    """Share of the voltage's sd that synapses leave, with its error."""
    sd, relative = data.V_sd, data.V_sd_sem / data.V_sd
    ratio = sd.isel(tau_S=position) / sd.isel(tau_S=0)
    return ratio, ratio * np.hypot(relative.isel(tau_S=position), relative.isel(tau_S=0))


def _draw_one(axes, data, name, model, position, shade):
    at = {"model": model, "tau_S": data.tau_S.values[position]}
    stroke = drawing.STROKES[position % len(drawing.STROKES)]
    axes.plot(data.nu_X, data[f"{name}_theory"].sel(at), color=shade, ls=stroke)
    value, error = data[name].sel(at), data[f"{name}_sem"].sel(at)
    x = _beside(data, position)
    drawing.points(axes, x, value, error, shade, position, model == "conductance")
    drawing.cross_together(axes, x, value, data.fano_1ms.sel(at))


def _beside(data, position):
    """Inputs at which markers do not hide each other."""
    return data.nu_X_simulated * 1.05 ** (position - 1)
