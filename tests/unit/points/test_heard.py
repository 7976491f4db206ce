"""What frames say of the links' powers, with the help of what was sent and without."""

import numpy as np
import pytest

from hil.points.heard import Heard, link_powers


def heard(level, gram):
    """A frame whose response was estimated at 1, and whose sounding said 5."""
    response, zeros = np.ones((1, 4), np.complex64), np.zeros(1)
    known = None if gram is None else np.array([[gram, gram * level]], complex)
    return Heard(0.1, 0.1, np.full(1, 5, np.float32), zeros, response, zeros, known)


def test_symbols_that_were_sent_tell_the_level_of_frames_that_were_received():
    frames = [heard(1.1, 1e4), heard(9.0, 1e4), heard(0.9, 1e4), heard(1.0, None)]
    found = link_powers(frames, 1, aided=True)
    assert found[:, 0] == pytest.approx(
        [1.1**2 - 1e-4, 5, 0.9**2 - 1e-4, 5], rel=1e-6
    )  # 9 is no level estimated a little wrong
    assert (link_powers(frames, 1, aided=False) == 5).all()
    assert link_powers([], 2, aided=True).shape == (0, 2)
    assert (link_powers(frames[3:], 1, aided=True) == 5).all()
