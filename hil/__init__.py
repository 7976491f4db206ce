"""Hardware-in-the-loop SDR testbed for joint source-channel coding."""

__version__ = "0.1.0"
