"""The table of storms: {name: Storm}. Each is a small function whose docstring is its row."""
import dataclasses
import typing

STORMS = {}


@dataclasses.dataclass
class Storm:
    name: str
    function: typing.Callable
    pool: int  # workers of the port that is hit; 0: the storm does not use this
    in_short: bool  # scripts/check runs it

    def __call__(self, arena):
        return self.function(arena, self.pool) if self.pool else self.function(arena)

    @property
    def what(self):
        return self.function.__doc__.strip().splitlines()[0]


def storm(name, pools=None, short=True):
    """Registers a function: once, or once per size of the pool. short: whether the short form
    runs it, or with which sizes."""

    def enter(function):
        for pool in pools or (0,):
            full = f"{name}-{pool}" if pool else name
            STORMS[full] = Storm(full, function, pool, pool in short if pools else short)
        return function

    return enter
