"""A Pluto as its clients see it: attributes, the two buffers and who has them, and the DDS that plays between buffers."""

from __future__ import annotations

from hil.radios.virtual.iiod.context import context_xml
from hil.radios.virtual.iiod.state import RX, TX, PlutoState
from hil.radios.virtual.iiod.stream import DigitalLoop, RxStream, TxStream, dds_tones
from hil.radios.virtual.radio import VirtualRadio

__all__ = ["Pluto"]

_LOOP_KEPT = 8_000_000
_BUFFERS = 4
_MOST_BUFFERS = 64
_MOST_BYTES = 1 << 28
EBUSY, ENOMEM, EINVAL = 16, 12, 22


class Pluto:
    """One device. Buffers belong to the client that opened them; attributes and registers are everybody's.

    Attributes:
        radio: on the air.
        state: attributes and registers.
        loop: what was transmitted, for the digital loopback.
        xml: of the context.
        buffers: kernel buffers of the next stream, by device.
        rx: the receive buffer; None = closed.
        tx: the transmit buffer; None = closed.
        owner: client that opened a device's buffer.
    """

    def __init__(self, radio: VirtualRadio) -> None:
        self.radio = radio
        self.state = PlutoState(radio, self._rate_changed)
        self.loop = DigitalLoop(_LOOP_KEPT)
        self.xml = context_xml(self.state.devices, radio).encode()
        self.buffers = {RX: _BUFFERS, TX: _BUFFERS}
        self.rx: RxStream | None = None
        self.tx: TxStream | None = None
        self.owner: dict[str, object] = {}
        self._tone_at = 0

    def play(self) -> None:
        """DAC: the transmit buffer, or the DDS."""
        if self.tx is not None:
            self.tx.play()
            self._tone_at = self.radio.played
            return
        start = max(self._tone_at, self.radio.played - 1_000_000)
        n = self.radio.played - start
        codes = dds_tones(self.state, start, n) if n > 0 else None
        if codes is not None:
            self.radio.transmit(0, start, codes)
            self.loop.record(start, codes)
        self._tone_at = self.radio.played

    def capture(self) -> None:
        """ADC: the receive buffer."""
        if self.rx is not None:
            self.rx.capture()

    def open_stream(self, device: str, samples: int, columns: tuple[int, ...], cyclic: bool, owner: object) -> int:
        """Open a device's buffer for a client; 0 or a negative errno (−EBUSY: another one has it)."""
        if self.owner.get(device, owner) is not owner:
            return -EBUSY
        if samples * 2 * len(columns) * self.buffers[device] > _MOST_BYTES:
            return -ENOMEM
        self.close_stream(device)  # the same client opens it anew
        if device == RX:
            self.rx = RxStream(self.radio, self.state, self.loop, samples, columns, self.buffers[RX])
        else:
            self.tx = TxStream(self.radio, self.state, self.loop, samples, columns, cyclic, self.buffers[TX])
        self.owner[device] = owner
        return 0

    def close_stream(self, device: str) -> None:
        """Close a device's buffer: the DAC goes back to its DDS."""
        self.owner.pop(device, None)
        if device == RX:
            self.rx = None
        elif self.tx is not None:
            self.tx = None
            self.radio.silence(0)
            self._tone_at = self.radio.played

    def disown(self, owner: object) -> None:
        """Close the buffers of a client that is gone."""
        for device in [device for device, its in self.owner.items() if its is owner]:
            self.close_stream(device)

    def set_buffers(self, device: str, count: int) -> int:
        """Number of kernel buffers for the next OPEN; 0 or a negative errno."""
        if not 1 <= count <= _MOST_BUFFERS:
            return -EINVAL
        self.buffers[device] = count
        return 0

    def reset(self) -> None:
        """Drop everything queued and forget every attribute, as after a power cycle; rate and LOs stay."""
        for device in (RX, TX):
            self.close_stream(device)
        self.loop.clear()
        self.buffers = {RX: _BUFFERS, TX: _BUFFERS}
        self.state = PlutoState(self.radio, self._rate_changed)
        self._tone_at = self.radio.played  # where `play` raised, the tones of this step are lost

    def _rate_changed(self) -> None:
        """All ticks are renumbered: what is open starts anew."""
        self.loop.clear()
        self._tone_at = self.radio.played
        if self.rx is not None:
            self.rx = RxStream(self.radio, self.state, self.loop, self.rx.samples, self.rx.columns, self.rx.count)
        if self.tx is not None:
            old = self.tx
            self.tx = TxStream(self.radio, self.state, self.loop, old.samples, old.columns, old.cyclic, old.count)
