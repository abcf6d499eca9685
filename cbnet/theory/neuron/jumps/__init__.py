"""Finite jumps (shot noise): the backward equation of a membrane that jumps."""
