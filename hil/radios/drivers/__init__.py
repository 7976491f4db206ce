"""The drivers: one folder each, a light card in its `__init__`, the vendor import in `_driver.py`."""
