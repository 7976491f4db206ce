"""Write the JSON schema of `results.json` beside this file: `python -m hil.results.schema`. A test compares the two."""

from __future__ import annotations

import json
from pathlib import Path

from hil.results.document import json_schema

__all__ = ["SCHEMA_FILE", "schema_text"]

SCHEMA_FILE = Path(__file__).with_name("schema.json")


def schema_text() -> str:
    """What the file must hold."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    print(SCHEMA_FILE)
