"""How the efficacy may fall with the in-degree so that one neuron keeps firing irregularly."""

import numpy as np
from scipy.optimize import brentq

from cbnet.errors import ParameterError
from cbnet.results import plotting
from cbnet.theory import scaling as laws

from . import drawing, shared
from .drawing import colour, key
from .shared import exact, gathered, hertz, inhibition_that_holds, respond

TITLE = "One neuron under four laws of the efficacy"
MODELS = ("conductance", "current")
LAWS = ("sqrt", "inverse", "log", "preserving")
R_E, RATIO, RATE = 20.0, 0.8, 5.0  # Hz, r_I/r_E, Hz: the response that is kept
JUDGED = ("sqrt", "preserving")  # laws whose low rates at R_E need longer simulations
HELD = -60.0  # mV: mean potential of the current neuron, which inhibition is tuned to hold
K_START = 1000
LABELS = {
    "sqrt": r"$1/\sqrt{K}$",
    "inverse": r"$1/K$",
    "log": r"$1/\log K$",
    "preserving": "response kept",
}
SHADES = ("0.1", "0.6", "0.35", None)  # of laws that are the same for both models
SETTINGS = {
    "quick": {
        "K_shot": [100, 1000, 10_000, 100_000],
        "K_diffusion": [10.0**k for k in np.arange(2, 12.1, 0.5)],
        "inputs": [6, 10, 16, 20, 28, 45, 80],
        "inputs_exact": [10.0, 20.0, 50.0],
        "K_exact_current": [100, 1000, 10_000],
        "arrivals": 3e6,
        "seconds": 6.0,
        "seconds_judged": 30.0,
        "seed": 2,
    },
    "full": {
        "K_shot": [100, 316, 1000, 3162, 10_000, 31_623, 100_000],
        "K_diffusion": [10.0**k for k in np.arange(2, 12.1, 0.25)],
        "inputs": [5, 6, 8, 10, 12, 14, 16, 18, 20, 23, 26, 30, 35, 42, 50, 65, 80, 100],
        "inputs_exact": [10.0, 20.0, 35.0, 50.0],
        "K_exact_current": [100, 316, 1000, 3162, 10_000, 31_623, 100_000],
        "arrivals": 1e9,
        "seconds": 300.0,
        "seconds_judged": 300.0,
        "seed": 2,
    },
}
MINUTES = {"quick": 0.8, "full": 100}
CAPTION = (
    "One neuron whose efficacy follows four laws from the value at which it fires at 5 Hz for r_E "
    "= 20 Hz and K = 1000: with conductance synapses at r_I = 0.8 r_E, and with current synapses "
    "at inhibition tuned so that the mean potential stays at −60 mV. (a) Efficacy of the "
    "conductance neuron against K, and of the current neuron where the response is kept; thin "
    "dots: conductance, white noise. (b) Rate at r_E = 20 Hz against K. (c) The local slope d ln "
    "K/d(1/a) of the efficacy that keeps the response of the conductance neuron (white noise): it "
    "approaches C + a/2 (dashed), and C (line) only beyond any K of interest. (d-k) Rate and CV of "
    "the conductance neuron against the input rate for K = 100 to 100,000 under each law (for K = "
    "100 no efficacy keeps its response), and (l-s) of the current neuron. With 1/√K the "
    "conductance neuron falls silent at a fixed input, with 1/K earlier, with 1/log K and this "
    "prefactor its rate grows slowly; keeping the response needs an efficacy between 1/√K and "
    "1/log K. For the current neuron it approaches 1/√K; it has no line where no inhibition holds "
    "its mean, and was not simulated at the largest K. Markers: exact event-driven simulations "
    "with two standard errors; lines: theory with finite jumps."
)


def _start():
    params = shared.base("conductance").replace(r_E=hertz(R_E), r_I=hertz(RATIO * R_E))
    return {noise: _kept(params, K_START, noise) for noise in ("shot", "diffusion")}


