"""Networks of named populations: how commands show them."""

import math

from ..errors import ParameterError
from . import tables

_STATE = (
    *(("rate_Hz", "rate\nHz"), ("cv", "CV\n"), ("V_mean_mV", "V mean\nmV")),
    *(("V_sd_mV", "V sd\nmV"), ("tau_eff_ms", "tau_eff\nms")),
)
_SIMULATED = (
    *(("rate", "rate\nHz"), ("cv", "CV\n"), ("cv2", "CV2\n"), ("lvr", "LvR\n")),
    *(("V_mean", "V mean\nmV"), ("V_sd", "V sd\nmV"), ("fano_1ms", "Fano\n1 ms")),
)
_COMPARED = (("rate_Hz", "rate, Hz"), ("cv", "CV"), ("V_mean_mV", "V mean, mV"))


def refuse_given(ctx, *names):
    """Refuse options of E and I that were given with a network, which says such things itself.

    Parameters
    ----------
    ctx : typer.Context
    names : str
        Of the command's parameters.
    """
    for name in names:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            raise ParameterError(
                f"{name}: got {ctx.params[name]} for a network of named populations, which says it "
                "itself; leave it out, or change the network"
            )


def header(out, net, what, noise=None, unused=()):
    """The lines above a table: what was computed, and how."""
    out.print(f"network of {len(net.names)} populations: {what}", style="bold", markup=False)
    if noise is not None:
        out.print(tables.describe_noise(noise), markup=False)
    if unused:
        out.print(f"not used: {', '.join(unused)}", markup=False)


def parts(net):
    """What a network is made of, as plain data: populations, projections, inputs, currents."""
    return net.to_dict()


def show_parts(net):
    """Print what a network is made of."""
    out = tables.console()
    header(out, net, "parameters")
    out.print(str(net), markup=False, soft_wrap=True)


def show_states(result):
    """Print the states of a network, of a :class:`cbnet.theory.network_states.NetworkSolution`."""
    out = tables.console()
    data = result.to_dict()
    header(out, result.parameters, "fixed points", data["noise"], result.unused)
    for k, state in enumerate(data["fixed_points"], 1):
        table = tables.grid(f"state {k}\n", *(column for _, column in _STATE))
        for name in data["populations"]:
            cells = [
                (tables.rate if key == "rate_Hz" else tables.value)(state[key][name], digits=5)
                for key, _ in _STATE
            ]
            table.add_row(name, *cells)
        out.print(table)
        out.print(_mode(state))
    if not data["complete"]:
        out.print("Some state was not found: the signs of the determinants do not add up to one.")
    out.print(f"estimated relative error: {tables.value(data['error'], digits=2)}")


def _mode(state):
    word = "stable" if state["stable"] else "unstable"
    growth, frequency = state["growth_rate_per_s"], state["frequency_Hz"]
    if growth is None:
        return word
    shown = f"{word}; leading mode: growth {growth:.4g}/s"
    return shown + (f" at {frequency:.4g} Hz" if frequency else "")


def show_simulation(result):
    """Print a simulation of a network."""
    out = tables.console()
    header(out, result.parameters, "simulation", unused=result.unused)
    table = tables.grid("population\n", "neurons\n", *(column for _, column in _SIMULATED))
    table.collapse_padding = True
    table.columns[0].no_wrap = True
    columns = {
        name: (result.in_units(name), result.in_units(f"{name}_sem")) for name, _ in _SIMULATED
    }
    for p, name in enumerate(result.populations):
        cells = [
            (tables.rate if key == "rate" else tables.value)(
                *(_or_none(x[p]) for x in columns[key]), digits=4, sem_digits=1
            )
            for key, _ in _SIMULATED
        ]
        table.add_row(str(name), tables.value(int(result.sizes[p])), *cells)
    out.print(table)
    _tell_together(out, list(result.populations), result)
    for note in filter(None, result.notes.split("; ")):
        out.print(f"Not known: {note}", markup=False)


def _tell_together(out, names, result, prefix=""):
    """Name the populations whose neurons fire together."""
    counts = result.in_si(f"{prefix}rate") * result.sizes * 1e-3
    swings = map(tables.swing, getattr(result, f"{prefix}fano_1ms"), counts)
    pairs = zip(names, swings, strict=True)
    found = [f"{name} by {x:.0%}" for name, x in pairs if x > tables.SYNCHRONOUS]
    if found:
        out.print(
            "From one ms to the next population rates vary by much of their mean ("
            f"{', '.join(found)}): neurons fire together, and no theory of an asynchronous state "
            "holds."
        )


def _or_none(x):
    x = float(x)
    return None if math.isnan(x) else x


def show_comparison(result):
    """Print theory beside simulation, population by population."""
    out = tables.console()
    data = result.to_dict()
    header(out, result.parameters, "theory beside simulation")
    out.print(
        data["noise"] if data["noise"].startswith("no theory") else
        tables.describe_noise(data["noise"]), markup=False
    )  # fmt: skip
    headers = [h for _, word in _COMPARED for h in (f"{word}\ntheory", "\nsimulation")]
    table = tables.grid("population\n", *headers)
    table.collapse_padding = True
    for name in data["populations"]:
        cells = []
        for key, _ in _COMPARED:
            show = tables.rate if key == "rate_Hz" else tables.value
            cells.append(show(data["theory"][key][name], digits=4))
            measured = data["simulation"]
            cells.append(
                show(measured[key][name], measured[f"{key}_sem"][name], digits=4, sem_digits=1)
            )
        table.add_row(name, *cells)
    out.print(table)
    _tell_together(out, data["populations"], result, "simulation_")
    what = "over graphs and noise" if data["seeds"] > 1 else "over noise in one graph"
    out.print(f"simulation: mean ± standard error {what}, {data['seeds']} seed(s)")
    if data["fixed_points"] > 1:
        out.print(f"The theory has {data['fixed_points']} states; shown is the stable one that "
                  "fires most")  # fmt: skip
