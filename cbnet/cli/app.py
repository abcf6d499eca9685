"""The command line: finds the command, shows what goes wrong in one line, sets the exit code.

Exit codes: 0 done; 1 the work failed; 2 the request was wrong; 130 interrupted.
"""

import errno
import logging
import os
import signal
import sys
import traceback
import warnings
from typing import Annotated

import typer
from typer.core import TyperGroup

from .. import __version__
from ..errors import CbnetError, CbnetWarning, ModelError, ParameterError, SimulationError
from ..model.entry import nearest
from . import (
    cache,
    cite,
    compare,
    doctor,
    figure,
    network,
    neuron,
    options,
    params,
    report,
    script,
    show,
    simulate,
    status,
    sweep,
    terminal,
)

_OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
DONE, FAILED, WRONG_REQUEST, INTERRUPTED = 0, 1, 2, 130

# The class that both click and the copy of it inside newer versions of typer call UsageError.
_UsageError = typer.BadParameter.__mro__[1]


class _Commands(TyperGroup):
    def list_commands(self, ctx):
        return list(self.commands)  # in the order in which they are added, not the alphabet's

    def resolve_command(self, ctx, args):
        if args[0] not in self.commands:
            hint = nearest(args[0], self.commands)
            raise _UsageError(
                f"COMMAND: got {args[0]!r}; expected a command of cbnet ({hint})", ctx
            )
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=_Commands, add_completion=False, no_args_is_help=False)


def _version(asked: bool):
    if asked:
        print(f"cbnet {__version__}")
        raise typer.Exit()


@app.callback(invoke_without_command=True)
def _cbnet(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
):
    """Strongly coupled networks of spiking neurons: simulation beside theory.

    cbnet compare answers the main question: what do conductance synapses change?
    """
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


for _module in (
    compare,
    neuron,
    network,
    simulate,
    sweep,
    status,
    show,
    figure,
    report,
    params,
    script,
    cache,
    cite,
    doctor,
):
    _name = _module.__name__.rpartition(".")[2]
    # rich keeps a line only if an empty one follows
    _epilog = "\n\n".join((*getattr(_module, "NOTES", ()), "Examples:", *_module.EXAMPLES))
    app.command(_name, epilog=_epilog)(getattr(_module, _name))


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process if not given.

    Returns
    -------
    int
        The exit code.
    """
    if arguments is None:
        terminal.open_what_is_closed()
        arguments = sys.argv[1:]
        os.environ["MPLBACKEND"] = "agg"  # no window is opened, whatever the user's is
        for name in ("SIGTERM", "SIGHUP"):  # a batch system's Ctrl-C, a terminal that is closed
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, signal.default_int_handler)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a script
            signal.signal(signal.SIGINT, _ignore)  # Brian2 calls the handler that it finds
    arguments = list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without Greek letters gets "?"
    # Brian2 turns this on when it is imported, and would replace what is set here.
    logging.captureWarnings(True)
    with warnings.catch_warnings():
        warnings.simplefilter("always", CbnetWarning)
        warnings.showwarning = _showing(warnings.showwarning)
        try:
            return _run(arguments)
        except BrokenPipeError:  # whoever read the output has seen enough
            sys.stdout = None
            return FAILED
        except KeyboardInterrupt as stopped:
            otherwise = "nothing was left half-written; run the same command again"
            _say("interrupted", str(stopped) or otherwise)
            return INTERRUPTED
        except Exception as error:
            if "--debug" in arguments:
                traceback.print_exc()
            _say("error", _message(error, "--debug" in arguments))
            return _exit_code(error)


def _ignore(number, frame):
    """Handle a signal that is for others."""


def _run(arguments):
    command = typer.main.get_command(app)
    try:
        with command.make_context("cbnet", arguments) as ctx:
            command.invoke(ctx)
    except typer.Exit as ended:
        return ended.exit_code
    return DONE


def _exit_code(error):
    wrong = isinstance(error, ParameterError | ModelError | _UsageError)
    return WRONG_REQUEST if wrong else FAILED


def _message(error, debug):
    if isinstance(error, _UsageError):
        return _usage(error)
    text = str(error).strip()
    if isinstance(error, ParameterError):
        text = options.in_options(text)
    if isinstance(error, SimulationError):
        return text  # with the lines of the compiler or of the program
    if isinstance(error, MemoryError):
        text = f"no memory left, or the limit of ulimit -v is reached {f'({text})' if text else ''}"
    elif isinstance(error, OSError) and error.errno in _OF_WRITING and error.filename is None:
        sys.stdout = None  # or Python tries again when it ends
        text = f"standard output: cannot be written ({error.strerror})"
    elif not isinstance(error, CbnetError):
        text = f"{type(error).__name__}: {text}"
        if not debug:
            text += " (add --debug to see where)"
    return " ".join(text.split())


def _usage(error):
    asked = getattr(error, "option_name", None)
    if asked is None or error.ctx is None or type(error).__name__ != "NoSuchOption":
        said = " ".join(error.format_message().split())
        if "unexpected extra argument" in said:
            said += "; a value of --set is one word, as in --set r_E=30Hz"
        return said
    known = [name for parameter in error.ctx.command.params for name in parameter.opts]
    hint = nearest(asked, [name for name in known if name.startswith("-")])
    return f"{asked}: got an unknown option; expected one of {error.ctx.command_path} ({hint})"


def _say(kind, text):
    print(terminal.plain(f"cbnet: {kind}: {text}"), file=sys.stderr, flush=True)


def _showing(others):
    said = set()

    def showwarning(message, category, *where, **more):
        if issubclass(category, CbnetWarning):
            text = " ".join(str(message).split())
            if text not in said:  # of several inputs, fixed points or populations
                said.add(text)
                _say("warning", text)
        else:
            others(message, category, *where, **more)

    return showwarning
