"""Links of simulated benches, sounded and brought to an SNR, beside the air's own truth."""

import numpy as np

from hil.calibration.levels import Levels
from hil.calibration.loop import Loop
from hil.calibration.sounding import LinkSounder
from hil.points.spec import frame_for, receiver_for
from hil.radios.session import Bench


def loop_on(bench: Bench, tx: int = 0, receiver: str | None = None, frames: int = 24) -> Loop:
    config = receiver_for(bench.true_config)
    frame = frame_for(config, -10.0)
    sounder = LinkSounder(bench, tx, receiver or bench.receivers[0], frame, config, lambda got, numbers: None)
    radio = bench.radios[bench.config.transmitters[tx].radio]
    levels = Levels(gains=bench.tx_gain_range(tx), radio_high_db=radio.info.tx_gain_db.high)
    reach = max(config.max_cfo_hz, bench.sample_rate_hz / 3 / frame.preamble_samples)
    return Loop(sounder=sounder, levels=levels, search_hz=reach, frames=frames)


def meet(loop: Loop, target_db: float):
    """All steps of a calibration but the curve."""
    loop.listen()
    loop.hear()
    return loop.meet(loop.measure().silence, target_db)


def true_snr_db(loop: Loop, level) -> float:
    sounder = loop.sounder
    numerology = sounder.form.numerology
    freqs_hz = np.array(numerology.carriers) * sounder.bench.sample_rate_hz / numerology.fft_size
    carrier_power = sounder.form.sample_amplitude**2 * 10 ** (-level.back_off_db / 10)
    sounder.bench.set_tx_gain(sounder.tx, level.gain_db)
    return sounder.bench.truth(sounder.receiver_name).snr_db(sounder.tx, carrier_power, freqs_hz)
