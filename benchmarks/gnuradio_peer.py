"""GNU Radio's channel model and OFDM chains, measured in its own interpreter (Debian's python3): prints one JSON object.

Run by `benchmarks.peers`; uses nothing of this package, which that interpreter does not have. Usage: SCRIPT RATE_SAMPLES.
"""

import json
import resource
import sys

import numpy as np
from gnuradio import blocks, channels, digital, fft, gr


def cpu() -> float:
    """Process CPU time of all threads, s."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def timed(connect: "object", rounds: int = 3) -> float:
    """Median CPU time of a flow graph's run."""
    times = []
    for _ in range(rounds):
        graph = gr.top_block()
        connect(graph)  # type: ignore[operator]
        begin = cpu()
        graph.run()
        times.append(cpu() - begin)
    return float(np.median(times))


def noise(n: int, power: float, seed: int) -> np.ndarray:
    """CN(0, power)."""
    rng = np.random.default_rng(seed)
    return ((rng.standard_normal(n) + 1j * rng.standard_normal(n)) * np.sqrt(power / 2)).astype(np.complex64)


def channel_rate(n: int) -> float:
    """Samples/s of `channel_model` with SFO 40 ppm, the multipath of the definitions, CFO 0.2/64 and noise."""
    taps = np.zeros(10, dtype=complex)
    taps[[0, 2, 5, 9]] = [1, 0.5 * np.exp(1j), 0.25 * np.exp(2.5j), 0.1 * np.exp(-1.2j)]
    samples = noise(n, 1.0, 1)

    def connect(graph: gr.top_block) -> None:
        source = blocks.vector_source_c(samples)
        model = channels.channel_model(0.1, 0.2 / 64, 1 + 40e-6, list(taps), 1)
        graph.connect(source, model, blocks.null_sink(gr.sizeof_gr_complex))

    return n / timed(connect)


PACKET = 222  # bytes: with CRC-32 226 · 8 bits fill 19 QPSK symbols of 48 carriers, beside the header symbol


def frames(count: int) -> np.ndarray:
    """Samples of packets through `ofdm_tx` (QPSK payload), [frame, sample]."""
    data = np.random.default_rng(1).integers(0, 256, count * PACKET)
    graph = gr.top_block()
    source = blocks.vector_source_b(data.tolist(), False, 1, [])
    tagged = blocks.stream_to_tagged_stream(gr.sizeof_char, 1, PACKET, "packet_length")
    sink = blocks.vector_sink_c()
    graph.connect(source, tagged, digital.ofdm_tx(packet_length_tag_key="packet_length", bps_payload=2), sink)
    graph.run()
    samples = np.array(sink.data(), dtype=np.complex64)
    return samples.reshape(count, -1)


def transmit_rate(count: int) -> float:
    """Samples/s of the modulation alone: carrier allocation, FFT and prefix of complex payload symbols."""
    data = noise(count * 20 * 48, 1.0, 3)
    carriers = ([*range(-26, -21), *range(-20, -7), *range(-6, 0), *range(1, 7), *range(8, 21), *range(22, 27)],)

    def connect(graph: gr.top_block) -> None:
        source = blocks.vector_source_c(data)
        tagged = blocks.stream_to_tagged_stream(gr.sizeof_gr_complex, 1, 20 * 48, "n")
        pilots = ((-21, -7, 7, 21),)
        allocator = digital.ofdm_carrier_allocator_cvc(64, carriers, pilots, ((1, 1, 1, -1),), [[0] * 64] * 3, "n")
        inverse = fft.fft_vcc(64, False, [], True)
        prefix = digital.ofdm_cyclic_prefixer(64, 80, 0, "n")
        graph.connect(source, tagged, allocator, inverse, prefix, blocks.null_sink(gr.sizeof_gr_complex))

    return count * 23 * 80 / timed(connect)


def receive(samples: np.ndarray) -> tuple[float, list[int]]:
    """CPU time of `ofdm_rx` on a stream, and its packets' bytes."""
    graph = gr.top_block()
    sink = blocks.vector_sink_b()
    receiver = digital.ofdm_rx(packet_length_tag_key="packet_length", bps_payload=2)
    graph.connect(blocks.vector_source_c(samples), receiver, sink)
    begin = cpu()
    graph.run()
    return cpu() - begin, list(sink.data())


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1])
    result: dict[str, object] = {"version": gr.version()}
    result["channel_msps"] = channel_rate(1_000_000) / 1e6
    result["transmit_msps"] = transmit_rate(5 * count) / 1e6
    waves = frames(count)
    gap = np.random.default_rng(2).integers(200, 1001, count)
    clean = np.concatenate([np.concatenate([np.zeros(g), w]) for g, w in zip(gap, waves, strict=True)] + [np.zeros(2000)])
    # Es of an active carrier after a unitary FFT: 52 of 64 carriers share the samples' power
    energy = float(np.mean(np.abs(waves[:, 320:]) ** 2)) * 64 / 52
    turn = np.exp(2j * np.pi * 0.2 / 64 * np.arange(len(clean)))
    rates, detection = [], {}
    for snr in (20, 30):
        noisy = (clean * turn + noise(len(clean), energy * 10 ** (-snr / 10), snr)).astype(np.complex64)
        spent, packets = receive(noisy)
        detection[snr] = len(packets) / (count * PACKET)  # packets whose header and CRC-32 are right
        rates.append(len(clean) / spent)
    result["receive_msps"] = rates[0] / 1e6
    result["detection"] = detection
    only = noise(300_000, 1.0, 9)
    result["noise_msps"] = len(only) / receive(only)[0] / 1e6
    print(json.dumps(result))


if __name__ == "__main__":
    main()