def _kept(params, K, noise):
    r_E, r_I, rate = hertz(R_E), hertz(RATIO * R_E), hertz(RATE)
    return params.scaled("preserving", int(K), noise=noise, r_E=r_E, r_I=r_I, rate=rate)


def _efficacy(item):
    start, law, K, noise = item
    try:
        return (_kept(start, K, noise) if law == "preserving" else start.scaled(law, int(K))).a
    except ParameterError:  # so few strong inputs that no efficacy gives the rate
        return np.nan


def _current(K, a):
    return shared.base("current").replace(K=int(K), a=a)


def _kept_by_current(K):
    """Efficacy at which the current neuron with its mean held has the rate that is kept."""

    def excess(log_a):
        params = _current(K, np.exp(log_a))
        r_I = float(inhibition_that_holds(params, R_E, HELD))
        return np.log(float(respond((params, R_E, r_I, "shot"))["rate"]) / RATE)

    values = _current(K, 1e-3).resolve("E")
    pull = (HELD * 1e-3 - values["E_L"]) / (values["tau_L"] * K * R_E)
    least = 1.001 * pull / (values["J_E"] / 1e-3)  # there no inhibition is needed
    guess = 2e-3 * np.sqrt(1000 / K)
    ends = np.log([max(least, guess / 4), max(4 * guess, 4 * least)])
    return float(np.exp(brentq(excess, *ends, rtol=1e-5)))


def _params(model, start, K_shot, a):
    """Parameters under each law at each K; None where no efficacy keeps the response."""
    build = _current if model == "current" else lambda K, a: start.replace(K=int(K), a=a)
    places = [(law, K) for law in LAWS for K in K_shot]
    return [
        build(K, one) if np.isfinite(one) else None for (_, K), one in zip(places, a, strict=True)
    ]


def _inhibition(model, params, r_E):
    """r_I at an excitatory input, NaN if the mean of a current neuron cannot be held."""
    if model == "current":
        return float(inhibition_that_holds(params, r_E, HELD))
    return RATIO * r_E


def compute(
    progress,
    *,
    K_shot,
    K_diffusion,
    inputs,
    inputs_exact,
    K_exact_current,
    arrivals,
    seconds,
    seconds_judged,
    seed,
):
    """Efficacies, and responses to input, under each law.

    Returns
    -------
    xarray.Dataset
    """
    settings = {k: v for k, v in locals().items() if k != "progress"}
    start = _start()
    items = [(start["shot"], law, K, "shot") for law in LAWS for K in K_shot]
    a = {"conductance": shared.each(_efficacy, items, progress, "efficacies with finite jumps")}
    white = [(start["diffusion"], "preserving", K, "diffusion") for K in K_diffusion]
    a_white = np.array(shared.each(_efficacy, white, progress, "efficacies with white noise"))
    kept = shared.each(_kept_by_current, [K_START, *K_shot], progress, "efficacies, current")
    first = _current(K_START, kept[0])
    a["current"] = [
        kept[1 + K_shot.index(K)] if law == "preserving" else first.scaled(law, int(K)).a
        for law in LAWS
        for K in K_shot
    ]
    slope = np.gradient(np.log(K_diffusion), 1 / a_white)

    def how(law, r_E):
        # a claim is judged by its rate and CV, which are low
        longer = law in JUDGED and r_E == R_E
        least = seconds_judged if longer else seconds
        return {"arrivals": arrivals, "seconds": least, "seed": seed}

    shape = (len(MODELS), len(LAWS), len(K_shot))
    d, e = ("model", "law", "K", "r_E"), ("model", "law", "K", "r_E_exact")
    variables = {
        "model": ("model", list(MODELS)),
        "law": ("law", list(LAWS)),
        "K": ("K", K_shot, "1", "in-degree"),
        "K_diffusion": ("K_diffusion", K_diffusion, "1", "in-degree, white noise"),
        "r_E": ("r_E", np.asarray(inputs, float), "Hz", "rate of each excitatory input"),
        "r_E_exact": ("r_E_exact", inputs_exact, "Hz", "the same, simulations"),
        "a": (d[:3], np.reshape([a[m] for m in MODELS], shape), "1", "efficacy, finite jumps"),
        "a_diffusion": ("K_diffusion", a_white, "1", "efficacy that keeps the rate, white noise"),
        "slope": ("K_diffusion", slope, "1", "d ln K/d(1/a)"),
        "slope_theory": (
            "K_diffusion",
            laws.exponent(start["diffusion"], RATIO, "diffusion") + a_white / 2,
            "1",
            "C + a/2",
        ),
        "C_shot": ((), laws.exponent(start["shot"], RATIO, "shot"), "1", "exponent, finite jumps"),
        "C_diffusion": (
            (),
            laws.exponent(start["shot"], RATIO, "diffusion"),
            "1",
            "exponent, white noise",
        ),
    }
    found, seen = [], []
    for model in MODELS:
        params = _params(model, start["shot"], K_shot, a[model])
        found.append(
            _everywhere(model, params, inputs, respond, lambda *_: "shot", progress, "responses")
        )
        if model == "current":
            params = [p if p is not None and p.K in K_exact_current else None for p in params]
        name = f"exact simulations, {model}"
        seen.append(_everywhere(model, params, inputs_exact, exact, how, progress, name))
    for name, unit in (("rate", "Hz"), ("cv", "1")):
        values = np.reshape([one[name] for one in found], (*shape, -1))
        variables[name] = (d, values, unit, f"{name}, finite jumps")
        for full in (name, f"{name}_sem"):
            values = np.reshape([one[full] for one in seen], (*shape, -1))
            variables[f"{full}_exact"] = (e, values, unit, f"{full}, simulation")
    parameters = {"conductance": start["shot"], "current": first}
    return shared.dataset(TITLE, parameters, settings, variables)


