"""What is there in place of a device that is not: the serials that a vendor's library finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

__all__ = ["others_there"]

_TOLD = ("serial", "uri", "label", "name", "product", "type", "driver", "addr")


def others_there(find: Callable[[], Iterable[Mapping[str, str]]]) -> str:
    """Words for the end of an error: the devices that are there, each by its serial and what it is.

    Args:
        find: asks the vendor's library; a failure of its own is not told, for it would hide the first one.
    """
    try:
        found = [dict(one) for one in find()]
    except Exception:  # vendors' libraries raise anything
        return ""
    if not found:
        return "; none of its kind is there"
    return "; there are: " + "; ".join(_words(one) for one in found)


def _words(one: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {one[key]}" for key in _TOLD if one.get(key)) or "one that does not say what it is"
