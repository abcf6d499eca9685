"""Rate and irregularity of whole networks against their input."""

import numpy as np

from cbnet.results import plotting

from . import drawing, shared
from .drawing import colour, key
from .shared import hertz, leading_mode, solve

TITLE = "Response of networks to external input"
MODELS, SCALINGS = ("conductance", "current"), ("sqrt", "log")
SETTINGS = {
    "quick": {
        "K": [400, 1600, 4000],
        "inputs": [11, 12, 14, 17, 20, 22, 25, 30, 37, 45, 60, 80],
        "inputs_simulated": [20.0, 45.0, 80.0],
        "N": 10_000,
        "duration": "0.4s",
        "broad": {"K": 1600, "N": 10_000, "duration": "1.2s", "transient": "1s"},
        "storage": "stored",
        "seeds": [3, 4],
    },
    "full": {
        "K": [400, 1000, 4000, 10_000, 100_000],
        "inputs": [6, 8, 10, 12, 14, 17, 20, 25, 30, 37, 45, 55, 65, 80, 100],
        "inputs_simulated": [10.0, 20.0, 30.0, 50.0, 80.0],
        "N": None,
        "duration": "1s",
        "broad": {"K": 1600, "N": 40_000, "duration": "3s", "transient": "2s"},
        "storage": "auto",
        "seeds": [3, 4, 5],
    },
}
MINUTES = {"quick": 2.7, "full": 1600}
BROAD = "100ms"  # the longest of delays that leave no rhythm to a loop; elsewhere it is 10 ms
RASTER = {"neurons": 40, "window": 0.2}  # excitatory ones; s
_BRANCHES = 3
_DIAMOND = drawing.MARKERS.index("D")
CAPTION = (
    "Networks of conductance and of current synapses, efficacy falling as 1/√K or as 1/log K from "
    "a = 0.0015 at K = 1000. (a-d) Excitatory rate and (e-h) CV of intervals against the rate of "
    "each external input; dash patterns and markers distinguish in-degrees, the grey line is the "
    "balance line. All self-consistent states of the theory (finite jumps) are drawn, unstable "
    "ones thin. (i, j) Spikes of 40 excitatory neurons of each network at the middle in-degree and "
    "input under 1/√K. Diamonds (b, f): networks of current synapses whose delays are uniform up "
    "to 100 instead of 10 ms, K = 1600. Markers: simulations of {GRAPHS}; crossed "
    "where the population fires together (Fano factor in 1 ms above 30), which no theory of an "
    "asynchronous state describes."
)


def _point(model, scaling, K, nu_X):
    return shared.base(model).scaled(scaling, int(K)).replace(nu_X=hertz(nu_X))


