"""Tables for other tools: columns that are the rows', and formats that are looked at before."""

import sys

import pytest

from hil.errors import ConfigError
from hil.report.export import check_table, row_table, write_table
from tests.unit.report.documents import one_snr

TABLE = [{"scheme": "one", "top1": 0.5}, {"scheme": "two", "top1": None}]


def test_lists_are_columns_and_leave_none_of_their_own():
    table = row_table({"run": one_snr()})
    assert {"power_0", "snr_mean_db_low"} <= set(table[0])
    assert not {"power", "snr_mean_db_ci", "snr_db"} & {key for row in table for key in row}


def test_parquet_without_a_library_is_refused_before_there_is_a_table(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigError, match=r"hil\[parquet\]"):
        check_table(tmp_path / "rows.parquet")
    check_table(tmp_path / "rows.csv")


def test_parquet_is_read_as_it_was_written(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra 'parquet' is not installed")
    write_table(TABLE, tmp_path / "rows.parquet")
    assert parquet.read_table(tmp_path / "rows.parquet").to_pylist() == TABLE
