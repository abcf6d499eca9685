"""The commands of the command line, one module each: they ask, show and save, and compute nothing.

Each module has a function of the command's name and its ``EXAMPLES``, which end the command's help
and are run by a test.
"""
