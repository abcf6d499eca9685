"""How far each approximation of the noise is from the exact answer."""

import warnings

import numpy as np
from matplotlib.colors import LogNorm

import cbnet
from cbnet.errors import CbnetError, CbnetWarning
from cbnet.results import plotting
from cbnet.theory import scaling as laws

from . import drawing, shared, time_steps
from .drawing import key
from .shared import exact, gathered, hertz, milliseconds, respond

TITLE = "Approximations of the noise beside the exact answer"
SETS = {"strong inhibition": (12, 1.8), "reference": (20, 0.8)}  # g, r_I/r_E
WHITE = ("diffusion", "effective")
FILTERED = ("colored", "diffusion", "fast", "adiabatic", "rescaled", "rice")
FILTERED_SET = {"g": 20, "a": 0.005}
_SLOWEST = 1 / 60  # Hz: for the spikes of slower neurons a simulation does not wait
SETTINGS = {
    "quick": {
        "a": [0.0025, 0.004, 0.006, 0.01, 0.015, 0.025],
        "inputs": [5, 8, 13, 20, 32, 50, 80],
        "a_exact": [0.007, 0.01, 0.02],
        "inputs_exact": [20.0, 50.0],
        "tau_S": [0.1, 0.2, 0.5, 1.0, 2.0, 5.0],
        "inputs_filtered": [20.0, 50.0, 100.0],
        "ratios": [0.2, 0.4, 0.6, 0.7, 0.8, 1.0, 1.3, 1.8, 2.4],
        "spikes": 5000,
        "arrivals": 1e8,
        "N": 400,
        "duration": "2s",
        "longest": "300s",
        "seed": 9,
    },
    "full": {
        "a": [0.002, 0.0025, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.02, 0.025],
        "inputs": [4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 63, 80, 100],
        "a_exact": [0.007, 0.008, 0.01, 0.015, 0.02],
        "inputs_exact": [20.0, 35.0, 50.0, 100.0],
        "tau_S": [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0],
        "inputs_filtered": [20.0, 50.0, 100.0],
        "ratios": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.3, 1.8, 2.4, 3.0],
        "spikes": 100_000,
        "arrivals": 1e9,
        "N": 1000,
        "duration": "60s",
        "longest": "1000s",
        "seed": 9,
    },
}
MINUTES = {"quick": 0.7, "full": 15}
CAPTION = (
    "One neuron, K = 1000. (a) Rate by the diffusion approximation and (b) by noise frozen at one "
    "potential, over the rate with finite jumps, against efficacy and input (g = 12, r_I = 1.8 "
    "r_E; white: right; contours at factors of 2 and 4; hatched: below 1e-4 Hz). (c) Exactly "
    "simulated rate over that of each theory, two standard errors. (d) Rate of the reference "
    "neuron simulated with time steps over its exact rate, by the order of the arrivals within a "
    "step. (e) The exponents C of the rate ν ~ exp(−C/a) for large K, white noise against finite "
    "jumps (solid: g = 12, dashed: g = 20): their difference grows with inhibition and does not "
    "vanish as K grows. (f-h) Finite synaptic time constants (g = 20, a = 0.005, r_I = 0.8 r_E): "
    "rates of each theory over the simulated rate; the band is two standard errors of the "
    "simulation. Approximations (what each name means: `cbnet neuron --help`) are drawn in and "
    "outside of the range that their documentation gives."
)


def _params(name, a):
    g, _ = SETS[name]
    return shared.base("conductance").replace(g=g, a=a)


def _filtered(item):
    params, r_E, noise = item
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CbnetWarning)  # outside of its range: that is the point
        try:
            return {"rate": float(respond((params, r_E, 0.8 * r_E, noise))["rate"])}
        except CbnetError:
            return {"rate": np.nan}


def _long_enough(params, r_E, r_I, response, spikes, arrivals):
    """How long to simulate for so many spikes, or for so many arrivals if that is less."""
    values = params.resolve("E")
    per_second = values["K"] * (r_E + values["gamma"] * r_I)
    rate = float(gathered([response], "rate", ()))
    return {"arrivals": min(arrivals, per_second * spikes / rate)}