def compute(progress, *, K, inputs, inputs_simulated, N, duration, broad, storage, seeds):
    """Fixed points and simulations.

    Returns
    -------
    xarray.Dataset
    """
    settings = {k: v for k, v in locals().items() if k != "progress"}
    combinations = [(m, s, k) for m in MODELS for s in SCALINGS for k in K]
    grid = sorted({*inputs, *inputs_simulated})
    items = [(_point(*c, rate), None) for c in combinations for rate in grid]
    solutions = shared.each(solve, items, progress, "fixed points of networks")
    points = []
    raster = ("sqrt", K[len(K) // 2], inputs_simulated[len(inputs_simulated) // 2])
    seconds = shared.base("current").model.entry("tau_L", "duration").parse(duration, "duration")
    for model, scaling, k in combinations:
        for rate in inputs_simulated:
            params = _point(model, scaling, k, rate)
            options = {"N": N or shared.network_size(k)}
            if (scaling, k, rate) == raster:
                options["record"] = np.arange(RASTER["neurons"])
            # where input is low rare intervals are to be measured as well
            longer = seconds * max(1.0, max(inputs_simulated) / rate / 2)
            points.append((params, {**options, "duration": shared.to_quantity(longer, "s")}))
    broad_points = [
        (
            _point("current", "sqrt", broad["K"], rate).replace(D_max=BROAD),
            {name: value for name, value in broad.items() if name != "K"},
        )
        for rate in inputs_simulated
    ]
    runs, first = shared.simulate_graphs(
        points + broad_points,
        shared.measured("rate_E", "rate_I", "cv_E", "V_sd", "fano_1ms"),
        progress,
        seeds=seeds,
        storage=storage,
    )
    runs, broad_runs = runs[: len(points)], runs[len(points) :]
    shape = (len(MODELS), len(SCALINGS), len(K))
    dims = ("model", "scaling", "K")
    variables = {
        "model": ("model", list(MODELS)),
        "scaling": ("scaling", list(SCALINGS)),
        "K": ("K", K, "1", "in-degree"),
        "nu_X": ("nu_X", np.asarray(grid, float), "Hz", "rate of each external input"),
        "nu_X_simulated": ("nu_X_simulated", inputs_simulated, "Hz", "the same, simulations"),
        "balance_line": (
            "nu_X",
            [s["balance_line"] for s in solutions[: len(grid)]],
            "Hz",
            "balance line",
        ),
    }
    for name, unit in (("rate_E", "Hz"), ("cv_E", "1"), ("V_sd", "mV"), ("stable", "1")):
        values = np.full((len(solutions), _BRANCHES), np.nan)
        for i, one in enumerate(solutions):
            count = min(_BRANCHES, len(one[name]))
            values[i, :count] = one[name][:count]
        values = values.reshape(*shape, len(grid), _BRANCHES)
        variables[f"{name}_theory"] = ((*dims, "nu_X", "branch"), values, unit, f"{name}, theory")
    places = [(c, rate) for c in combinations for rate in grid]
    mu = [
        shared.mean_potential(_point(*c, rate), rate + one["rate_E"][0], one["rate_I"][0])[0]
        for (c, rate), one in zip(places, solutions, strict=True)
    ]
    values = np.reshape(np.array(mu, float), (*shape, len(grid)))
    meaning = "mean potential at the rates of the first state of theory"
    variables["mu_theory"] = ((*dims, "nu_X"), values, "mV", meaning)
    many = (*shape, len(inputs_simulated))
    simulated = (*dims, "nu_X_simulated")
    for name, unit in (
        ("rate_E", "Hz"),
        ("cv_E", "1"),
        ("V_sd", "mV"),
        ("fano_1ms", "1"),
    ):
        for suffix in ("", "_sem"):
            values = np.reshape([r[name + suffix] for r in runs], many)
            variables[name + suffix] = (simulated, values, unit, f"{name}, simulation")
            values = [r[name + suffix] for r in broad_runs]
            meaning = f"{name}, simulation, current synapses with delays up to {BROAD}"
            variables[f"broad_{name}{suffix}"] = ("nu_X_simulated", values, unit, meaning)
    variables |= _broad_theory(progress, broad_points)
    rate_I = np.reshape([r["rate_I"] for r in runs], many)
    variables["rate_I"] = (simulated, rate_I, "Hz", "inhibitory rate, simulation")
    mu = [
        shared.mean_potential(p, float(p.nu_X) + r["rate_E"], r["rate_I"])
        for (p, _), r in zip(points, runs, strict=True)
    ]
    values = np.reshape([float(m) for m, _ in mu], many)
    variables |= _modes(progress, K[-1], inputs_simulated)
    variables["mu"] = (simulated, values, "mV", "mean potential at the simulated rates")
    for (params, _), run in zip(points, first[: len(points)], strict=True):
        if len(run.recorded):
            variables |= _raster(params.model.name, run)
    parameters = {model: shared.base(model) for model in MODELS}
    return shared.dataset(TITLE, parameters, settings, variables)


def _modes(progress, K, inputs):
    """Whether the asynchronous state is stable at the largest in-degree, by linear theory."""
    items = [_point(m, s, K, rate) for m in MODELS for s in SCALINGS for rate in inputs]
    found = shared.each(leading_mode, items, progress, "modes at the largest in-degree")
    shape, dims = (len(MODELS), len(SCALINGS), -1), ("model", "scaling", "nu_X_simulated")
    return _of_modes("mode", found, dims, shape, "the leading mode at the largest K")


def _of_modes(prefix, found, dims, shape, meaning):
    return {
        f"{prefix}_{name}": (dims, shared.gathered(found, name, shape), unit, f"{what}, theory")
        for name, unit, what in (
            ("growth", "1/s", f"growth rate of {meaning}"),
            ("frequency", "Hz", f"frequency of {meaning}"),
        )
    }


def _broad_theory(progress, points):
    """Irregularity and leading modes of the networks with broad delays."""
    params = [params for params, _ in points]
    modes = shared.each(leading_mode, params, progress, "modes with broad delays")
    states = shared.each(solve, [(p, None) for p in params], progress, "their fixed points")
    cv = [float(one["cv_E"][0]) for one in states]
    meaning = f"current synapses with delays up to {BROAD}"
    found = {"broad_cv_E_theory": ("nu_X_simulated", cv, "1", f"cv_E, {meaning}, theory")}
    mode = f"the leading mode, {meaning}"
    return found | _of_modes("broad_mode", modes, "nu_X_simulated", (-1,), mode)


def _raster(model, run):
    times = run.in_units("spike_times") - run.in_units("transient")
    kept = (times < RASTER["window"]) & (times >= 0)
    rows, spikes = np.searchsorted(run.recorded, run.spike_neurons), f"spike_{model}"
    return {
        f"raster_time_{model}": (spikes, times[kept] * 1e3, "ms", "spikes"),
        f"raster_neuron_{model}": (spikes, rows[kept], "1", "recorded neuron"),
    }


def draw(data):
    """The figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with plotting.style():
        height = 15.5 * drawing.CENTIMETRE
        figure = drawing.Figure(figsize=(drawing.WIDE, height), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=(3, 1))
        grid = above.subplots(2, 4, sharex=True, sharey="row")
        pairs = [(model, scaling) for scaling in SCALINGS for model in MODELS]
        for column, pair in zip(grid.T, pairs, strict=True):
            _draw_pair(column, data, *pair)
        grid[0, 0].set(ylabel="excitatory rate (Hz)", ylim=(0, None))
        grid[1, 0].set(ylabel="CV of intervals", ylim=(0, None))
        rasters = below.subplots(1, 2)
        for axes, model in zip(rasters, MODELS, strict=True):
            axes.plot(
                data[f"raster_time_{model}"],
                data[f"raster_neuron_{model}"],
                ls="",
                marker="|",
                ms=2.2,
                mew=0.7,
                color=colour(model),
            )
            axes.set(xlabel="time (ms)", ylabel="neuron", xlim=(0, RASTER["window"] * 1e3))
            K, rate = (values[len(values) // 2] for values in (data.K, data.nu_X_simulated))
            name = f"{model} synapses, {plotting.SCALING_NAMES['sqrt']}, $K$ = {float(K):g}"
            axes.set_title(rf"{name}, $\nu_X$ = {float(rate):g} Hz", loc="left")
        drawing.letter([*grid.flat, *rasters])
        handles = [
            *drawing.model_keys(),
            key("balance line", "0.6", 0, lw=0.8),
            *(key(f"$K$ = {k:g}", "0.2", i, True) for i, k in enumerate(data.K.values)),
            *drawing.theory_and_simulation("finite jumps"),
            drawing.together_key(),
            key("b, f: delays up to 100 ms", colour("current"), _DIAMOND, True, False, lw=0),
        ]
        drawing.legend(figure, handles, 4)
    return figure


def _draw_pair(column, data, model, scaling):
    shade = colour(model)
    rate, cv = column
    rate.plot(data.nu_X, data.balance_line, color="0.6", lw=0.8, zorder=0)
    for position, K in enumerate(data.K.values):
        at = {"model": model, "scaling": scaling, "K": K}
        for axes, name in ((rate, "rate_E"), (cv, "cv_E")):
            for branch in range(data.sizes["branch"]):
                line = data[f"{name}_theory"].sel(at).isel(branch=branch)
                stable = data.stable_theory.sel(at).isel(branch=branch) == 1
                stroke = drawing.STROKES[position % len(drawing.STROKES)]
                axes.plot(data.nu_X, line.where(stable), color=shade, ls=stroke, lw=1)
                axes.plot(data.nu_X, line.where(~stable), color=shade, ls=stroke, lw=0.5)
            value, error = data[name].sel(at), data[f"{name}_sem"].sel(at)
            x = data.nu_X_simulated + 1.6 * (position - 1)
            options = {"filled": model == "conductance"}
            drawing.points(axes, x, value, error, shade, position, **options)
            drawing.cross_together(axes, x, value, data.fano_1ms.sel(at))
    if (model, scaling) == ("current", "sqrt"):
        for axes, name in ((rate, "rate_E"), (cv, "cv_E")):
            value, error = data[f"broad_{name}"], data[f"broad_{name}_sem"]
            drawing.points(axes, data.nu_X_simulated, value, error, shade, _DIAMOND, filled=False)
            drawing.cross_together(axes, data.nu_X_simulated, value, data.broad_fano_1ms)
    rate.set_title(f"{model}, {plotting.SCALING_NAMES[scaling]}", loc="left", size=7.5)
    cv.set_xlabel(r"$\nu_X$ (Hz)")
