"""How the efficacy may fall with the in-degree so that one neuron keeps firing irregularly."""

import numpy as np

from cbnet import plotting
from cbnet.errors import ParameterError
from cbnet.theory import scaling as laws

from . import shared
from .shared import exact, gathered, hertz, key, respond

TITLE = "One neuron under four laws of the efficacy"
LAWS = ("sqrt", "inverse", "log", "preserving")
R_E, RATIO, RATE = 20.0, 0.8, 5.0  # Hz, r_I/r_E, Hz: the response that is kept
K_START = 1000
LABELS = {
    "sqrt": r"$1/\sqrt{K}$",
    "inverse": r"$1/K$",
    "log": r"$1/\log K$",
    "preserving": "response kept",
}
SHADES = ("#0173b2", "#949494", "#de8f05", "#d55e00")
SETTINGS = {
    "quick": {
        "K_shot": [100, 1000, 10_000, 100_000],
        "K_diffusion": [10.0**k for k in range(2, 13)],
        "inputs": [6, 10, 16, 20, 28, 45, 80],
        "inputs_exact": [10.0, 20.0, 50.0],
        "arrivals": 3e6,
        "seconds": 6.0,
        "seed": 2,
    },
    "full": {
        "K_shot": [100, 316, 1000, 3162, 10_000, 31_623, 100_000],
        "K_diffusion": [10.0**k for k in np.arange(2, 12.1, 0.25)],
        "inputs": [5, 6, 8, 10, 12, 14, 16, 18, 20, 23, 26, 30, 35, 42, 50, 65, 80, 100],
        "inputs_exact": [10.0, 20.0, 35.0, 50.0],
        "arrivals": 1e9,
        "seconds": 300.0,
        "seed": 2,
    },
}
MINUTES = {"quick": 1.5, "full": 30}
CAPTION = (
    "One neuron with conductance synapses (r_I = 0.8 r_E), efficacy following four laws from the "
    "value at which it fires at 5 Hz for r_E = 20 Hz and K = 1000. (a) Efficacy against K; "
    "response kept: solid with finite jumps, dotted for white noise. (b) Exactly simulated rate "
    "at r_E = 20 Hz against K, lines with finite jumps. (c) The local slope d ln K/d(1/a) of the "
    "efficacy that keeps the response (white noise): it approaches C + a/2 (dashed), and C (line) "
    "only beyond any K of interest. (d-k) Rate and CV against the input rate for K = 100 to "
    "100,000 under each law (for K = 100 no efficacy gives the response). With 1/√K the neuron "
    "falls silent at a fixed input, with 1/K earlier, with 1/log K and this prefactor its rate "
    "grows slowly; keeping the response needs an efficacy between 1/√K and 1/log K. Markers: "
    "exact event-driven simulations with two standard errors; lines: theory with finite jumps."
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


def compute(progress, *, K_shot, K_diffusion, inputs, inputs_exact, arrivals, seconds, seed):
    """Efficacies, and responses to input, under each law.

    Returns
    -------
    xarray.Dataset
    """
    settings = {k: v for k, v in locals().items() if k != "progress"}
    start = _start()
    items = [(start["shot"], law, K, "shot") for law in LAWS for K in K_shot]
    a = shared.each(_efficacy, items, progress, "efficacies with finite jumps")
    white = [(start["diffusion"], "preserving", K, "diffusion") for K in K_diffusion]
    a_white = np.array(shared.each(_efficacy, white, progress, "efficacies with white noise"))
    params = [
        start["shot"].replace(K=int(K), a=a[i]) if np.isfinite(a[i]) else None
        for i, (_, _, K, _) in enumerate(items)
    ]
    found = _everywhere(params, inputs, respond, "shot", progress, "responses")
    how = {"arrivals": arrivals, "seconds": seconds, "seed": seed}
    seen = _everywhere(params, inputs_exact, exact, how, progress, "exact simulations")
    slope = np.gradient(np.log(K_diffusion), 1 / a_white)
    shape = (len(LAWS), len(K_shot))
    d, e = ("law", "K", "r_E"), ("law", "K", "r_E_exact")
    variables = {
        "law": ("law", list(LAWS)),
        "K": ("K", K_shot, "1", "in-degree"),
        "K_diffusion": ("K_diffusion", K_diffusion, "1", "in-degree, white noise"),
        "r_E": ("r_E", np.asarray(inputs, float), "Hz", "rate of each excitatory input"),
        "r_E_exact": ("r_E_exact", inputs_exact, "Hz", "the same, simulations"),
        "a": (("law", "K"), np.reshape(a, shape), "1", "efficacy, finite jumps"),
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
        "rate": (d, np.reshape(found["rate"], (*shape, -1)), "Hz", "rate, finite jumps"),
        "cv": (d, np.reshape(found["cv"], (*shape, -1)), "1", "CV, finite jumps"),
    }
    for name, unit in (("rate", "Hz"), ("rate_sem", "Hz"), ("cv", "1"), ("cv_sem", "1")):
        values = np.reshape(seen[name], (*shape, -1))
        variables[f"{name}_exact"] = (e, values, unit, f"{name}, simulation")
    return shared.dataset(TITLE, {"start": start["shot"]}, settings, variables)


def _everywhere(params, inputs, work, how, progress, name):
    """Numbers at every input for parameters that exist, NaN for others; flat arrays by name."""
    kept = np.repeat([p is not None for p in params], len(inputs))
    items = [(p, r, RATIO * r, how) for p in params if p is not None for r in inputs]
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
        height = 14.5 * shared.CENTIMETRE
        figure = shared.Figure(figsize=(shared.WIDE, height), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=(1, 1.75))
        top = above.subplots(1, 3)
        grid = below.subplots(2, 4, sharex=True, sharey="row")
        _draw_efficacies(top[0], data)
        _draw_rates(top[1], data)
        _draw_slope(top[2], data)
        for column, law in enumerate(LAWS):
            _draw_responses(grid[:, column], data, law)
        grid[0, 0].set(ylabel="rate (Hz)", yscale="log", ylim=(1e-2, 600))
        grid[1, 0].set(ylabel="CV of intervals", ylim=(0, 1.15))
        shared.letter([*top, *grid.flat])
        handles = [
            *(key(LABELS[law], SHADES[i], i) for i, law in enumerate(LAWS)),
            *(key(f"$K$ = {shared.power(K)}", "0.2", i, True) for i, K in _shown(data)),
            *shared.theory_and_simulation("finite jumps"),
        ]
        shared.legend(figure, handles, 5)
    return figure


def _shown(data):
    K = data.K.values
    return list(enumerate(K[:: max(1, len(K) // 4)]))


def _draw_efficacies(axes, data):
    for position, law in enumerate(LAWS):
        style = {"color": SHADES[position], "ls": shared.STROKES[position]}
        axes.plot(data.K, data.a.sel(law=law), **style)
    some = data.sel(K_diffusion=slice(None, 1e9))
    axes.plot(some.K_diffusion, some.a_diffusion, color=SHADES[3], ls=":", lw=1)
    axes.set(xscale="log", yscale="log", xlabel="in-degree $K$", ylabel="efficacy $a$")
    axes.set_xticks([1e2, 1e5, 1e8])
    axes.minorticks_off()


def _draw_rates(axes, data):
    for position, law in enumerate(LAWS):
        line = data.rate.sel(law=law).interp(r_E=R_E)
        axes.plot(data.K, line, color=SHADES[position], ls=shared.STROKES[position])
        value = data.rate_exact.sel(law=law, r_E_exact=R_E)
        error = data.rate_sem_exact.sel(law=law, r_E_exact=R_E)
        shared.points(axes, data.K, value.where(value > 0), error, SHADES[position], position)
    axes.set(xscale="log", yscale="log", ylim=(1e-2, 600), xlabel="in-degree $K$")
    axes.set_ylabel("rate at $r_E$ = 20 Hz (Hz)")


def _draw_slope(axes, data):
    shade = SHADES[3]
    axes.plot(data.K_diffusion, data.slope * 1e3, "o", ms=2.5, color=shade)
    axes.plot(data.K_diffusion, data.slope_theory * 1e3, ls="--", color="0.2", lw=1)
    axes.axhline(float(data.C_diffusion) * 1e3, color="0.6", lw=0.8)
    axes.text(2e11, float(data.C_diffusion) * 1e3, "$C$", va="top", size=7)
    axes.text(3e3, float(data.slope_theory[1]) * 1e3, "$C + a/2$", va="bottom", size=7)
    axes.set(
        xscale="log", xlabel="in-degree $K$", ylabel=r"$10^3\,\mathrm{d}\ln K/\mathrm{d}(1/a)$"
    )
    axes.set_xticks([1e2, 1e5, 1e8, 1e11])
    axes.minorticks_off()


def _draw_responses(column, data, law):
    shade = SHADES[LAWS.index(law)]
    for position, K in _shown(data):
        at = {"law": law, "K": K}
        for axes, name in zip(column, ("rate", "cv"), strict=True):
            line = data[name].sel(at)
            axes.plot(data.r_E, line, color=shade, ls=shared.STROKES[position], lw=1)
            value = data[f"{name}_exact"].sel(at)
            error = data[f"{name}_sem_exact"].sel(at)
            value = value.where(value > 0)
            x = data.r_E_exact * 1.05 ** (position - 1.5)
            shared.points(axes, x, value, error, shade, position)
    column[0].set_title(LABELS[law], loc="left")
    column[1].set(xscale="log", xlabel="$r_E$ (Hz)")
    column[1].set_xticks([10, 20, 50], ["10", "20", "50"])
    column[1].minorticks_off()
