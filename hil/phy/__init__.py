"""Symbols <-> samples: OFDM frames, detection, synchronisation, channel estimation. No files, no radios.

What others call:

- `frame.FrameConfig`, `frame.FrameFormat`: a frame in every detail. `sounding_symbols = 0, header_repetitions = 0, silent =
  False` is the minimal frame, a preamble that also sounds the channel and data symbols; else silent symbol, preamble,
  sounding slots, header and payload of one or more transmitters.
- `transmit.FrameBuilder(form).build(symbols, numbers, out=…)`: many frames to samples; `transmit.build_frame` one, the
  reference. `crest`: PAPR, its CCDF, clip-and-filter, int16 with clip counts.
- `receive.Receiver(form, config).receive(samples)`: all frames of a window. `receive.StreamReceiver(form, config)` with
  `push` and `finish`: blocks of any size, the same bits. Both give a sequence of `reception.FrameReception`; of minimal
  frames it is a `sounded.FrameBatch`, whose `symbols`, `noise_var`, `channel` hold all frames at once and whose items are
  made when asked for.
- `reception.ReceiverConfig`: `mode` "fast" or "sensitive", `max_cfo_hz`, `equaliser` "zf" or "mmse", `mixer`, taps.
- `detector.Detector`: preambles alone. `mixer`: DC offset and image. `quality`: EVM rms, peak and per carrier, transmitters
  against each other, noise cross-checked.

With numba (the extra `fast`) inner loops are compiled (`*_numba`); without, `*_torch` do the same. `fast=` chooses.
"""
