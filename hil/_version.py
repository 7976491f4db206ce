"""The version of the package, apart from the capture format's and the results'."""

__version__ = "0.1.0"
