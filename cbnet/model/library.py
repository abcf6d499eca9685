"""Find a model or a network by name, or in a user's own file."""

import contextlib
import hashlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import pkgutil
import sys
from pathlib import Path

from ..errors import ModelError, ParameterError
from .entry import nearest
from .model import Model
from .parameters import Parameters


def model_names():
    """Names of the models that come with cbnet."""
    package = importlib.import_module("cbnet.models")
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.ispkg)


def network_names():
    """Names of the networks that come with cbnet."""
    package = importlib.import_module("cbnet.models.networks")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def find_model(name, **options):
    """The model or network called `name`, or what a file says.

    Parameters
    ----------
    name : str
        Of a model or a network that ships; ``"FILE.toml"``, a network; ``"FILE.py:OBJECT"``, a
        model, parameters of one, or a network.
    **options
        Of a network that ships.

    Raises
    ------
    ParameterError
        If there is no such model, file or option.
    ModelError
        If the file cannot be run, or the object is neither.
    """
    if name in network_names():
        return _shipped_network(name, options)
    _refuse(options, name)
    if name.endswith(".toml"):
        return _room("network_file").read_network(name)
    if ":" in name or name.endswith(".py"):
        path, _, attribute = name.rpartition(":") if ":" in name else (name, "", "model")
        return _from_file(Path(path), attribute)
    if name not in model_names():
        known = [*model_names(), *network_names()]
        raise ParameterError(
            f"MODEL: got {name!r}; expected one of {', '.join(known)}, FILE.toml or "
            f"FILE.py:OBJECT ({nearest(name, known)})"
        )
    return importlib.import_module(f"cbnet.models.{name}").model


def _room(name):
    """A module that imports numpy, and names models itself."""
    return importlib.import_module(f"cbnet.model.{name}")


def _shipped_network(name, options):
    function = importlib.import_module(f"cbnet.models.networks.{name}").network
    known = inspect.signature(function).parameters
    for option in options:
        if option not in known:
            raise ParameterError(
                f"{option}: got an unknown option of {name!r}; expected {', '.join(known)} "
                f"({nearest(option, known)})"
            )
    return function(**options)


def _refuse(options, name):
    if options:
        raise ParameterError(
            f"{next(iter(options))}: got an option of {name!r}; expected none: values of a model "
            "are changed by .replace, and options are of networks that ship "
            f"({', '.join(network_names())})"
        )


def _from_file(path, attribute):
    Network = _room("network").Network
    if not path.is_file():
        raise ParameterError(f"MODEL: got {str(path)!r}; expected an existing Python file")
    name = f"_cbnet_model_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.modules[name] = module  # dataclasses look there for the module they are in
    beside = str(path.resolve().parent)
    sys.path.insert(0, beside)
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ModelError(f"{path}: {type(error).__name__}: {error}") from error
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(beside)
    found = getattr(module, attribute, None)
    if not isinstance(found, Model | Parameters | Network):
        models = [n for n, v in vars(module).items() if isinstance(v, Model | Network)]
        raise ModelError(
            f"{path}: got no Model or Network called {attribute!r}; expected {_listed(models)}"
        )
    return found


def _listed(names):
    return f"one of {', '.join(names)}" if names else "a cbnet.Model or cbnet.Network in that file"


def load(name, **options):
    """Parameters of a model at its reference values, or a network.

    Parameters
    ----------
    name : str or Model
        ``"current"``, ``"conductance"``; a network that ships, as ``"microcircuit"``;
        ``"FILE.toml"`` (a network), ``"FILE.py:OBJECT"``, or a model. What is parameters or a
        network already is what it is.
    **options
        Of a network that ships, as ``scale=0.1``.

    Returns
    -------
    Parameters or Network

    Raises
    ------
    ParameterError
        For a name or an option that there is not.

    Examples
    --------
    >>> import cbnet
    >>> cbnet.load("conductance").K
    1000
    >>> cbnet.load("brunel2000", state="SR").names
    ('E', 'I')
    """
    if isinstance(name, str):
        found = find_model(name, **options)
    else:
        _refuse(options, str(name)[:40])
        found = name
    if not (isinstance(found, Model | Parameters) or hasattr(found, "populations")):
        raise ParameterError(
            f"MODEL: got {str(found)[:40]!r}; expected a name, a model or a network"
        )
    return Parameters(found) if isinstance(found, Model) else found


def load_parameters(name):
    """As :func:`load`, for what takes no network: it is refused."""
    found = load(name)
    if not isinstance(found, Parameters):
        raise ParameterError(
            f"MODEL: got {name!r}, a network of {', '.join(found.names)}; expected a model "
            "of E and I here"
        )
    return found
