"""The conformance suite of `hil.models.testing` on one scheme, without pytest: what `hil schemes test` runs."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from hil.errors import HilError
from hil.models.contract import Scheme
from hil.models.testing import SchemeContract, noise_views

__all__ = ["Verdict", "examine"]

FIRST = "test_card_and_plan_are_whole"
"""Without a card and a plan nothing else can be asked."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one test of the suite came to.

    Attributes:
        test: in words, ``symbols are as planned``.
        why: what is wrong; empty: it passed. wanted: what the contract asks for, in a sentence.
    """

    test: str
    why: str
    wanted: str


def examine(scheme: Scheme, views: Tensor | None = None) -> Iterator[Verdict]:
    """Every test of `SchemeContract` on a scheme, one after the other.

    Args:
        scheme: ready to use.
        views: at least two tasks', float32 [task, tx, C, H, W] in 0…1; None: noise in colours.

    Returns:
        a verdict for each test; only the first one, where the scheme has no card or plan.
    """
    suite = SchemeContract()
    names = [name for name in vars(SchemeContract) if name.startswith("test_")]
    for name in sorted(names, key=lambda one: one != FIRST):
        test = getattr(suite, name)
        why = ""
        try:
            if "views" in inspect.signature(test).parameters:
                views = noise_views(scheme) if views is None else views
                test(scheme, views)
            else:
                test(scheme)
        except (AssertionError, HilError) as err:
            why = str(err)
        except Exception as err:  # the scheme's own code may raise anything
            why = f"{type(err).__name__}: {err} ({_where(err)})"
        wanted = (inspect.getdoc(test) or "").partition("\n")[0]
        yield Verdict(test=name.removeprefix("test_").replace("_", " "), why=why, wanted=wanted)
        if why and name == FIRST:
            return


def _where(err: Exception) -> str:
    """The last line of the scheme's own code that an error went through, ``mine.py:12 in decode``."""
    frames = traceback.extract_tb(err.__traceback__)
    ours, libraries = Path(__file__).parents[1], ("site-packages", "dist-packages")
    own = [
        one for one in frames if ours not in Path(one.filename).parents and not any(part in one.filename for part in libraries)
    ]
    last = (own or list(frames))[-1]
    return f"{Path(last.filename).name}:{last.lineno} in {last.name}"
