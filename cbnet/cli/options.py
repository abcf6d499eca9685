"""Options that several commands share, and how their values are read."""

import re
from typing import Annotated

import typer

from ..errors import ParameterError
from ..model.entry import SEED, Entry
from ..model.parameters import Parameters

ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="conductance, current, or FILE.py:OBJECT for a model of your own.",
        show_default=False,
    ),
]
ModelOrNetwork = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="conductance, current, a network that ships, FILE.toml for a network of your own, or "
        "FILE.py:OBJECT for either.",
        show_default=False,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Another value of a parameter, with its unit, as in nu_X=20Hz or I.tau_L=10ms "
        "(for one population), or SOM->E.w=0.03 of a network. Any number of times.",
        show_default=False,
    ),
]
Seed = Annotated[
    str, typer.Option(metavar="INTEGER", help="Seed of all random numbers, from 0 to 2^64 - 1.")
]
GraphSeed = Annotated[
    str | None,
    typer.Option(
        "--graph-seed",
        metavar="INTEGER",
        help="Seed of the wiring alone; that of --seed if not given.",
        show_default=False,
    ),
]
Neurons = Annotated[str, typer.Option("-N", metavar="INTEGER", help="Neurons in all.")]
Duration = Annotated[
    str, typer.Option(metavar="TIME", help="What is measured, after the transient.")
]
Transient = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Simulated before that, and discarded; ten times the slowest time of the model, and "
        "at least 0.2s, if not given.",
        show_default=False,
    ),
]
Initial = Annotated[
    str,
    typer.Option(
        metavar="uniform|low|high|VOLTAGE",
        help="Initial voltage: uniform between reset and threshold, the two ends of a bistable "
        "range, or a value.",
    ),
]
FractionExcitatory = Annotated[
    str, typer.Option(metavar="NUMBER", help="Part of the neurons that is excitatory.")
]
Out = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Save the result in this folder, which is made if need be; other results in it stay.",
        show_default=False,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
# Read by cbnet.cli, which catches the errors; it stands here so that every command has it.
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Noise = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="How the theory treats fluctuations, as listed below; the one that is right for the "
        "synapses if not given.",
        show_default=False,
    ),
]
Accuracy = Annotated[
    str | None,
    typer.Option(
        "--rtol",
        metavar="NUMBER",
        help="Relative accuracy, from 1e-12 to 1; that of the noise if not given.",
        show_default=False,
    ),
]
# How the theory may treat fluctuations, and where each can be trusted; a line of help each.
NOISES = {
    "shot": "finite jumps; exact for instantaneous synapses, whose default it is",
    "colored": "finite jumps and synaptic time constants; the default of tau_S > 0",
    "diffusion": "white noise that depends on v; jumps small, tau_S far below tau",
    "effective": "white noise frozen at one potential; rough below threshold",
    "kramers": "rare escapes, one neuron; 5 % of white noise below 0.1 Hz",
    "fast": "tau_S at most 0.2 tau, mu at most 1.75 sd below theta; 20 %",
    "shift": "as fast, with the reset raised in full, as published elsewhere; 20 %",
    "rescaled": "tau_S > 0, mu at least 3 sd above theta; 15 %",
    "adiabatic": "tau_S at least 10 tau, mu above theta; 12 %",
    "rice": "one neuron, tau_S 1 to 10 tau, mu 2 to 3 sd below theta; 50 %",
}
NOISE_NOTES = (
    "--noise NAME, and where it is right (tau: of the membrane under input):",
    *(f"{name}: {text}" for name, text in NOISES.items()),
)

# Where an error of the library names its argument, the command line names the option.
_ARGUMENTS = {
    "N": "-N",
    "D_min": "--set D_min",
    **{f"record.{name}": f"--record-{name}" for name in ("spikes", "v", "every", "dtype")},
    **{
        name: f"--{name.replace('_', '-')}"
        for name in (
            *("noise", "rtol", "seed", "seeds", "duration", "transient", "dt", "record", "initial"),
            *("storage", "arrivals", "graph_seed"),
            *("fraction_excitatory", "population", "simulate_K", "scalings", "models", "processes"),
        )
    },
}


