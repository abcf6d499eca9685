"""One neuron with efficacies that fall as 1/√K: what is left of its fluctuations."""

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from cbnet.results import plotting

from . import drawing, shared, strong_neurons
from .drawing import colour, key
from .shared import hertz
from .strong_neurons import CONDITIONS, MODELS, R_E

TITLE = "One neuron with strong synapses, a ∝ 1/√K"
SETTINGS = {
    "quick": {
        "K_exact": [100, 1000, 10_000, 100_000],
        "K_theory": [10.0**k for k in range(2, 10)],
        "potentials": 9,
        "arrivals": 5e6,
        "arrivals_silent": 1.6e8,
        "seconds": 4.0,
        "stepped": "4s",
        "seed": 1,
    },
    "full": {
        "K_exact": [100, 316, 1000, 3162, 10_000, 31_623, 100_000],
        "K_theory": [10.0**k for k in np.arange(2, 9.01, 0.25)],
        "potentials": 33,
        "arrivals": 1e9,
        "arrivals_silent": 2e9,
        "seconds": 200.0,
        "stepped": "50s",
        "seed": 1,
    },
}
MINUTES = {"quick": 1.2, "full": 50}
CAPTION = (
    "One neuron under Poisson input, efficacies falling as 1/√K. (a, b) Voltage of a neuron with "
    "conductance synapses, and with current synapses whose inhibition is tuned so that the mean "
    "stays at −60 mV, for K = 100 and 10,000 (simulated; dashed: threshold). (c) Density of the "
    "voltage for the same K: lines are theory, markers simulation. (d-f) Mean and standard "
    "deviation of the voltage and effective time constant against K. Untuned, the current neuron's "
    "mean runs away as √K; held, its fluctuations stay. Those of the conductance neuron fall as "
    "K^(−1/4) while its time constant falls as 1/√K. (g) Rate against K at a ratio of inhibitory "
    "to excitatory input rates that leaves the mean below threshold, and at one that lifts it "
    "above for large K (squares, conductance only). (h, i) Rate and CV against the mean potential, "
    "set by inhibition, for K from 100 to 100,000 (dash patterns as in the legend): the "
    "conductance neuron turns into a switch, silent below threshold and regular above, the current "
    "neuron does not change. Arrows in (g): no spike in the time of the simulation, rate below the "
    "bar with 95 % confidence. Markers: exact event-driven simulations with two standard errors; "
    "of current neurons with K of 10,000 and more in (h, i) simulations in steps."
)


def compute(
    progress, *, K_exact, K_theory, potentials, arrivals, arrivals_silent, seconds, stepped, seed
):
    """Statistics of the neurons against K and against the mean potential.

    Returns
    -------
    xarray.Dataset
    """
    settings = {k: v for k, v in locals().items() if k != "progress"}
    against_K = {
        "theory": strong_neurons.against_K(K_theory, progress, "diffusion"),
        "exact": strong_neurons.against_K(
            K_exact,
            progress,
            {"arrivals": arrivals, "seconds": seconds, "seed": seed},
            arrivals_silent,
        ),
    }
    mu = np.linspace(-64, -51, potentials)
    mu_exact = np.array([-60.0, -57.0, -53.0])
    response = {
        "response": strong_neurons.against_potential(mu, K_exact, progress, "diffusion"),
        "response_exact": strong_neurons.against_potential(
            mu_exact, K_exact, progress, {"arrivals": arrivals / 4, "seed": seed}
        ),
    }
    strong_neurons.put_steps(response["response_exact"], mu_exact, K_exact, stepped, progress, seed)
    traces = strong_neurons.traces(progress, seed)
    traces |= strong_neurons.irregularity(K_exact, stepped, progress, seed)
    c, k = ("condition", "K"), ("condition", "K_exact")
    units = {"rate": "Hz", "cv": "1", "V_mean": "mV", "V_sd": "mV", "tau_eff": "ms"}
    variables = {
        "condition": ("condition", [*CONDITIONS, "conductance, mean above threshold"]),
        "K": ("K", K_theory, "1", "in-degree"),
        "K_exact": ("K_exact", K_exact, "1", "in-degree of the simulations"),
        "mu": ("mu", mu, "mV", "mean potential of the drift"),
        "mu_exact": ("mu_exact", mu_exact, "mV", "mean potential, simulations"),
        "model": ("model", list(MODELS)),
        **{
            f"{n}_theory": (c, v, units[n], f"{n}, diffusion")
            for n, v in against_K["theory"].items()
        },
        **{
            f"{n}_exact": (k, v, units[n.removesuffix("_sem")], f"{n}, simulation")
            for n, v in against_K["exact"].items()
        },
        **traces,
    }
    for kind, found in response.items():
        along = "mu" if kind == "response" else "mu_exact"
        for name, values in found.items():
            unit = units[name.removesuffix("_sem")]
            variables[f"{kind}_{name}"] = (("model", "K_exact", along), values, unit, name)
    parameters = {model: shared.base(model).replace(r_E=hertz(R_E)) for model in MODELS}
    return shared.dataset(TITLE, parameters, settings, variables)


