"""A grid from TOML or from Python, checked: one line says what is wrong."""

import dataclasses
import tomllib
from pathlib import Path

import numpy as np

from ..errors import ModelError, ParameterError
from ..model.entry import SEED, Entry, nearest
from ..model.library import load_parameters
from ..model.model import Model
from ..simulation.measure import recording
from . import keep, rules
from .axes import LAWS, SETTINGS, few_enough, initial, make_axes
from .grid import Grid

RUNS = ("theory", "simulation", "both")
SUBJECTS = ("network", "neuron")
_TIMES = {"duration": ("1s", "s"), "transient": (None, "s"), "dt": (None, "ms")}
_WORDS = {
    "storage": ("auto", "stored", "bitmap", "procedural"),
    "arrivals": ("random", "brian2"),
}
KEYS = (
    *("model", "parameters", "axes", "zipped", "seeds", "run", "subject", "noise", "rtol"),
    *("N", "N_E", "fraction_excitatory", "scaling", "duration", "transient", "dt", "record"),
    *("initial", "storage", "arrivals", "graph_seed", "keep"),
)


def read(path):
    """A grid from a TOML file.

    Raises
    ------
    ParameterError
        In one line that names the file, the key, the value and what is expected.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ParameterError(f"{path}: got no such file; expected a grid in TOML") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise ParameterError(
            f"{path}: cannot be read ({reason}); expected a grid in TOML"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ParameterError(f"{path}: is not TOML: {error}") from error
    return make(table, f"{path}: ", path.parent)


def make(given, where="", folder=None):
    """A grid from a dict of the keys of a TOML file, values as text with units or quantities.

    Parameters
    ----------
    given : dict
    where : str
        Beginning of error messages.
    folder : Path, optional
        Where the files of a user's own models are looked for.

    Returns
    -------
    Grid
    """
    for key in given:
        if key not in KEYS:
            raise ParameterError(
                f"{where}{key}: got an unknown key; expected one of a sweep ({nearest(key, KEYS)})"
            )
    for key in ("parameters", "axes"):
        if not isinstance(given.get(key, {}), dict):
            raise ParameterError(
                f"{where}{key}: got {given[key]!r}; expected a table [{key}] of NAME = VALUE"
            )
    for key in ("parameters", "axes"):
        misplaced = [k for k in given.get(key, {}) if k in KEYS and k not in SETTINGS]
        if misplaced:
            raise ParameterError(
                f"{where}{key}.{misplaced[0]}: got a key of the sweep itself; write it above the "
                "first table in brackets"
            )
    axes = {
        name: v for k, x in given.get("axes", {}).items() for name, v in _flat(k, x, ranges=True)
    }
    if not axes:
        raise ParameterError(f"{where}axes: got none; expected a table [axes] with one or more")
    names = _model_names(given, axes, where)
    bases = _bases(names, given.get("parameters", {}), where, folder)
    made = make_axes(axes, given.get("zipped", ()), [b.model for b in bases.values()], where)
    sets = {name for axis in made for name in axis.names}
    run = _choice(given, "run", RUNS, "both", where)
    subject = _choice(given, "subject", SUBJECTS, "network", where)
    if subject == "neuron" and run != "theory":
        raise ParameterError(
            f"{where}subject: got 'neuron' with run = {run!r}; expected run = 'theory'"
        )
    scaling = _choice(given, "scaling", LAWS, None, where)
    if (scaling not in (None, "none") or "scaling" in sets) and "K" not in sets:
        got = repr(scaling) if scaling else "an axis"
        raise ParameterError(f"{where}scaling: got {got} without an axis K; expected one")
    grid = Grid(
        bases=bases,
        axes=made,
        seeds=_seeds(given.get("seeds", [0]), where),
        run=run,
        subject=subject,
        noise=given.get("noise"),
        rtol=given.get("rtol"),
        size=_size(given, where),
        fraction_excitatory=_fraction(given, where),
        scaling=scaling,
        options=_options(given, where),
        keep=(),
    )
    _check_words(grid, where)
    return dataclasses.replace(grid, keep=keep.chosen(given.get("keep"), grid, f"{where}keep"))


def _flat(name, value, ranges=False):
    """``[parameters.I] tau_L = ...`` and ``"I.tau_L" = ...`` are the same."""
    if isinstance(value, dict) and name in ("E", "I"):
        return [(f"{name}.{key}", v) for key, v in value.items()]
    return [(name, value)]


def _model_names(given, axes, where):
    if "model" in axes:
        if "model" in given:
            raise ParameterError(f"{where}model: got it beside axes.model; expected one of them")
        models = axes["model"]
        if not isinstance(models, list | tuple) or not all(isinstance(m, str) for m in models):
            raise ParameterError(f"{where}axes.model: got {models!r}; expected a list of models")
        return list(models)
    model = given.get("model", "conductance")
    if not isinstance(model, str | Model):
        raise ParameterError(f"{where}model: got {model!r}; expected a name or 'FILE.py:OBJECT'")
    return [model]


def _bases(names, parameters, where, folder):
    flat = {name: v for k, x in parameters.items() for name, v in _flat(k, x)}
    bases = {}
    for name in names:
        try:
            start = load_parameters(name if isinstance(name, Model) else _located(name, folder))
        except (ParameterError, ModelError) as error:
            raise type(error)(f"{where}model: {error}") from error
        try:
            bases[getattr(name, "name", name)] = start.replace(**flat)
        except ParameterError as error:
            raise ParameterError(f"{where}parameters.{error}") from error
    return bases


def _located(name, folder):
    if folder is None or not (":" in name or name.endswith(".py")):
        return name
    file, colon, attribute = name.rpartition(":") if ":" in name else (name, "", "")
    return f"{Path(folder) / file}{colon}{attribute}"


def _choice(given, key, choices, default, where):
    value = given.get(key, default)
    if value is not default and value not in choices:
        hint = nearest(value, choices) if isinstance(value, str) else f"known: {', '.join(choices)}"
        expected = ", ".join(map(repr, choices))
        raise ParameterError(f"{where}{key}: got {value!r}; expected {expected} ({hint})")
    return value


def _seeds(seeds, where):
    if isinstance(seeds, int) and not isinstance(seeds, bool) and seeds > 0:
        few_enough(seeds, f"{where}seeds")
        return tuple(range(1, seeds + 1))
    if isinstance(seeds, list | tuple | range | np.ndarray) and len(seeds):
        found = []
        for k, seed in enumerate(seeds):
            seed = seed.item() if isinstance(seed, np.generic) else seed
            if isinstance(seed, str):
                raise ParameterError(f"{where}seeds[{k}]: got {seed!r}; expected a whole number")
            found.append(SEED.parse(seed, f"{where}seeds[{k}]"))
        if len(set(found)) == len(found):
            return tuple(found)
    raise ParameterError(
        f"{where}seeds: got {seeds!r}; expected a list of different whole numbers of at least 0, "
        "or how many there are (3 is 1, 2, 3)"
    )


def _size(given, where):
    if "N" in given and "N_E" in given:
        raise ParameterError(f"{where}N_E: got N and N_E; they fix each other: give one")
    key = "N_E" if "N_E" in given else "N"
    rule = given.get(key, 10_000)
    rules.check(rule, f"{where}{key}")
    return {key: rule}


def _fraction(given, where):
    share = given.get("fraction_excitatory", 0.8)
    label = f"{where}fraction_excitatory"
    found = Entry("fraction_excitatory", None, above=0).parse(share, label)
    if found >= 1:
        raise ParameterError(f"{label}: got {found:g}; expected a number between 0 and 1")
    return found


def _options(given, where):
    options = {}
    for key, (default, unit) in _TIMES.items():
        value = given.get(key, default)
        bound = {"at_least": 0} if key == "transient" else {"above": 0}
        row = Entry(key, None, unit, **bound)
        options[key] = None if value is None else row.parse(value, f"{where}{key}")
    for key, words in _WORDS.items():
        options[key] = _choice(given, key, words, words[0], where)
    options["record"] = recording.parse(given.get("record", 0), f"{where}record")
    options["initial"] = initial(given.get("initial", "uniform"), f"{where}initial")
    if "graph_seed" in given:  # left out, every seed has a graph of its own
        options["graph_seed"] = SEED.parse(given["graph_seed"], f"{where}graph_seed")
    return options


def _check_words(grid, where):
    """Refuse words that no point could use: noise, rtol."""
    if grid.rtol is not None and (
        not isinstance(grid.rtol, float | int)
        or isinstance(grid.rtol, bool)
        or not 1e-12 <= grid.rtol < 1
    ):
        raise ParameterError(f"{where}rtol: got {grid.rtol!r}; expected a number from 1e-12 to 1")
    if not grid.theory:
        return
    from ..theory.neuron import treatments

    params = next(iter(grid.bases.values()))
    words = {f"{where}noise": [grid.noise]}
    for axis in grid.axes:
        for name, values in zip(axis.names, axis.values, strict=True):
            if name == "noise":
                words = {f"{where}axes.noise": values}
    for label, names in words.items():
        for name in names:
            try:
                method = treatments.choose(name, params)
            except ParameterError as error:
                raise ParameterError(f"{label}: {str(error).partition(': ')[2]}") from error
            if grid.subject == "network" and not method.network:
                raise ParameterError(
                    f"{label}: got {name!r}, which has no rate above threshold; expected "
                    f"{', '.join(m.name for m in treatments.METHODS.values() if m.network)}"
                )
