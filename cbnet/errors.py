"""What cbnet raises and warns, for callers who want to tell the cases apart."""

import os
import sys
import warnings

_HERE = os.path.dirname(__file__) + os.sep


class CbnetError(Exception):
    """Base of every error that cbnet raises on purpose."""


class ParameterError(CbnetError, ValueError):
    """A parameter or option cannot be used: the message says what was got and what is expected."""


class ModelError(CbnetError, ValueError):
    """The strings of a model do not say what cbnet needs: the message names the string."""


class ConvergenceError(CbnetError, RuntimeError):
    """A computation stopped short of the accuracy asked for.

    Attributes
    ----------
    best : object
        The best estimate so far, of the type the function returns.
    """

    def __init__(self, message, best=None):
        super().__init__(message)
        self.best = best


class SimulationError(CbnetError, RuntimeError):
    """A simulation could not be compiled or run; the message has the program's own."""


class SavingError(CbnetError, RuntimeError):
    """What was computed could not be written; the message says where it is instead, if anywhere."""


class DamagedError(CbnetError, ValueError):
    """A file is not what was written; no number of it is shown."""


class CbnetWarning(UserWarning):
    """The answer stands, but something about it should be known."""


def warn(text):
    """A :class:`CbnetWarning`, placed where cbnet was called."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, CbnetWarning, stacklevel=level)
