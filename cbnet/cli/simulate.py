"""``cbnet simulate``: one network simulation."""

from typing import Annotated

import typer

from ..model.parameters import Parameters
from . import networks, options, output, progress, tables

# What says something of E and I that a network of named populations says itself.
_OF_E_AND_I = ("N", "initial", "fraction_excitatory", "arrivals", "storage")
EXAMPLES = (
    "cbnet simulate conductance -N 1250 --set K=100 --set a=0.005 --set nu_X=80Hz",
    "cbnet simulate current -N 2500 --set K=400 --set a=.0024 --duration .2s --json",
)


def simulate(
    ctx: typer.Context,
    model: options.ModelOrNetwork,
    settings: options.Settings = None,
    N: options.Neurons = "10_000",
    duration: options.Duration = "1s",
    transient: options.Transient = None,
    dt: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time step, as in 0.05ms; chosen for an error below 1 % in random order of "
            "arrivals if not given.",
            show_default=False,
        ),
    ] = None,
    record: Annotated[
        str,
        typer.Option(
            metavar="INTEGER",
            help="Neurons whose spikes and voltage are kept, in every step; or, instead:",
        ),
    ] = "0",
    record_spikes: Annotated[
        str,
        typer.Option(metavar="INTEGER", help="Neurons of each population whose spikes are kept."),
    ] = "0",
    record_v: Annotated[
        str,
        typer.Option(metavar="INTEGER", help="Neurons of each population whose voltage is kept,"),
    ] = "0",
    record_every: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="in such intervals, as in 1ms (every time step if not given),",
            show_default=False,
        ),
    ] = None,
    record_dtype: Annotated[
        str | None,
        typer.Option(
            metavar="float64|float32",
            help="in so many digits: float32 takes half of the memory.",
            show_default=False,
        ),
    ] = None,
    initial: options.Initial = "uniform",
    fraction_excitatory: options.FractionExcitatory = "0.8",
    arrivals: Annotated[
        str,
        typer.Option(
            metavar="random|brian2",
            help="Order of the arrivals of a step: random, the threshold tested after each; or all "
            "excitatory ones, then all inhibitory ones, as Brian2's Synapses have it: for "
            "comparison, since it is off by more, as the estimated error says.",
        ),
    ] = "random",
    storage: Annotated[
        str,
        typer.Option(
            metavar="auto|stored|bitmap|procedural",
            help="How synapses are kept: chosen by memory and speed, or forced.",
        ),
    ] = "auto",
    dt_check: Annotated[
        bool,
        typer.Option("--dt-check", help="Run again with a quarter of the time step; compare."),
    ] = False,
    seed: options.Seed = "0",
    graph_seed: options.GraphSeed = None,
    out: options.Out = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
):
    """One simulation of the network with Brian2, compiled to C++.

    The in-degrees must fit: more than K excitatory and gamma K inhibitory neurons. A network of
    named populations has its sizes and starts itself: -N, --initial and --fraction-excitatory are
    for models of E and I.
    """
    params = options.asked(model, settings)
    given = options.network(
        N, duration, transient, dt, initial, fraction_excitatory, seed, graph_seed
    )
    given["record"] = options.recording(record, record_spikes, record_v, record_every, record_dtype)
    named = not isinstance(params, Parameters)
    if named:
        networks.refuse_given(ctx, *_OF_E_AND_I)
        given = {name: x for name, x in given.items() if name not in _OF_E_AND_I}
    else:
        given |= {"arrivals": arrivals, "storage": storage}
    with output.saving(out) as save:
        from ..simulation.run import simulate as run
        from ..simulation.run import step_check

        with progress.reporter(quiet) as reporter:
            result = run(params, progress=reporter, **given)
            checked = step_check(result, progress=reporter, **given) if dt_check else None
        if as_json:
            shown = result.to_dict()
            output.print_json(shown | {"dt_check": checked.to_dict()} if checked else shown)
        else:
            (networks.show_simulation if named else show)(result)
            if checked:
                print(checked, flush=True)
        output.announce(save.result(result, output.file_name("simulate", params)), as_json)


def show(result):
    """Print a result for a person."""
    out = tables.console()
    how = [result.storage, f"initial voltage {result.initial}"]
    if result.arrivals == "brian2":
        how.append("arrivals in Brian2's order")
    tables.header(
        out,
        result.parameters,
        f"simulation of the network ({', '.join(how)})",
        unused=result.unused,
    )
    names = {"V_mean_mV": "V of E neurons, mean", "V_sd_mV": "V of E neurons, sd"}
    out.print(tables.quantities(result, leave_out=("storage", "notes"), names=names))
    out.print(tables.currents(result, " of E neurons"))
    for note in filter(None, result.notes.split("; ")):
        out.print(f"Not known: {note}", markup=False)
    count = float(result.in_si("rate_E")) * result.N_E * 1e-3
    if (swing := tables.swing(result.fano_1ms, count)) > tables.SYNCHRONOUS:
        out.print(
            f"The population rate varies by {swing:.0%} of its mean from one ms to the next: "
            "neurons fire together, and no theory of an asynchronous state holds."
        )
