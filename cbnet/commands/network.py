"""``cbnet network``: fixed points of the network."""

import sys

from . import options, output, tables

EXAMPLES = (
    "cbnet network conductance",
    "cbnet network current --set nu_X=50Hz --json",
)
NOTES = options.NOISE_NOTES


def network(
    model: options.ModelName,
    settings: options.Settings = None,
    noise: options.Noise = None,
    rtol: options.Accuracy = None,
    seed: options.Seed = "0",
    out: options.Out = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
):
    """Every fixed point of the network by theory: rates, CV, voltage, stability.

    Theory draws no random numbers: --seed is checked, and changes nothing.
    """
    params = options.parameters(model, settings)
    options.whole(seed, "--seed", at_least=0)
    accuracy = options.number(rtol, "--rtol", above=0)
    with output.saving(out, output.file_name("network", params)) as save:
        from ..theory.self_consistency import solve

        result = solve(params, noise=noise, rtol=accuracy)
        saved = save(result)
    if as_json:
        output.print_json(result.to_dict())
    else:
        show(result)
    output.announce(saved, sys.stderr if as_json else None)


def show(result):
    """Print a result for a person."""
    out = tables.console()
    data = result.to_dict()
    tables.header(out, result.parameters, "fixed points of the network", data["noise"])
    out.print(tables.fixed_points(data))
    line = data["balance_line_Hz"]
    shown = f"{tables.UNDEFINED} (there is none)" if line is None else f"{tables.value(line)} Hz"
    out.print(f"balance line (K to infinity, 1/sqrt(K)): {shown}")
    error = data["error"]
    out.print(
        f"stable: of the static kind; relative numerical error: {tables.value(error, digits=2)}"
    )
