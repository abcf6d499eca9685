"""One neuron whose synapses have a time constant: where more input means less firing."""

import numpy as np
from matplotlib.ticker import FormatStrFormatter, LogLocator

import cbnet
from cbnet.results import plotting

from . import drawing, shared
from .drawing import colour
from .shared import gathered, hertz, inhibition_that_holds, milliseconds, respond

TITLE = "One neuron with synaptic time constants"
MODELS = ("conductance", "current")
VALUES = {"conductance": {"a": 0.005}, "current": {"a": 0.0015}}
RATIO, HELD = 0.8, -60.0  # r_I/r_E of the conductance neuron; mean (mV) of the current neuron
_RANGE = ("4Hz", "400Hz")  # in which the turn-over is looked for
_AROUND = np.array([0.65, 0.8, 1.0, 1.25, 1.55])  # inputs simulated there, over that of theory
SETTINGS = {
    "quick": {
        "tau_S": [0.0, 1.0, 2.0, 5.0],
        "inputs": [13, 16, 20, 28, 40, 60, 85, 120],
        "inputs_simulated": [20.0, 60.0, 120.0],
        "a": [0.0025, 0.005, 0.01],
        "tau_critical": [0.5, 1.0, 2.0, 4.0],
        "spikes_critical": 4000,
        "longest_critical": 20.0,
        "N": 400,
        "duration": "1s",
        "seed": 6,
    },
    "full": {
        "tau_S": [0.0, 0.5, 1.0, 2.0, 5.0, 10.0],
        "inputs": [13, 14.5, 16, 18, 20, 24, 28, 34, 40, 50, 60, 72, 85, 100, 120],
        "inputs_simulated": [15.0, 20.0, 40.0, 60.0, 90.0, 120.0],
        "a": [0.0015, 0.0025, 0.005, 0.01],
        "tau_critical": [0.25, 0.5, 1.0, 2.0, 4.0, 8.0],
        "spikes_critical": 20_000,
        "longest_critical": 100.0,
        "N": 1000,
        "duration": "20s",
        "seed": 6,
    },
}
MINUTES = {"quick": 0.7, "full": 8}
CAPTION = (
    "One neuron under Poisson input through synapses of time constant τ_S, K = 1000, g = 20. "
    "Conductance synapses: a = 0.005, r_I = 0.8 r_E (mean below threshold); current synapses: a = "
    "0.0015 with inhibition that holds the mean at −60 mV. (a-c) Rate, CV and standard deviation "
    "of the voltage of the conductance neuron, (e-g) of the current neuron, against the rate of "
    "each excitatory input. With conductances the effective time constant falls with the input; as "
    "it becomes comparable with that of the synapses, voltage fluctuations are filtered and more "
    "input means less firing. (d) The input with the highest rate against τ_S, for several "
    "efficacies (simulation: of a parabola through the logarithms of five rates). (h) The "
    "effective time constant there (grey: one to two synaptic time constants). Lines: theory of "
    "filtered finite jumps (τ_S = 0: finite jumps), markers: simulations of unconnected neurons "
    "with two standard errors."
)


def _params(model, tau_S, a=None):
    params = shared.base(model).replace(tau_S=milliseconds(tau_S), **VALUES[model])
    if a is not None:
        params = params.replace(a=a)
    return params.replace(jump="exponential") if model == "conductance" else params


def _inhibition(model, params, r_E):
    if model == "conductance":
        return RATIO * r_E
    return float(inhibition_that_holds(params, r_E, HELD))


def _turn_over(item):
    """Input of the highest rate, with the effective time constant there; NaN if there is none."""
    a, tau_S = item
    params, (low, high) = _params("conductance", tau_S, a), _RANGE
    found = cbnet.critical_input(params, RATIO, low=low, high=high)
    turns = np.isfinite(float(found.input))
    names = {"r_E": "input", "r_E_error": "error", "tau_eff": "tau_eff", "rate": "rate"}
    return {
        name: float(found.in_units(source)) if turns else np.nan for name, source in names.items()
    }


