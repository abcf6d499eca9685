"""A network from a TOML file whose tables read like those of a paper.

Tables: ``[populations]`` sizes, ``[neuron]`` and ``[neuron.NAME]`` strings and values,
``[projections]`` matrices, ``[inputs.NAME]``, ``[currents.NAME]``. ``docs/networks.md`` has the
whole format.
"""

import contextlib
import tomllib
from pathlib import Path

from ..errors import ModelError, ParameterError
from . import file_values
from .entry import nearest
from .links import Current, Input, Population, Projection
from .matrix import matrix
from .network import Network
from .neuron import Neuron, Synapse, neuron

_TABLES = ("populations", "neuron", "projections", "inputs", "currents")
_STRINGS = ("equations", "threshold", "reset", "synapses", "parameters")
_OF_MATRIX = ("names", "kinds", "number", "probability", "pair_probability", "w", "delay", "wiring")
_OF_ONE = ("source", "target", "kind", *_OF_MATRIX[2:])
_OF_INPUT = ("targets", "kind", "number", "w", "rate", "wiring", "until", "one_a_step")


def read_network(path):
    """The network that a TOML file says.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Network

    Raises
    ------
    ParameterError, ModelError
        In one line that begins with the file and the table.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path}: got no file of text; expected TOML of a network") from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ParameterError(f"{path}: got what is no TOML: {error}") from None
    with _place(str(path)):
        return of_tables(tables, path.parent)


@contextlib.contextmanager
def _place(name):
    """Errors begin with a file or a table."""
    try:
        yield
    except (ParameterError, ModelError) as error:
        raise type(error)(f"{name}{'' if name.startswith('[') else ':'} {error}") from error


def _known(given, names, what):
    for name in given:
        if name not in names:
            raise ParameterError(
                f"{name}: got an unknown name among {what}; expected one of {', '.join(names)} "
                f"({nearest(name, names)})"
            )


def of_tables(tables, folder):
    """The network of nested tables, as TOML has them; files that they name are in a folder."""
    _known(tables, _TABLES, "tables")
    for name in ("populations", "neuron"):
        if not isinstance(tables.get(name), dict):
            raise ParameterError(f"got no table [{name}]; expected one")
    # every table by itself, so that what is refused is refused in its name
    names = list(tables["populations"])
    neurons, values = _neurons(tables["neuron"], names)
    with _place("[populations]"):
        populations = [
            _population(name, given, neurons[name]) for name, given in tables["populations"].items()
        ]
        net = Network(populations)
    valued = []
    for p in net.populations:
        with _place(f"[neuron.{p.name}]" if p.name in tables["neuron"] else "[neuron]"):
            one = Network([_with_values(p, values[p.name])])
            valued += one.populations
    projections, inputs, currents = [], [], []
    with _place("[projections]"):
        for given in _several(tables.get("projections", [])):
            projections += _projections(given, names, folder)
        net = Network(valued, projections)
    for name, given in _named(tables, "inputs"):
        with _place(f"[inputs.{name}]"):
            inputs += _inputs(name, given, names, folder)
            net = Network(valued, net.projections, inputs)
    for name, given in _named(tables, "currents"):
        with _place(f"[currents.{name}]"):
            currents += [Current(name, target, value) for target, value in given.items()]
            net = Network(valued, net.projections, inputs, currents)
    return net


def _several(given):
    return given if isinstance(given, list) else [given]


def _named(tables, which):
    found = tables.get(which, {})
    if not isinstance(found, dict) or not all(isinstance(x, dict) for x in found.values()):
        raise ParameterError(f"[{which}] got no tables; expected one with a name: [{which}.NAME]")
    return found.items()


def _neurons(table, names):
    """The neuron of every population, and its own values."""
    common = {n: x for n, x in table.items() if n not in names}
    neurons, values = {}, {name: {} for name in names}
    with _place("[neuron]"):
        shared = _neuron(common) if {"model", "equations"} & set(common) else None
    for name in names:
        own = table.get(name, {})
        with _place(f"[neuron.{name}]"):
            if not isinstance(own, dict):
                raise ParameterError(f"got {own!r}; expected a table of values")
            if {"model", "equations"} & set(own):
                neurons[name] = _neuron(own)
            elif shared is None:
                raise ParameterError(
                    "got neither model nor equations, and [neuron] has none for all; expected one"
                )
            else:
                neurons[name], values[name] = shared, own
    return neurons, values


def _neuron(given):
    """A neuron that ships with cbnet, with values; or strings."""
    given = dict(given)
    for name in ("synapses", "parameters"):
        if not isinstance(given.get(name, {}), dict):
            raise ParameterError(f"{name}: got {given[name]}; expected a table")
    if "model" in given:
        for name in _STRINGS:
            if name in given:
                raise ParameterError(f"{name}: got it beside model; expected one of them")
        return neuron(file_values.text(given.pop("model"), "model"), **given)
    values = {n: given.pop(n) for n in list(given) if n not in (*_STRINGS, "name")}
    synapses = {
        kind: one if isinstance(one, str) else _synapse(kind, one)
        for kind, one in given.pop("synapses", {}).items()
    }
    parameters = {**given.pop("parameters", {}), **values}
    return Neuron(synapses=synapses, parameters=parameters, **given)


def _synapse(kind, given):
    names = ("on_pre", "efficacy", "equations", "on_post")
    if not isinstance(given, dict) or "on_pre" not in given:
        raise ParameterError(f"synapses.{kind}: got {given}; expected a string, or on_pre")
    _known(given, names, f"those of the synapse {kind}")
    efficacy = given.get("efficacy", "w") or None  # TOML has no null: an empty string is none
    return Synapse(**{**given, "efficacy": efficacy})


def _population(name, given, its_neuron):
    if not isinstance(given, dict):
        return Population(name, its_neuron, given)
    _known(given, ("size", "initial"), f"what a population has ({name})")
    initial = given.get("initial")
    laws = isinstance(initial, dict) and "law" not in initial and "values" not in initial
    if laws:
        initial = {n: file_values.value(x, f"{name}.initial") for n, x in initial.items()}
    elif initial is not None:
        initial = file_values.value(initial, f"{name}.initial")
    return Population(name, its_neuron, given.get("size"), initial=initial)


def _with_values(population, given):
    from .resolution import with_values

    values = {n: file_values.value(x, f"{population.name}.{n}") for n, x in given.items()}
    return with_values(population, values)


def _projections(given, names, folder):
    if not isinstance(given, dict):
        raise ParameterError(f"got {given!r}; expected a table")
    single = {"source", "target"} & set(given)
    _known(given, _OF_ONE if single else _OF_MATRIX, "those of projections")
    made = {
        name: file_values.wiring(x, folder) if name == "wiring" else file_values.value(x, name)
        for name, x in given.items()
        if name not in ("names", "kinds", "source", "target", "kind")
    }
    if not single:
        if "kinds" not in given:
            raise ParameterError("kinds: got none; expected the kind of each source's synapses")
        return matrix(_names(given.get("names", names), "names"), given["kinds"], **made)
    missing = {"source", "target", "kind"} - set(given)
    if missing:
        raise ParameterError(
            f"got no {' and '.join(sorted(missing))}; expected source, target, kind"
        )
    return [Projection(given["source"], given["target"], given["kind"], **made)]


def _inputs(name, given, names, folder):
    """Inputs of one name onto its targets; zeros are no input."""
    _known(given, _OF_INPUT, "those of inputs")
    if "kind" not in given:
        raise ParameterError("kind: got none; expected a kind of synapses")
    targets = _names(given.get("targets") or _targets(given) or names, "targets")
    found = []
    for k, target in enumerate(targets):
        own = {}
        for field in ("number", "w", "rate", "until"):
            if field in given:
                own[field] = _of_target(given[field], field, target, k, targets)
        if "one_a_step" in given:
            own["one_a_step"] = given["one_a_step"]
        if own.get("number", 1) != 0:
            law = file_values.wiring(given["wiring"], folder) if "wiring" in given else None
            found.append(
                Input(name, target, given["kind"], **own, **({"wiring": law} if law else {}))
            )
    return found


def _names(given, place):
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise ParameterError(f"{place}: got {given}; expected a list of populations")
    return given


def _targets(given):
    """The targets that some value is given for by name."""
    for field in ("number", "rate", "w"):
        one = given.get(field)
        if isinstance(one, dict) and not {"law", "values"} & set(one):
            return list(one)
    return None


def _of_target(given, field, target, k, targets):
    """A value for one target: the same for all, by name, or in the order of the targets."""
    made = given
    if isinstance(given, dict) and not {"law", "values"} & set(given):
        if target not in given:
            raise ParameterError(f"{field}: got none for {target}; expected one for each target")
        made = given[target]
    made = file_values.value(made, field)
    if getattr(made, "ndim", 0) or isinstance(made, list):
        if len(made) != len(targets):
            raise ParameterError(
                f"{field}: got {len(made)} values; expected one for each of {', '.join(targets)}"
            )
        return made[k]
    return made