def _everywhere(model, params, inputs, work, how, progress, name):
    """Numbers at every input for parameters that exist, NaN for others; flat arrays by name."""
    laws_of_params = np.repeat(LAWS, len(params) // len(LAWS))
    places = [
        (p, r, _inhibition(model, p, r), how(law, r)) if p is not None else None
        for law, p in zip(laws_of_params, params, strict=True)
        for r in inputs
    ]
    kept = np.array([item is not None and bool(np.isfinite(item[2])) for item in places])
    items = [item for item, there in zip(places, kept, strict=True) if there]
    answers = shared.each(work, items, progress, name)
    found = {}
    for key_ in ("rate", "cv") if work is respond else ("rate", "rate_sem", "cv", "cv_sem"):
        found[key_] = np.full(kept.size, np.nan)
        found[key_][kept] = gathered(answers, key_, kept.sum())
    return found


def draw(data):
    """The figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with plotting.style():
        height = 20.5 * drawing.CENTIMETRE
        figure = drawing.Figure(figsize=(drawing.WIDE, height), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=(1, 3))
        top = above.subplots(1, 3)
        grid = below.subplots(4, 4, sharex=True)
        _draw_efficacies(top[0], data)
        _draw_rates(top[1], data)
        _draw_slope(top[2], data)
        for row, model in zip((0, 2), MODELS, strict=True):
            for column, law in enumerate(LAWS):
                _draw_responses(grid[row : row + 2, column], data, model, law)
                grid[row, column].set(yscale="log", ylim=(1e-2, 600))
                grid[row + 1, column].set(ylim=(0, 1.8))
            grid[row, 0].set_ylabel(f"rate (Hz),\n{model}")
            grid[row + 1, 0].set_ylabel(f"CV of intervals,\n{model}")
        for axes in grid[:, 1:].flat:
            axes.tick_params(labelleft=False)
        for axes, law in zip(grid[0], LAWS, strict=True):
            axes.set_title(LABELS[law], loc="left")
        for axes in grid[-1]:
            axes.set_xlabel("$r_E$ (Hz)")
        drawing.letter([*top, *grid.flat])
        handles = [
            *drawing.model_keys(),
            *(key(f"a, b: {LABELS[law]}", "0.2", i, True) for i, law in enumerate(LAWS)),
            *(key(f"d-s: $K$ = {drawing.power(K)}", "0.2", i, True) for i, K in _shown(data)),
            *drawing.theory_and_simulation("finite jumps"),
        ]
        drawing.legend(figure, handles, 4)
    return figure


def _shown(data):
    return list(enumerate(drawing.a_few(data.K.values)))


def _draw_efficacies(axes, data):
    for position, law in enumerate(LAWS):
        kept = law == "preserving"
        for model in MODELS if kept else MODELS[:1]:
            shade = colour(model) if kept else SHADES[position]
            line = data.a.sel(law=law, model=model)
            axes.plot(data.K, line, color=shade, ls=drawing.STROKES[position])
    some = data.sel(K_diffusion=slice(None, 1e9))
    axes.plot(some.K_diffusion, some.a_diffusion, color=colour("conductance"), ls=":", lw=1)
    axes.set(xscale="log", yscale="log", xlabel="in-degree $K$", ylabel="efficacy $a$")
    axes.set_xticks([1e2, 1e5, 1e8])
    axes.minorticks_off()


def _draw_rates(axes, data):
    for index, model in enumerate(MODELS):
        for position, law in enumerate(LAWS):
            at = {"law": law, "model": model}
            line = data.rate.sel(at).sel(r_E=R_E, method="nearest")
            axes.plot(data.K, line, color=colour(model), ls=drawing.STROKES[position], lw=1)
            value = data.rate_exact.sel(at).sel(r_E_exact=R_E)
            error = data.rate_sem_exact.sel(at).sel(r_E_exact=R_E)
            x = data.K * 1.12 ** (2 * index - 1)  # side by side, or they hide each other
            value = value.where(value > 0)
            drawing.points(axes, x, value, error, colour(model), position, model == "conductance")
    axes.set(xscale="log", yscale="log", ylim=(1e-2, 600), xlabel="in-degree $K$")
    axes.set_xticks([1e2, 1e3, 1e4, 1e5])
    axes.minorticks_off()
    axes.set_ylabel("rate at $r_E$ = 20 Hz (Hz)")


def _draw_slope(axes, data):
    shade = colour("conductance")
    axes.plot(data.K_diffusion, data.slope * 1e3, color=shade)
    axes.plot(data.K_diffusion, data.slope_theory * 1e3, ls="--", color="0.2", lw=1)
    axes.axhline(float(data.C_diffusion) * 1e3, color="0.6", lw=0.8)
    axes.text(2e11, float(data.C_diffusion) * 1e3 - 0.15, "$C$", va="top", size=7)
    above = data.slope_theory.sel(K_diffusion=1e3, method="nearest")
    axes.text(3e3, float(above) * 1e3, "$C + a/2$", va="bottom", size=7)
    axes.set(
        xscale="log", xlabel="in-degree $K$", ylabel=r"$10^3\,\mathrm{d}\ln K/\mathrm{d}(1/a)$"
    )
    axes.set_xticks([1e2, 1e5, 1e8, 1e11])
    axes.minorticks_off()


def _draw_responses(column, data, model, law):
    shade = colour(model)
    for position, K in _shown(data):
        at = {"model": model, "law": law, "K": K}
        for axes, name in zip(column, ("rate", "cv"), strict=True):
            line = data[name].sel(at)
            axes.plot(data.r_E, line, color=shade, ls=drawing.STROKES[position], lw=1)
            value = data[f"{name}_exact"].sel(at)
            error = data[f"{name}_sem_exact"].sel(at)
            value = value.where(value > 0)
            x = data.r_E_exact * 1.05 ** (position - 1.5)
            drawing.points(axes, x, value, error, shade, position, model == "conductance")
    for axes in column:
        axes.set(xscale="log")
        axes.set_xticks([10, 20, 50], ["10", "20", "50"])
        axes.minorticks_off()