def _known(params, spikes, N, rate, shortest, longest):
    """How long to simulate for so many spikes of N neurons, if they come often enough."""
    duration = params.model.entry("tau_L", "duration")
    shortest, longest = (duration.parse(bound, "duration") for bound in (shortest, longest))
    wanted = spikes / (N * rate) if rate > _SLOWEST else shortest
    return shared.to_quantity(np.clip(wanted, shortest, longest), "s")


def _rate_sem(run):
    """Standard error of the rate of independent neurons: over them, as they have no more to say."""
    return run.spike_counts.std(ddof=1) / np.sqrt(run.N) / float(run.duration)


def compute(
    progress,
    *,
    a,
    inputs,
    a_exact,
    inputs_exact,
    tau_S,
    inputs_filtered,
    ratios,
    spikes,
    arrivals,
    N,
    duration,
    longest,
    seed,
):
    """Rates by every theory and by simulation.

    Returns
    -------
    xarray.Dataset
    """
    settings = {k: v for k, v in locals().items() if k != "progress"}
    g, eta = SETS["strong inhibition"]
    noises = ("shot", *WHITE)
    grid = [
        (_params("strong inhibition", x), r, eta * r, noise)
        for noise in noises
        for x in a
        for r in inputs
    ]
    rates = shared.each(respond, grid, progress, "rates over efficacy and input")
    rates = gathered(rates, "rate", (len(noises), len(a), len(inputs)))
    cases = [(s, x, r) for s in SETS for x in a_exact for r in inputs_exact]
    items = [(_params(s, x), r, SETS[s][1] * r, noise) for noise in noises for s, x, r in cases]
    shape = (len(SETS), len(a_exact), len(inputs_exact))
    theory = shared.each(respond, items, progress, "rates to simulate")
    items = [
        (params, r_E, r_I, {"seed": seed, **_long_enough(params, r_E, r_I, one, spikes, arrivals)})
        for (params, r_E, r_I, _), one in zip(items[: len(cases)], theory, strict=False)
    ]
    seen = shared.each(exact, items, progress, "exact simulations")
    filtered = [
        shared.base("conductance").replace(
            **FILTERED_SET, tau_S=milliseconds(t), r_E=hertz(r), r_I=hertz(0.8 * r)
        )
        for r in inputs_filtered
        for t in tau_S
    ]
    answers = shared.each(
        _filtered,
        [(p, float(p.r_E), noise) for noise in FILTERED for p in filtered],
        progress,
        "filtered synapses",
    )
    alone = {"N": N, "duration": duration, "seed": seed, "feedforward": True}
    rates_filtered = gathered(answers[: len(filtered)], "rate", (-1,))
    runs = shared.simulate_all(
        [
            (p, {"duration": _known(p, spikes, N, rate, duration, longest)})
            for p, rate in zip(filtered, rates_filtered, strict=True)
        ],
        progress,
        **alone,
    )
    steps = time_steps.compute(progress, alone)
    many = (len(inputs_filtered), len(tau_S))
    c = [
        [laws.exponent(_params(s, 0.001), ratio, noise) for ratio in ratios]
        for s in SETS
        for noise in ("shot", "diffusion")
    ]
    points = ("set", "a_exact", "r_E_exact")
    variables = {
        "noise": ("noise", list(noises)),
        "a": ("a", a, "1", "efficacy"),
        "r_E": ("r_E", np.asarray(inputs, float), "Hz", "rate of each excitatory input"),
        "rate": (("noise", "a", "r_E"), rates, "Hz", "rate"),
        "set": ("set", list(SETS)),
        "a_exact": ("a_exact", a_exact, "1", "efficacy, simulations"),
        "r_E_exact": ("r_E_exact", inputs_exact, "Hz", "input, simulations"),
        "rate_exact": (points, gathered(seen, "rate", shape), "Hz", "rate, simulation"),
        "rate_sem_exact": (points, gathered(seen, "rate_sem", shape), "Hz", "its standard error"),
        "spikes_exact": (points, gathered(seen, "spikes", shape), "1", "spikes simulated"),
        "rate_theory": (
            ("noise", *points),
            gathered(theory, "rate", (len(noises), *shape)),
            "Hz",
            "rate",
        ),
        "tau_S": ("tau_S", tau_S, "ms", "synaptic time constant"),
        "filtered_noise": ("filtered_noise", list(FILTERED)),
        "r_E_filtered": ("r_E_filtered", inputs_filtered, "Hz", "input, filtered synapses"),
        "filtered_theory": (
            ("filtered_noise", "r_E_filtered", "tau_S"),
            gathered(answers, "rate", (len(FILTERED), *many)),
            "Hz",
            "rate",
        ),
        "filtered_rate": (
            ("r_E_filtered", "tau_S"),
            np.reshape([float(r.rate_E) for r in runs], many),
            "Hz",
            "rate, simulation",
        ),
        "filtered_rate_sem": (
            ("r_E_filtered", "tau_S"),
            np.reshape([_rate_sem(r) for r in runs], many),
            "Hz",
            "its standard error",
        ),
        "ratio": ("ratio", ratios, "1", "r_I/r_E"),
        "exponent_noise": ("exponent_noise", ["shot", "diffusion"]),
        "exponent": (
            ("set", "exponent_noise", "ratio"),
            np.reshape(c, (len(SETS), 2, len(ratios))),
            "1",
            "C",
        ),
    }
    variables |= steps
    parameters = {name: _params(name, 0.005) for name in SETS}
    parameters["filtered"] = cbnet.load("conductance").replace(**FILTERED_SET)
    return shared.dataset(TITLE, parameters, settings, variables)