def _around(turns, places, spikes, longest, N):
    """Networks to simulate around turn-overs, and how many for each: none if it took too long."""
    points, counts = [], []
    for turn, (a, tau) in zip(turns, places, strict=True):
        seconds = spikes / (N * turn["rate"])  # NaN without a turn-over
        inputs = _AROUND * turn["r_E"] if seconds <= longest else ()
        params = _params("conductance", tau, a)
        points += [
            (
                params.replace(r_E=hertz(r), r_I=hertz(RATIO * r)),
                {"duration": shared.to_quantity(seconds, "s")},
            )
            for r in inputs
        ]
        counts.append(len(inputs))
    return points, counts


def _vertex(turn, params, runs):
    """Where a parabola through the logarithms of simulated rates is highest, with its error."""
    unknown = dict.fromkeys(("r_E", "r_E_sem", "tau_eff", "tau_eff_sem"), np.nan)
    rates = np.array([[float(r.rate_E), float(r.rate_E_sem)] for r in runs])
    if not len(runs) or not (rates > 0).all():
        return unknown
    x, errors = np.log(_AROUND), rates[:, 1] / rates[:, 0]
    (c, b, _), cov = np.polyfit(x, np.log(rates[:, 0]), 2, w=1 / errors, cov="unscaled")
    if not c < 0:
        return unknown
    at = -b / (2 * c)
    sem = np.sqrt(cov[1, 1] + 4 * at**2 * cov[0, 0] + 4 * at * cov[0, 1]) / abs(2 * c)
    r_E = turn["r_E"] * np.exp(at + np.array([0.0, sem]))
    tau = shared.mean_potential(params, r_E, RATIO * r_E)[1]
    return {
        "r_E": r_E[0],
        "r_E_sem": r_E[0] * sem,
        "tau_eff": tau[0],
        "tau_eff_sem": abs(tau[1] - tau[0]),
    }


def compute(
    progress,
    *,
    tau_S,
    inputs,
    inputs_simulated,
    a,
    tau_critical,
    spikes_critical,
    longest_critical,
    N,
    duration,
    seed,
):
    """Responses for each synaptic time constant, and the input at which they turn over.

    Returns
    -------
    xarray.Dataset
    """
    settings = {k: v for k, v in locals().items() if k != "progress"}
    items, points = [], []
    for model in MODELS:
        for tau in tau_S:
            params = _params(model, tau)
            items += [(params, r, _inhibition(model, params, r), None) for r in inputs]
            for r in inputs_simulated:
                r_I = _inhibition(model, params, r)
                points.append((params.replace(r_E=hertz(r), r_I=hertz(r_I)), {}))
    found = shared.each(respond, items, progress, "responses with filtered synapses")
    places = [(x, tau) for x in a for tau in tau_critical]
    turns = shared.each(_turn_over, places, progress, "turn-over")
    around, counts = _around(turns, places, spikes_critical, longest_critical, N)
    alone = {"N": N, "duration": duration, "transient": "0.2s", "seed": seed, "feedforward": True}
    runs = shared.simulate_all(points + around, progress, **alone)
    seen = [
        _vertex(turn, _params("conductance", tau, x), some)
        for turn, (x, tau), some in zip(
            turns, places, _split(runs[len(points) :], counts), strict=True
        )
    ]
    runs = runs[: len(points)]
    shape = (len(MODELS), len(tau_S))
    lines, marks = ("model", "tau_S", "r_E"), ("model", "tau_S", "r_E_simulated")
    variables = {
        "model": ("model", list(MODELS)),
        "tau_S": ("tau_S", tau_S, "ms", "synaptic time constant"),
        "r_E": ("r_E", np.asarray(inputs, float), "Hz", "rate of each excitatory input"),
        "r_E_simulated": ("r_E_simulated", inputs_simulated, "Hz", "the same, simulations"),
        "a": ("a", a, "1", "efficacy"),
        "tau_critical": ("tau_critical", tau_critical, "ms", "synaptic time constant"),
    }
    for name, unit in (("rate", "Hz"), ("cv", "1"), ("V_sd", "mV"), ("tau_eff", "ms")):
        values = gathered(found, name, (*shape, len(inputs)))
        variables[f"{name}_theory"] = (lines, values, unit, f"{name}, theory")
    many = (*shape, len(inputs_simulated))
    for name, source in (("rate", "rate_E"), ("cv", "cv_E"), ("V_sd", "V_sd")):
        unit = {"rate": "Hz", "cv": "1", "V_sd": "mV"}[name]
        for suffix in ("", "_sem"):
            values = np.reshape([float(r.in_units(source + suffix)) for r in runs], many)
            variables[name + suffix] = (marks, values, unit, f"{name}, simulation")
    grid, turned = ("a", "tau_critical"), (len(a), len(tau_critical))
    for name, unit in (("r_E", "Hz"), ("r_E_error", "Hz"), ("tau_eff", "ms"), ("rate", "Hz")):
        values = gathered(turns, name, turned)
        variables[f"{name}_critical"] = (grid, values, unit, f"{name} at the turn-over")
    for name, unit in (("r_E", "Hz"), ("tau_eff", "ms")):
        for suffix in ("", "_sem"):
            values = gathered(seen, name + suffix, turned)
            meaning = f"{name} at the turn-over, simulation"
            variables[f"{name}_critical_seen{suffix}"] = (grid, values, unit, meaning)
    parameters = {model: _params(model, 0.0) for model in MODELS}
    return shared.dataset(TITLE, parameters, settings, variables)


