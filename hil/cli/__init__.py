"""The command line. One thread: results' bits are promised for a number of threads, and two get in each other's way here."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # numpy's BLAS reads it once, when it is loaded; torch is told by each command
