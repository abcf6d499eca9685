"""What was set and does not enter an answer: found from the strings, and said in one line.

Every public function that answers a question about parameters says which of them it uses, and
whatever else was set is named, in a CbnetWarning and in the field ``unused`` of its result. What
one neuron uses follows from its strings (:attr:`cbnet.model.one_dimension.Reduced.arguments`).
"""

import contextlib
import contextvars

from ..errors import warn
from . import reduced
from .model import identifiers
from .parameters import POPULATIONS, require

_silent = contextvars.ContextVar("silent", default=False)
# What every neuron is driven through, beside what its strings name. Treatments of noise that take
# synaptic time constants as zero say so themselves.
_ALWAYS = {"K", "gamma", "tau_rp", "tau_E", "tau_I"}
# Set to this a parameter asks for nothing.
_NEUTRAL = {"law": "fixed", "CV_K": 0.0, "jump": "linear"}
_WHY = {
    "law": "in-degrees are taken as equal; cbnet.heterogeneity and simulations take others",
    "D_min": "delays change no stationary rate; cbnet.stability and simulations take them",
    "r_E": "rates of one neuron's inputs; cbnet.respond and cbnet neuron take them",
    "nu_X": "input of a network; that of one neuron is r_E and r_I",
    "jump": "synapses with time constants have no such choice",
}
_ALIKE = {"CV_K": "law", "D_max": "D_min", "r_I": "r_E"}


def membrane(params, population):
    """Names of the parameters that one neuron depends on, its inputs left out.

    Parameters
    ----------
    params : Parameters
    population : str

    Returns
    -------
    set of str
    """
    found = reduced.of_model(params.model, params.resolve(population))
    names = of_functions(params, population, found.arguments) | _ALWAYS
    return names if found.filtered else names | {"jump"}


def of_functions(params, population, functions):
    """Names of the parameters that some functions of the reduction of a model depend on."""
    found = reduced.of_model(params.model, params.resolve(population))
    names = set().union(*(found.arguments[name] for name in functions)) - {"R_E", "R_I"}
    return _with_sources(params.model, names, params.settings(population))


def _with_sources(model, names, settings):
    """These names, and those that their values come from, given which of them were set."""
    names, before = set(names), None
    while names != before:
        before = set(names)
        for name in before:
            follows = name in model.entries and model.entries[name].follows
            if follows and name not in settings:
                names.add(follows)
        for d in model.derived:
            if d.name in settings and d.solves in names:
                names |= {d.name} | identifiers(d.inverse)
            elif d.name not in settings and d.name in names:
                names |= identifiers(d.expression)
    return names


def of_neuron(params, population, *more):
    """What an answer about one neuron uses, by population; `more` names its inputs."""
    return {population: membrane(params, population) | set(more)}


def of_network(params, *more):
    """What an answer about a network uses, by population; `more` is used beside ν_X."""
    return {p: membrane(params, p) | {"nu_X", *more} for p in POPULATIONS}


def of_simulation(params, feedforward=False):
    """What a simulation uses: of a network, or of neurons that are not connected."""
    more = {"law", "CV_K"} | ({"r_E", "r_I"} if feedforward else {"nu_X", "D_min", "D_max"})
    return {p: membrane(params, p) | more for p in POPULATIONS}


def find(params, used):
    """Keys of what was set and is not used.

    Parameters
    ----------
    params : Parameters
    used : dict of str to set of str
        Names that the answer depends on, by population.

    Returns
    -------
    tuple of str
        Such as ``"D_min"`` or ``"I.tau_L"``, in the order in which they were set.
    """
    found = []
    for key, value in params.changes.items():
        population, _, name = key.rpartition(".")
        if name in _NEUTRAL and value == _NEUTRAL[name]:
            continue
        # what both populations override has no say
        felt = [p for p in ((population,) if population else POPULATIONS)
                if population or f"{p}.{name}" not in params.changes]  # fmt: skip
        solved = [d.solves for d in params.model.derived if d.name == name]
        if felt and not any({name, *solved} & used.get(p, set()) for p in felt):
            found.append(key)
    return tuple(found)


def of_many(pairs):
    """What was set in any of many sets of parameters and is used in none.

    Parameters
    ----------
    pairs : iterable of (Parameters, dict)
        Parameters, and the names that are used, by population.

    Returns
    -------
    dict of str to Parameters
        Keys, and the parameters in which each was met first.
    """
    first, enters = {}, set()
    for params, used in pairs:
        keys = find(params, used)
        enters |= params.changes.keys() - set(keys)
        for key in keys:
            first.setdefault(key, params)
    return {key: params for key, params in first.items() if key not in enters}


def of_both(points):
    """The same for theory beside simulation, which are one answer.

    What the theory of a network leaves out although the simulation has it, unequal in-degrees, is
    named nevertheless: the two are about different networks then.

    Parameters
    ----------
    points : sequence of (Parameters, dict or None, dict or None)
        Parameters, and what theory and simulation use; None where there is none.
    """
    together = []
    for params, *uses in points:
        uses = [use for use in uses if use]
        together.append((params, {p: set().union(*(u.get(p, ()) for u in uses)) for p in "EI"}))
    found = of_many(together)
    theory = of_many((params, use) for params, use, _ in points if use)
    unequal = {k: p for k, p in theory.items() if k.rpartition(".")[2] in ("law", "CV_K")}
    return found | unequal


def tell(params, answer, use, *arguments):
    """Name what was set and is not used, unless a larger answer has done so (:func:`told`).

    Parameters
    ----------
    params : Parameters
    answer : str
        Who does not use it, such as ``"cbnet.solve"``.
    use : callable
        ``use(params, *arguments)`` gives what is used, as :func:`of_network` does.

    Returns
    -------
    tuple of str
        The keys, for the field ``unused`` of a result.

    Warns
    -----
    CbnetWarning
        In one line, if there are any.
    """
    require(params)
    if not params.changes:
        return ()
    return warn_of(dict.fromkeys(find(params, use(params, *arguments)), params), answer)


def tell_of_many(members, answer, use, *arguments):
    """The same for many sets of parameters, in one line: what none of them uses."""
    if not _silent.get():
        pairs = ((params, use(params, *arguments)) for params in members if params.changes)
        warn_of(of_many(pairs), answer)


def warn_of(found, answer):
    """One line for keys and the parameters that hold them; the keys."""
    if found and not _silent.get():
        warn(_sentence(found, answer))
    return tuple(found)


def _sentence(found, answer):
    values, reasons = [], {}
    for key, params in found.items():
        population, _, name = key.rpartition(".")
        values.append(f"{key}={_shown(params, name, params.changes[key])}")
        why = _WHY.get(_ALIKE.get(name, name))
        if why is None and population:
            why = f"population {population} is not asked for, or does not depend on it"
        reasons.setdefault(why or "does not enter its equations", []).append(key)
    told = "; ".join(f"{', '.join(names)}: {why}" for why, names in reasons.items())
    return f"{', '.join(found)}: got {', '.join(values)}, which {answer} does not use ({told})"


def _shown(params, name, value):
    entry = params.model.entry(name, name)
    return entry.show(value).replace(" ", "")


@contextlib.contextmanager
def told():
    """Inside, answers are parts of a larger one, which names what it does not use itself."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def be_silent():
    """For the rest of this thread or process, which computes parts of larger answers."""
    _silent.set(True)
