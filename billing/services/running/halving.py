"""Finding the few that fail among many: a batch that fails is halved until the bad one stands alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def in_halves(
    members: Sequence[int],
    attempt: Callable[[Sequence[int]], None],
    give_up: Callable[[int, Exception], None],
    *,
    splits: Callable[[Exception], bool],
) -> None:
    """Attempts all of them in as few parts as possible, in order; `give_up` hears of each that fails alone.

    An error that `splits` says no to is raised as it is.

    >>> def attempt(part):
    ...     if 3 in part:
    ...         raise ValueError
    ...     print("done", part)
    >>> in_halves([1, 2, 3, 4], attempt, lambda member, error: print("bad", member), splits=lambda error: True)
    done [1, 2]
    bad 3
    done [4]
    """
    parts = [list(members)]
    while parts:
        part = parts.pop()
        try:
            attempt(part)
        except Exception as error:
            if not splits(error):
                raise
            if len(part) == 1:
                give_up(part[0], error)
            else:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