def in_options(message):
    """An error message of the library, in the words of the command line."""
    name, colon, rest = message.partition(":")
    return _ARGUMENTS.get(name, name) + colon + rest


def recording(both, spikes, v, every, dtype):
    """``record`` of :func:`cbnet.simulate` from its options."""
    both = whole(both, "--record", at_least=0)
    given = {
        "spikes": whole(spikes, "--record-spikes", at_least=0),
        "v": whole(v, "--record-v", at_least=0),
        "every": physical(every, "--record-every", "ms", above=0),
        "dtype": dtype,
    }
    given = {name: value for name, value in given.items() if value}
    if both and given:
        raise ParameterError(
            f"--record: got {both} with --record-{[*given][0]}; expected one or the other: "
            "--record-spikes and --record-v say how many of each population"
        )
    if given and "v" not in given and given.keys() & {"every", "dtype"}:
        raise ParameterError(
            f"--record-{[*given][-1]}: got it without voltages; expected --record-v = a number of "
            "neurons"
        )
    return given or both


def physical(text, option, unit, **bounds):
    """The text of an option with a unit, checked; None if the option was not given."""
    if text is not None:
        Entry(option, None, unit, **bounds).parse(text, option)
    return text


def number(text, option, **bounds):
    """The value of an option without a unit; None if the option was not given."""
    return None if text is None else Entry(option, None, **bounds).parse(text, option)


def whole(text, option, **bounds):
    """The value of an option that counts; None if the option was not given."""
    return None if text is None else Entry(option, None, integer=True, **bounds).parse(text, option)


def bytes_of(text, option):
    """The value of an option that is a size, such as 4GB; None if the option was not given."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kMGT]?B)\s*", text)
    if not found:
        raise ParameterError(f"{option}: got {text!r}; expected a size, as in 4GB or 500MB")
    powers = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
    return int(float(found[1]) * powers[found[2]])


def listed(text):
    """The parts of a list with commas between them; none if the option was not given."""
    return [part.strip() for part in text.split(",")] if text is not None else []


def changes(settings):
    """The ``NAME=VALUE`` of ``--set`` by name."""
    found = {}
    for setting in settings or ():
        name, equals, value = setting.partition("=")
        name, value = name.strip(), value.strip()
        if not (name and equals and value):
            raise ParameterError(f"--set: got {setting!r}; expected NAME=VALUE, as in K=4000")
        if found.get(name, value) != value:
            raise ParameterError(f"--set {name}: got {found[name]} and {value}; give it once")
        found[name] = value
    return found


def parameters(model, settings):
    """Parameters of a model with the values of ``--set``, which are applied together."""
    found = asked(model, settings)
    if not isinstance(found, Parameters):
        raise ParameterError(
            f"MODEL: got {model!r}, a network of named populations; expected a model of E and I "
            "here; cbnet params, network, simulate and compare take networks"
        )
    return found


def asked(model, settings):
    """Parameters of a model, or a network, with the values of ``--set``."""
    from ..model.library import load

    given = changes(settings)
    found = load(model)
    try:
        return found.replace(**given) if isinstance(found, Parameters) else found.replace(given)
    except ParameterError as error:
        # a rule such as g*a < 1 is about values that were not set one by one
        name = str(error).partition(":")[0].rpartition(".")[2]
        known = name.isidentifier() or "=" in name
        raise ParameterError(f"--set {error}" if known else f"--set: {error}") from error


def network(N, duration, transient, dt, initial, fraction_excitatory, seed, graph_seed):
    """What :func:`cbnet.simulate` is told of a network and of its run, from their options."""
    if initial not in ("uniform", "low", "high"):
        initial = physical(initial, "--initial", "mV")
    return {
        "N": whole(N, "-N", above=0),
        "duration": physical(duration, "--duration", "s", above=0),
        "transient": physical(transient, "--transient", "s", at_least=0),
        "dt": physical(dt, "--dt", "ms", above=0),
        "initial": initial,
        "fraction_excitatory": number(fraction_excitatory, "--fraction-excitatory"),
        "seed": SEED.parse(seed, "--seed"),
        "graph_seed": None if graph_seed is None else SEED.parse(graph_seed, "--graph-seed"),
    }
