"""Symbols <-> samples: OFDM frames, detection, synchronisation, channel estimation. No files, no radios.

What others call:

- `frame.FrameConfig`, `frame.FrameFormat`: a frame in every detail (silent symbol, preamble, sounding slots, header, payload
  of one or more transmitters); `frame.frame_for_snr` sizes one for a plan's lowest SNR.
- `transmit.FrameBuilder(form).build(symbols, numbers, out=…)`: frames to samples; `transmit.build_frame` one, which gradients
  pass through. `crest`: PAPR, its CCDF, clip-and-filter, int16 with clip counts.
- `receive.Receiver(form, config).receive(samples)`: all frames of a window, raw int16 or complex64; `receive_windows` of many,
  for the same bits at a lower cost; `silence`: the noise ahead of a frame. `receive.StreamReceiver(form, config)` with `push`
  and `finish`: blocks of any size, the same bits. All give `reception.FrameReception`s; a window's or block's frames come as a
  `batch.FrameBatch`, whose `symbols`, `noise_var`, `channel` hold all of them at once.
- `reception.ReceiverConfig`: `mode` "fast" or "sensitive", `max_cfo_hz`, `equaliser` "zf" or "mmse", `reference`, `mixer`.
- `detector.Detector`: preambles alone. `mixer`: DC offset and image. `quality`: EVM rms, peak and per carrier, transmitters
  against each other, noise cross-checked.

From samples to symbols: `receive` corrects samples, `stream` buffers them and finds preambles by `detector`, `receive` has FFT
windows gathered and transformed, the frame kernels do the rest. Tables of what never changes: `search`, `tables`, `layout`.
Each kernel is there twice, with the same arithmetic: `*_numba` compiled (the extra `fast`), `*_plain` without. `fast=` chooses.
"""
