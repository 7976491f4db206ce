"""The converters and mixers of a simulated radio: DAC codes to √mW at the antenna, and √mW to ADC codes."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.channel.frontend import add_dc, convert, iq_imbalance, memory_polynomial, rapp
from hil.radios.airconfig import SimRadioConfig
from hil.units import db_to_amplitude, db_to_power

__all__ = ["at_antenna", "digitise", "full_scale_power", "thermal_noise_mw"]


def thermal_noise_mw(bandwidth_hz: float, noise_figure_db: float) -> float:
    """Thermal noise kTB at 290 K times the noise figure, in mW."""
    return 1.380649e-23 * 290 * bandwidth_hz * 1e3 * float(db_to_power(noise_figure_db))


def full_scale_power(config: SimRadioConfig, tx_gain_db: float) -> float:
    """Power of a full-scale tone at the antenna (mW)."""
    return float(db_to_power(config.tx_full_scale_dbm + tx_gain_db))


def at_antenna(codes: NDArray[np.int16], config: SimRadioConfig, tx_gain_db: float) -> Tensor:
    """DAC codes int16 [n, 2] to complex64 [n] in √mW at the antenna, before the oscillator."""
    full_scale = np.float32(1 << (config.dac_bits - 1))
    out = torch.view_as_complex(torch.from_numpy(codes.astype(np.float32) / full_scale))
    if config.tx_iq_gain_db or config.tx_iq_phase_deg:
        out = iq_imbalance(out, config.tx_iq_gain_db, config.tx_iq_phase_deg)
    if any(config.tx_dc_offset):
        out = add_dc(out, complex(*config.tx_dc_offset))
    if config.pa_terms:
        out = memory_polynomial(out, config.pa_terms)
    if config.pa_saturation_dbfs is not None:
        out = rapp(out, float(db_to_amplitude(config.pa_saturation_dbfs)), config.pa_smoothness)
    return out * math.sqrt(full_scale_power(config, tx_gain_db))


def digitise(heard: Tensor, config: SimRadioConfig, rx_gain_db: float) -> tuple[Tensor, Tensor]:
    """What the antenna hears, complex64 [n] in √mW, to codes int16 [n, 2] and clipped bool [n]."""
    scaled = heard * float(db_to_amplitude(rx_gain_db - config.rx_full_scale_dbm))
    if config.iq_gain_db or config.iq_phase_deg:
        scaled = iq_imbalance(scaled, config.iq_gain_db, config.iq_phase_deg)
    if any(config.dc_offset):
        scaled = add_dc(scaled, complex(*config.dc_offset))
    return convert(scaled, config.adc_bits)