def draw(data):
    """The figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with plotting.style():
        figure, grid = drawing.canvas(2, 4, row_height=4.8, legend=1.6)
        for axes, noise in zip(grid[0, :2], WHITE, strict=True):
            image = _draw_map(axes, data, noise)
        bar = figure.colorbar(image, ax=grid[0, 1], label="rate / exact rate")
        bar.set_ticks(_TICKS, labels=[f"{tick:g}" for tick in _TICKS])
        bar.ax.minorticks_off()
        _draw_exact(grid[0, 2], data)
        _draw_steps(grid[0, 3], data)
        _draw_exponents(grid[1, 0], data)
        for axes, r_E in zip(grid[1, 1:], data.r_E_filtered.values, strict=False):
            _draw_filtered(axes, data, r_E)
        drawing.letter(grid.flat)
        handles = [
            *(key(name, _SHADES[name], i, True) for i, name in enumerate(("finite jumps", *WHITE))),
            key("colored (filtered jumps)", _SHADES["colored"], 0, True, lw=1.8),
            *(key(n, _SHADES[n], i) for i, n in enumerate(FILTERED) if i and n not in WHITE),
        ]
        drawing.legend(figure, handles, 4)
    return figure


_TICKS = [0.05, 0.2, 0.5, 1, 2, 5, 20]
_EXPONENT_LABELS = {"strong inhibition": (1.75, 6e-3), "reference": (0.85, 2e-2)}
_RARE = 1e-4  # Hz
_ORDERS = {"random": "random order", "brian2": "Brian2's order"}
_SHADES = {
    "finite jumps": "#d55e00",
    "diffusion": "#0173b2",
    "effective": "#949494",
    "colored": "#d55e00",
    "fast": "#029e73",
    "adiabatic": "#cc78bc",
    "rescaled": "#ca9161",
    "rice": "#56b4e9",
}


def _draw_map(axes, data, noise):
    ratio = data.rate.sel(noise=noise) / data.rate.sel(noise="shot")
    ratio = np.log10(ratio.where(data.rate.sel(noise="shot") > _RARE))
    axes.patch.set(facecolor="0.9", edgecolor="0.6", hatch="////", linewidth=0)
    image = axes.pcolormesh(
        data.r_E,
        data.a * 1e3,
        10**ratio,
        norm=LogNorm(0.05, 20),
        cmap="PuOr_r",
        shading="nearest",
    )
    lines = axes.contour(
        data.r_E,
        data.a * 1e3,
        ratio / np.log10(2),
        levels=[-2, -1, 1, 2],
        colors="0.2",
        linewidths=0.6,
    )
    axes.clabel(lines, fmt=lambda x: f"{2.0**x:g}", fontsize=6)
    axes.set(xscale="log", yscale="log", xlabel="$r_E$ (Hz)", ylabel="efficacy $10^3 a$")
    axes.set_xticks([5, 10, 20, 50], ["5", "10", "20", "50"])
    axes.set_yticks([3, 5, 10, 20], ["3", "5", "10", "20"])
    axes.minorticks_off()
    axes.set_title(f"{noise} / finite jumps", loc="left", x=0.06)
    return image


def _draw_exact(axes, data):
    enough = data.spikes_exact >= 30
    for position, noise in enumerate(data.noise.values):
        name = "finite jumps" if noise == "shot" else noise
        ratio = (data.rate_exact / data.rate_theory.sel(noise=noise)).where(enough)
        error = (data.rate_sem_exact / data.rate_theory.sel(noise=noise)).where(enough)
        x = data.rate_exact * 1.06 ** (position - 1)
        drawing.points(
            axes,
            x.values.ravel(),
            ratio.values.ravel(),
            error.values.ravel(),
            _SHADES[name],
            position,
        )
    axes.axhline(1, color="0.6", lw=0.8, zorder=0)
    axes.set(xscale="log", yscale="log", xlabel="simulated rate (Hz)")
    axes.set(ylabel="simulated rate / theory", ylim=(0.2, 2))
    plotting.plain_decades(axes)


def _draw_steps(axes, data):
    for position, (arrivals, name) in enumerate(_ORDERS.items()):
        at = data.sel(arrivals=arrivals)
        shade, x = ("#d55e00", "0.5")[position], data.dt * 1.04 ** (2 * position - 1)
        drawing.points(axes, x, at.step_ratio, at.step_ratio_sem, shade, position)
        axes.text(0.021, at.step_ratio[-1] + (0.04, -0.08)[position], name, color=shade, size=7)
    axes.axhline(1, color="0.6", lw=0.8, zorder=0)
    axes.set(xscale="log", xlabel="time step (ms)", ylabel="rate / exact rate", ylim=(0.4, 1.2))
    axes.set_xticks([0.02, 0.05, 0.1], ["0.02", "0.05", "0.1"])
    axes.minorticks_off()


def _draw_exponents(axes, data):
    for position, name in enumerate(data.set.values):
        for noise, shade, marker in (("shot", "#d55e00", "o"), ("diffusion", "#0173b2", "s")):
            line = data.exponent.sel(set=name, exponent_noise=noise)
            style = {"color": shade, "ls": drawing.STROKES[position], "marker": marker, "ms": 2.6}
            axes.plot(data.ratio, line.where(line > 0), **style)
        axes.text(*_EXPONENT_LABELS[name], f"$g$ = {SETS[name][0]}", size=7, ha="center")
    axes.set(yscale="log", xlabel="$r_I/r_E$", ylabel="exponent $C$")


def _draw_filtered(axes, data, r_E):
    seen = data.filtered_rate.sel(r_E_filtered=r_E)
    seen = seen.where(seen > 3 * data.filtered_rate_sem.sel(r_E_filtered=r_E))
    relative = drawing.STANDARD_ERRORS * data.filtered_rate_sem.sel(r_E_filtered=r_E) / seen
    axes.fill_between(data.tau_S, 1 - relative, 1 + relative, color="0.85", lw=0, zorder=0)
    for position, noise in enumerate(FILTERED):
        line = data.filtered_theory.sel(filtered_noise=noise, r_E_filtered=r_E) / seen
        options = {"ls": drawing.STROKES[position % len(drawing.STROKES)], "lw": 1}
        if noise == "colored":
            options |= {"lw": 1.8, "marker": "o", "ms": 3}
        axes.plot(data.tau_S, line.where(line > 0), color=_SHADES[noise], **options)
    axes.set(xscale="log", yscale="log", ylim=(0.1, 30), xlabel=r"$\tau_S$ (ms)")
    axes.set(ylabel="rate / simulated rate", xlim=_ends(data.tau_S))
    axes.set_title(f"$r_E$ = {r_E:g} Hz", loc="left", x=0.06)


def _ends(values):
    """A logarithmic axis that holds all values, drawn or not."""
    return float(values[0]) / 1.15, float(values[-1]) * 1.15
