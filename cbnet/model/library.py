"""Find a model by name, or a model or a network in a user's own file."""

import contextlib
import hashlib
import importlib
import importlib.machinery
import importlib.util
import pkgutil
import sys
from pathlib import Path

from ..errors import ModelError, ParameterError
from .model import Model
from .parameters import Parameters, nearest


def model_names():
    """Names of the models that come with cbnet."""
    package = importlib.import_module("cbnet.models")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def find_model(name):
    """The model called `name`, or what a file says.

    Parameters
    ----------
    name : str
        Of a model that ships; ``"FILE.toml"``, a network; ``"FILE.py:OBJECT"``, a model, parameters
        of one, or a network.

    Raises
    ------
    ParameterError
        If there is no such model or file.
    ModelError
        If the file cannot be run, or the object is neither.
    """
    if name.endswith(".toml"):
        from .network_file import read_network  # which imports numpy

        return read_network(name)
    if ":" in name or name.endswith(".py"):
        path, _, attribute = name.rpartition(":") if ":" in name else (name, "", "model")
        return _from_file(Path(path), attribute)
    if name not in model_names():
        raise ParameterError(
            f"MODEL: got {name!r}; expected one of {', '.join(model_names())}, FILE.toml or "
            f"FILE.py:OBJECT ({nearest(name, model_names())})"
        )
    return importlib.import_module(f"cbnet.models.{name}").model


def _from_file(path, attribute):
    from .network import Network  # which imports numpy

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


def load(name):
    """Parameters of a model at its reference values, or a network.

    Parameters
    ----------
    name : str or Model
        ``"current"``, ``"conductance"``, ``"FILE.toml"`` (a network), ``"FILE.py:OBJECT"``, or a
        model. What is parameters or a network already is what it is.

    Returns
    -------
    Parameters or Network

    Examples
    --------
    >>> import cbnet
    >>> cbnet.load("conductance").K
    1000
    """
    found = find_model(name) if isinstance(name, str) else name
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
