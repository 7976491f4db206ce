"""Packages of a third party, laid out as pip would install them, for tests of entry points."""

from collections.abc import Mapping
from pathlib import Path

__all__ = ["install"]


def install(
    site: Path, name: str, entry_points: Mapping[str, Mapping[str, str]], modules: Mapping[str, str] | None = None
) -> Path:
    """Lay a package out in a folder that is, or will be, on the path of Python.

    Args:
        site: the folder.
        name: of the distribution.
        entry_points: group -> name -> ``module:attribute``.
        modules: name -> source text of its top-level modules.

    Returns:
        `site`.
    """
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    lines = []
    for group, points in entry_points.items():
        lines += [f"[{group}]", *(f"{key} = {target}" for key, target in points.items()), ""]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    for module, text in (modules or {}).items():
        (site / f"{module}.py").write_text(text, encoding="utf-8")
    return site