def draw(data):
    """The figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with plotting.style():
        figure, grid = drawing.canvas(3, 3, row_height=4.3, legend=2.6)
        for axes, model in zip(grid[0], MODELS, strict=False):
            _draw_traces(axes, data, model)
        _draw_density(grid[0, 2], data)
        for axes, name, label in (
            (grid[1, 0], "V_mean", "mean of voltage (mV)"),
            (grid[1, 1], "V_sd", "sd of voltage (mV)"),
            (grid[1, 2], "tau_eff", r"$\tau_{\mathrm{eff}}$ (ms)"),
            (grid[2, 0], "rate", "rate (Hz)"),
        ):
            _draw_against_K(axes, data, name)
            axes.set(xscale="log", xlabel="in-degree $K$", ylabel=label)
            axes.xaxis.set_major_locator(LogLocator(numticks=8))
            axes.xaxis.set_minor_formatter(NullFormatter())
        grid[1, 0].set_ylim(-110, -45)
        text = r"falls on as $-\sqrt{K}$"
        grid[1, 0].text(3e3, -106, text, size=6.5, color=colour("current"))
        grid[1, 1].set(yscale="log", ylim=(0.03, 12))
        grid[1, 2].set(yscale="log")
        grid[2, 0].set(yscale="log", ylim=(1e-4, 2e3))
        for axes, name in ((grid[2, 1], "rate"), (grid[2, 2], "cv")):
            _draw_response(axes, data, name)
        grid[2, 1].set(yscale="log", ylim=(1e-2, 1e3), ylabel="rate (Hz)")
        grid[2, 2].set(ylim=(0, 1.15), ylabel="CV of intervals")
        drawing.letter(grid.flat)
        _legend(figure, data)
    return figure


def _draw_traces(axes, data, model):
    apart = 24.0  # mV between the two traces
    for position, K in enumerate(data.K_shown.values):
        shift = -apart * position
        trace = data.trace.sel(model=model, K_shown=K)
        axes.plot(data.time, trace + shift, color=colour(model), lw=0.6)
        axes.axhline(-55 + shift, color="0.4", ls="--", lw=0.6)
        axes.text(203, -62 + shift, f"$K$ = {drawing.power(K)}", size=6.5, rotation=90, va="center")
    ticks = np.array([-55.0, -70.0])
    axes.set(xlim=(0, 200), xlabel="time (ms)", ylabel="voltage (mV)", ylim=(-97, -53))
    axes.set_yticks([*ticks, *(ticks - apart)], [f"−{-t:.0f}" for t in ticks] * 2)
    axes.set_title(f"{model} synapses" + (", mean held" if model == "current" else ""), loc="left")


def _draw_density(axes, data):
    for model in MODELS:
        for position, K in enumerate(data.K_shown.values):
            at = {"model": model, "K_shown": K}
            shade = colour(model)
            axes.plot(data.voltage, data.density_theory.sel(at), color=shade, ls=_stroke(position))
            simulated = data.density_simulation.sel(at)[::7]
            axes.plot(
                simulated.voltage,
                simulated,
                ls="",
                marker=drawing.MARKERS[position],
                ms=2.6,
                mew=0.6,
                color=shade,
                mfc=shade if model == "conductance" else "white",
            )
    axes.set(xlabel="voltage (mV)", ylabel="density (1/mV)", xlim=(-74, -54), ylim=(0, None))
    axes.set_title("$K$ = $10^2$ (solid), $10^4$ (dashed)", loc="left")


def _stroke(position):
    return drawing.STROKES[position % len(drawing.STROKES)]


def _draw_against_K(axes, data, name):
    for index, condition in enumerate(data.condition.values):
        model = "current" if "current" in condition else "conductance"
        above = "above" in condition
        if above and name != "rate":
            continue
        line = data[f"{name}_theory"].sel(condition=condition)
        style = {"color": colour(model), "ls": _stroke({0: 0, 1: 0, 2: 1, 3: 3}[index])}
        if name == "tau_eff" and "untuned" in condition:
            continue  # the same as with its mean held
        axes.plot(data.K, line.where(line != 0) if name == "rate" else line, **style)
        if f"{name}_exact" in data:
            value = data[f"{name}_exact"].sel(condition=condition)
            error = data[f"{name}_sem_exact"].sel(condition=condition)
            if name == "rate":
                if condition == "conductance":
                    _draw_bounds(axes, data.K_exact.where(value == 0), error, colour(model))
                value = value.where(value > 0)
            marker = 1 if above else 2 if "untuned" in condition else 0
            K = data.K_exact * (1.3 if above else 1)  # beside the arrows
            drawing.points(axes, K, value, error, colour(model), marker, model == "conductance")


def _draw_bounds(axes, K, bound, shade):
    """Arrows that hang from the highest rate at which it is likely to see no spike."""
    axes.errorbar(K, bound, yerr=0.6 * bound, uplims=True, fmt="_", color=shade, ms=5, lw=0.8)


def _draw_response(axes, data, name):
    for model in MODELS:
        for position, K in enumerate(drawing.a_few(data.K_exact.values)):
            at = {"model": model, "K_exact": K}
            line = data[f"response_{name}"].sel(at)
            axes.plot(data.mu, line, color=colour(model), ls=_stroke(position), lw=1)
            value = data[f"response_exact_{name}"].sel(at)
            error = data[f"response_exact_{name}_sem"].sel(at)
            shift = 0.12 * (position - 1.5)
            drawing.points(
                axes,
                data.mu_exact + shift,
                value.where(value > 0),
                error,
                colour(model),
                position,
                model == "conductance",
            )
    axes.axvline(-55, color="0.6", lw=0.8, zorder=0)
    axes.set_xlabel(r"mean potential $\mu$ (mV)")


def _legend(figure, data):
    handles = [
        *drawing.model_keys(),
        key("d, e: current synapses, untuned", colour("current"), 1),
        key("g: conductance, mean above threshold", colour("conductance"), 3),
        key("a, b: threshold", "0.4", 1, lw=0.6),
        *(
            key(f"h, i: $K$ = {drawing.power(K)}", "0.2", i, True)
            for i, K in enumerate(drawing.a_few(data.K_exact.values))
        ),
        *drawing.theory_and_simulation("diffusion"),
    ]
    drawing.legend(figure, handles, 3)
