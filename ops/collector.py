"""Python's collector of cycles, told what it need not look at. Each process calls one of these once it has started."""

import gc


def spare_the_runner() -> None:
    """What a run allocates dies by its reference counts; looking for cycles in it costs a third of the CPU."""
    _settle(50_000, 20, 50)


def spare_the_server() -> None:
    """Going through all modules takes 50 ms, in which nobody is answered: what has been loaded is never gone through.

    A page makes thousands of objects that die with it, so the young are looked at less often, too.
    """
    _settle(10_000, 10, 10)


def _settle(*thresholds: int) -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*thresholds)
