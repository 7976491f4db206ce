"""Build hook: a wheel knows the commit that it was built from (hil.provenance)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):  # type: ignore[type-arg]
    """Writes `hil/shipped/commit.txt` into the wheel: the commit, and "dirty" if the tree had changes."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before files are collected."""
        if version == "editable":  # an editable installation asks git when it runs
            return
        root = Path(self.root)
        text = _commit(root)
        if text:
            target = root / "build" / "commit.txt"
            target.parent.mkdir(exist_ok=True)
            target.write_text(text + "\n", encoding="utf-8")
            build_data["force_include"][str(target)] = "hil/shipped/commit.txt"


def _commit(root: Path) -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + (" dirty" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""