def _split(values, counts):
    """Lists of these lengths."""
    ends = np.cumsum(counts)
    return [values[end - count : end] for end, count in zip(ends, counts, strict=True)]


def draw(data):
    """The figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    shades = {model: _shades(model, data.sizes["tau_S"]) for model in MODELS}
    with plotting.style():
        figure, grid = drawing.canvas(2, 4, row_height=4.6, legend=1.8)
        for line, model in zip(grid, MODELS, strict=True):
            for axes, name in zip(line[:3], ("rate", "cv", "V_sd"), strict=True):
                for position, tau in enumerate(data.tau_S.values):
                    at = {"model": model, "tau_S": tau}
                    curve = data[f"{name}_theory"].sel(at)
                    stroke = drawing.STROKES[position % len(drawing.STROKES)]
                    axes.plot(data.r_E, curve, color=shades[model][position], ls=stroke)
                    value, error = data[name].sel(at), data[f"{name}_sem"].sel(at)
                    x = data.r_E_simulated * 1.04 ** (position - 1.5)
                    drawing.points(
                        axes,
                        x,
                        value.where(value > 0),
                        error,
                        shades[model][position],
                        position,
                        model == "conductance",
                    )
                axes.set(xscale="log", xlabel="$r_E$ (Hz)")
                axes.set_xticks([20, 50, 100], ["20", "50", "100"])
                axes.minorticks_off()
            line[0].set(ylabel=f"rate (Hz), {model}", yscale="log", ylim=(0.02, 400))
            line[1].set(ylabel="CV of intervals", ylim=(0, 1.3))
            line[2].set(ylabel="sd of voltage (mV)", ylim=(0, None))
        _draw_critical(grid[0, 3], grid[1, 3], data)
        drawing.letter(grid.flat)
        drawing.legend(figure, drawing.time_constant_keys(data), 4)
    return figure


def _shades(model, count):
    """The colour of a model, lighter for longer time constants."""
    import seaborn as sns

    return sns.light_palette(colour(model), count + 2, reverse=True)[:count]


def _draw_critical(above, below, data):
    shades = _shades("conductance", data.sizes["a"])
    for position, a in enumerate(data.a.values):
        style = {"color": shades[position], "ls": drawing.STROKES[position]}
        for axes, name in ((above, "r_E_critical"), (below, "tau_eff_critical")):
            axes.plot(data.tau_critical, data[name].sel(a=a), label=f"$a$ = {a:g}", **style)
            seen, sem = (data[f"{name}_seen{suffix}"].sel(a=a) for suffix in ("", "_sem"))
            drawing.points(axes, data.tau_critical, seen, sem, shades[position], position)
    tau = data.tau_critical.values
    below.fill_between(tau, tau, 2 * tau, color="0.85", lw=0, zorder=0)
    for axes in (above, below):
        axes.set(xscale="log", yscale="log", xlabel=r"$\tau_S$ (ms)")
        axes.set_xticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
        axes.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    room = 3.0 ** (data.sizes["a"] - 2)  # for the legend
    above.set(ylabel="input of highest rate (Hz)", ylim=(None, room * above.get_ylim()[1]))
    above.legend(handlelength=2.4, borderpad=0.1, loc="upper right")
    below.set_ylabel(r"$\tau_{\mathrm{eff}}$ there (ms)")
