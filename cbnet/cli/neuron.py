"""``cbnet neuron``: one neuron under Poisson input."""

from typing import Annotated

import typer

from ..errors import ParameterError
from ..model.entry import SEED
from . import options, output, progress, tables

EXAMPLES = (
    "cbnet neuron conductance --set r_E=30Hz --set r_I=12Hz",
    "cbnet neuron current --set r_E=30Hz --set r_I=12Hz --simulate --duration 20s",
)
NOTES = options.NOISE_NOTES


def neuron(
    model: options.ModelName,
    settings: options.Settings = None,
    noise: options.Noise = None,
    rtol: options.Accuracy = None,
    currents: Annotated[
        bool,
        typer.Option(
            "--currents",
            help="Also mean and sd of the excitatory, inhibitory and net input, and the parts of "
            "the rate that drift and diffusion carry (white noise).",
        ),
    ] = False,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Simulate it exactly instead of theory.")
    ] = False,
    duration: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="With --simulate: simulated time of all copies of the neuron together, as in 20s.",
            show_default=False,
        ),
    ] = None,
    population: Annotated[
        str, typer.Option(metavar="E|I", help="Whose parameters the neuron has.")
    ] = "E",
    seed: options.Seed = "0",
    out: options.Out = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
):
    """One neuron under Poisson input: rate, CV and voltage, by theory or by exact simulation.

    Each of its K excitatory and gamma K inhibitory inputs has the rate r_E or r_I.
    """
    of_theory = (("--noise", noise), ("--rtol", rtol), ("--currents", currents or None))
    for option, given in of_theory if simulate else ():
        if given is not None:
            shown = "it" if given is True else given
            raise ParameterError(
                f"{option}: got {shown} with --simulate, which treats every spike exactly; "
                "give one of them"
            )
    if duration is not None and not simulate:
        raise ParameterError(
            f"--duration: got {duration} without --simulate; theory has no duration; "
            "give both or neither"
        )
    params = options.parameters(model, settings)
    seed = SEED.parse(seed, "--seed")
    accuracy = options.number(rtol, "--rtol", above=0)
    length = options.physical(duration, "--duration", "s", above=0)
    with output.saving(out) as save:
        if simulate:
            from ..simulation.event_driven import simulate_neuron

            with progress.reporter(quiet) as reporter:
                reporter.stage("simulating one neuron")
                result = simulate_neuron(params, population=population, duration=length, seed=seed)
        else:
            from ..theory.response import respond

            result = respond(params, population=population, noise=noise, rtol=accuracy)
        more = {}
        if currents:
            from ..model import unused
            from ..theory.currents import currents as currents_of

            with unused.told():
                more["currents"] = currents_of(params, population=population)
        if as_json:
            output.print_json(result.to_dict() | {key: x.to_dict() for key, x in more.items()})
        else:
            show(result)
            for each in more.values():
                show_currents(each)
        for each in (result, *more.values()):
            output.announce(save.result(each, output.file_name("neuron", params)), as_json)


def show(result):
    """Print a result for a person."""
    out = tables.console()
    data = result.to_dict()
    r_E, r_I = (float(result.in_units(name)) for name in ("r_E", "r_I"))
    what = f"one neuron, r_E = {r_E:g} Hz, r_I = {r_I:g} Hz"
    tables.header(out, result.parameters, what, data["noise"], unused=result.unused)
    out.print(tables.quantities(result, leave_out=("r_E_Hz", "r_I_Hz")))


def show_currents(result):
    """Print the currents of a neuron for a person."""
    out = tables.console()
    r_E, r_I = (float(result.in_units(name)) for name in ("r_E", "r_I"))
    what = f"currents of one neuron, r_E = {r_E:g} Hz, r_I = {r_I:g} Hz"
    tables.header(out, result.parameters, what, result.to_dict()["noise"], unused=result.unused)
    out.print(tables.currents(result))
    out.print(tables.quantities(result))
