"""What may reach a terminal: words and colours, nothing that moves the cursor or gives orders."""

import os
import re
import sys

# Colours, as rich writes them; the characters that a terminal acts upon.
_COLOUR = r"\x1b\[[0-9;]*m"
_OTHERS = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
_CONTROL = re.compile(f"({_COLOUR})|{_OTHERS}")
# What rich's bar needs besides: the cursor shown or hidden, lines cleared, up and to the left.
_OF_A_BAR = re.compile(rf"({_COLOUR}|\x1b\[\?25[hl]|\x1b\[[0-9]*[AK]|\r)|{_OTHERS}")


def plain(text):
    """The text with every character that a terminal acts upon replaced by a question mark."""
    return _CONTROL.sub(lambda found: found[1] or "?", text)


class Plain:
    """A stream of text that writes :func:`plain` text to another one.

    Parameters
    ----------
    stream : file
        Where it goes.
    """

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        """Write what is safe of a text."""
        return self._stream.write(_OF_A_BAR.sub(lambda found: found[1] or "?", text))


def open_what_is_closed():
    """Give a process whose standard streams are closed some that lead nowhere.

    Otherwise the next file that is opened takes the place of standard error, and gets its words.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # open as long as there is a process
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
