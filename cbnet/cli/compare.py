"""``cbnet compare``: current against conductance synapses, theory beside simulation."""

import csv
import io
from typing import Annotated

import typer

from ..errors import ParameterError
from ..model.entry import SEED
from ..model.parameters import Parameters
from . import networks, options, output, progress, tables

EXAMPLES = (
    "cbnet compare --K 400,1600 --simulate-K 400 --nu-X 50Hz --seeds 1",
    "cbnet compare --K 400,1600,6400 --simulate-K none --json",
)
NOTES = options.NOISE_NOTES
FOLDER = "cbnet-compare"
_OF_E_AND_I = ("model", "K", "simulate_K", "nu_X", "scaling", "N")


def compare(
    ctx: typer.Context,
    network: Annotated[
        str | None,
        typer.Argument(
            metavar="[NETWORK]",
            help="A network that ships, FILE.toml or FILE.py:OBJECT: its theory beside its "
            "simulation. Current against conductance synapses of E and I if not given.",
            show_default=False,
        ),
    ] = None,
    settings: options.Settings = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="A model to compare; any number of times. conductance and current if not given; "
            "--set holds for all of them.",
            show_default=False,
        ),
    ] = None,
    K: Annotated[
        str | None,
        typer.Option(
            "--K",
            metavar="INTEGERS",
            help="In-degrees of the theory; 400,1600,6400,25600 if not given.",
            show_default=False,
        ),
    ] = None,
    simulate_K: Annotated[
        str | None,
        typer.Option(
            "--simulate-K",
            metavar="INTEGERS|none",
            help="Those of them that are simulated too; 400,1600 if not given.",
            show_default=False,
        ),
    ] = None,
    nu_X: Annotated[
        str | None,
        typer.Option(
            "--nu-X",
            metavar="RATES",
            help="Rates of each external input; 30Hz,50Hz,80Hz if not given.",
            show_default=False,
        ),
    ] = None,
    scaling: Annotated[
        str,
        typer.Option(
            metavar="NAMES", help="How the efficacy follows K: sqrt, preserving, log, inverse."
        ),
    ] = "sqrt,preserving",
    noise: options.Noise = None,
    N: Annotated[
        str | None,
        typer.Option(
            "-N",
            metavar="INTEGER",
            help="Neurons in all; five times K, and at least 5000, if not given.",
            show_default=False,
        ),
    ] = None,
    duration: Annotated[
        str, typer.Option(metavar="TIME", help="What is measured of each simulation.")
    ] = "0.5s",
    transient: options.Transient = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="INTEGER", help="Simulations of each row (2; 1 if large).", show_default=False
        ),
    ] = None,
    seed: options.Seed = "1",
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help=f"Folder of the files; a new folder {FOLDER} if not given.",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
):
    """Current against conductance synapses, theory beside simulation: table, figure, data."""
    if network is not None:
        networks.refuse_given(ctx, *_OF_E_AND_I)
        _compare_network(
            options.asked(network, settings),
            out,
            as_json,
            quiet,
            {
                "noise": noise,
                "duration": options.physical(duration, "--duration", "s", above=0),
                "transient": options.physical(transient, "--transient", "s", at_least=0),
                "seeds": options.whole(seeds, "--seeds", above=0) or 2,
                "seed": SEED.parse(seed, "--seed"),
            },
        )
        return
    params = options.parameters(model[0] if model else "conductance", settings)
    rows = [options.physical(part, "--nu-X", "Hz", at_least=0) for part in options.listed(nu_X)]
    given = {
        "models": model,
        "K": _whole_numbers(K, "--K"),
        "simulate_K": [] if simulate_K == "none" else _whole_numbers(simulate_K, "--simulate-K"),
        "nu_X": rows or None,
        "scalings": options.listed(scaling),
        "noise": noise,
        "N": options.whole(N, "-N", above=0),
        "duration": options.physical(duration, "--duration", "s", above=0),
        "transient": options.physical(transient, "--transient", "s", at_least=0),
        "seeds": options.whole(seeds, "--seeds", above=0),
        "seed": SEED.parse(seed, "--seed"),
    }
    with output.saving(out or output.unused(FOLDER)) as save:
        from ..comparison import compare as run

        with progress.reporter(quiet) as reporter:
            result = run(params, progress=reporter, **given)
        if not as_json:
            show(result)
        files = []
        for path in written(result, save):
            files += [str(path)] if path else []
            if not as_json:  # which lists them
                output.announce(path)
        if as_json:
            output.print_json({**result.to_dict(), "files": files})


def _compare_network(net, out, as_json, quiet, given):
    """Theory beside simulation of a network: table, figure, data."""
    if isinstance(net, Parameters):
        raise ParameterError(
            f"NETWORK: got {net.model.name!r}, a model of E and I; expected a network of named "
            f"populations; give it as --model {net.model.name}"
        )
    with output.saving(out or output.unused(FOLDER)) as save:
        from ..network_comparison import compare_network
        from ..results import plotting_networks

        with progress.reporter(quiet) as reporter:
            result = compare_network(net, progress=reporter, **given)
        if not as_json:
            networks.show_comparison(result)
        figure = plotting_networks.comparison(result)
        files = [save.result(result, "comparison")]
        files += [save.figure(figure, "comparison", ending) for ending in ("png", "pdf")]
        files = [path for path in files if path is not None]
        if as_json:
            output.print_json({**result.to_dict(), "files": list(map(str, files))})
        else:
            for path in files:
                output.announce(path)


def _whole_numbers(text, option):
    parts = options.listed(text)
    return [options.whole(part, option, above=0) for part in parts] or None


def written(result, save):
    """Write data, table and figure with a :class:`output.Saver`; yields the files."""
    from ..results import plotting

    yield save.result(result, "comparison")
    rows = [_flat(row) for row in result.to_dict()["rows"]]
    header = list(dict.fromkeys(key for row in rows for key in row))
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, header)
    writer.writeheader()
    writer.writerows(rows)
    yield save.file("comparison.csv", table.getvalue())
    figure = plotting.comparison(result)
    for ending in ("png", "pdf"):
        yield save.figure(figure, "comparison", ending)


def _flat(row):
    flat = {}
    for key, x in row.items():
        if isinstance(x, dict):
            flat |= {f"{key}_{inner}": y for inner, y in x.items()}
        elif key not in ("theory", "simulation"):
            flat[key] = x
    return flat


def show(result):
    """Print a result for a person."""
    out = tables.console()
    rows = result.to_dict()["rows"]
    tables.header(
        out, result.parameters, "theory beside simulation", rows[0]["noise"], unused=result.unused
    )
    for table in tables.comparison(rows):
        out.print(table)
    seeds = max(row["seeds"] for row in rows)
    if seeds:
        what = "over graphs and noise" if seeds > 1 else "over noise in one graph"
        out.print(f"simulation: mean ± standard error {what}, {seeds} seed(s) a row")
        if seeds > 1 and any(row["seeds"] == 1 for row in rows):
            out.print("rows of one seed: the error leaves out how graphs differ")
    out.print("E: excitatory population; Fano: of its counts in 1 ms (1 without any synchrony)")
