"""``cbnet network``: fixed points of the network."""

from typing import Annotated

import typer

from ..errors import ParameterError
from ..model.entry import SEED
from ..model.parameters import Parameters
from . import networks, options, output, tables

EXAMPLES = (
    "cbnet network conductance",
    "cbnet network current --set nu_X=50Hz --json",
)
NOTES = options.NOISE_NOTES


def network(
    ctx: typer.Context,
    model: options.ModelOrNetwork,
    settings: options.Settings = None,
    noise: options.Noise = None,
    rtol: options.Accuracy = None,
    N: Annotated[
        str | None,
        typer.Option(
            "-N",
            metavar="INTEGER",
            help="Neurons in all: prints how far their activity fluctuates.",
            show_default=False,
        ),
    ] = None,
    fraction_excitatory: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER",
            help="With -N: share of excitatory neurons, 0.8 if not given.",
            show_default=False,
        ),
    ] = None,
    seed: options.Seed = "0",
    out: options.Out = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
):
    """Every fixed point of the network by theory: rates, CV, voltage, stability.

    A fixed point is stable if neither its rates run away nor oscillations grow; the mode that
    decays slowest or grows fastest is shown with it, of the response to white noise.
    Theory draws no random numbers: --seed is checked, and changes nothing.
    """
    params = options.asked(model, settings)
    SEED.parse(seed, "--seed")
    accuracy = options.number(rtol, "--rtol", above=0)
    if fraction_excitatory is not None and N is None:
        raise ParameterError(
            f"--fraction-excitatory: got {fraction_excitatory} without -N; give both or neither"
        )
    named = not isinstance(params, Parameters)
    if named:
        networks.refuse_given(ctx, "N", "fraction_excitatory")
    sizes = {} if named else {"N": options.whole(N, "-N", above=0)}
    if fraction_excitatory is not None:
        sizes["fraction_excitatory"] = options.number(fraction_excitatory, "--fraction-excitatory")
    with output.saving(out) as save:
        from ..theory.self_consistency import solve

        result = solve(params, noise=noise, rtol=accuracy, oscillations=True, **sizes)
        if as_json:
            output.print_json(result.to_dict())
        else:
            (networks.show_states if named else show)(result)
        output.announce(save.result(result, output.file_name("network", params)), as_json)


def show(result):
    """Print a result for a person."""
    out = tables.console()
    data = result.to_dict()
    tables.header(
        out, result.parameters, "fixed points of the network", data["noise"], unused=result.unused
    )
    out.print(tables.fixed_points(data))
    if any(point["growth_rate_per_s"] is not None for point in data["fixed_points"]):
        out.print(tables.modes(data))
    line = data["balance_line_Hz"]
    shown = f"{tables.UNDEFINED} (there is none)" if line is None else f"{tables.value(line)} Hz"
    out.print(f"balance line (K to infinity, 1/sqrt(K)): {shown}")
    error = data["error"]
    out.print(f"estimated relative error: {tables.value(error, digits=2)}")
