"""Measurements behind the choices of cbnet, each run as a module."""
