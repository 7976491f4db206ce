"""Bring one link to an SNR: hear it, measure it, close the loop by transmit gain and back-off, verify with fresh frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from hil.calibration.causes import excess_db, saturated, slipped, too_strong, too_weak, why_lost
from hil.calibration.estimates import Clocks, Silence, Snr, clocks_of, pool_silence, received, snr_of
from hil.calibration.levels import Level, Levels
from hil.calibration.mixers import Mixers, mixers_of
from hil.calibration.quiet import Quiet, measure_quiet
from hil.calibration.sounding import LinkSounder, Look
from hil.errors import BurstsBrokenError, TieSlippedError
from hil.phy.mixer import Mixer
from hil.units import decibels

__all__ = ["AIM_DB", "Curve", "Loop", "Met"]

AIM_DB = 15.0
"""A comfortable SNR, at which a link is measured."""
LOWEST_TARGET_DB = -10.0
_CLIMB_DB = 20.0
"""From where nothing is heard yet, so at most 10 dB or so."""
_ENOUGH_DB = -9.0
"""SNR of a frame that tells how far it is to `AIM_DB`."""
_AUDIBLE_DB = 3.0
"""Power over the noise at which frames must be received: the climb goes no further without."""
_SERVED_DB = 0.25
"""A target is met by the greatest gain if that falls short by so much at most."""
_TOLERANCE_DB = 0.15
_TURNS = 3
_QUIET_SAMPLES = 65536
_LOST_MOST = 0.5
_FADING_LOOKS = 16
"""Frames that a step of the climb is judged by where links fade."""

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One step of the transmit-gain → SNR curve.

    Attributes:
        gain_db: transmit gain; snr: there; None: not received.
        clipped: share of samples at the receiver's rails.
    """

    gain_db: float
    snr: Snr | None
    clipped: float


@dataclass(frozen=True, kw_only=True)
class Met:
    """A link at its target.

    Attributes:
        level: that gives it; snr: by fresh frames; looks: these frames.
        reached: False where the greatest gain falls short of the target within `_SERVED_DB`.
    """

    level: Level
    snr: Snr
    looks: list[Look]
    reached: bool


@dataclass(kw_only=True)
class Loop:
    """The steps of one link's calibration, in the order in which they are called: listen, hear, measure, curve, meet.

    Args:
        sounder: of the link.
        levels: that its transmitter has.
        search_hz: largest carrier offset that the receiver searches.
        frames: that a statement rests on.
        quiet: what was heard in silence; aim: the level of `measure`; aimed: its looks; mixers: as they tell.
        rise_db: noise around frames over that in silence, at the levels measured last.
        fading: the link fades: a target is then met by the gain's own scale, as single frames say nothing.
    """

    sounder: LinkSounder
    levels: Levels
    search_hz: float
    frames: int = 24
    fading: bool = False
    quiet: Quiet | None = None
    aim: Level | None = None
    aimed: list[Look] = field(default_factory=list)
    mixers: Mixers | None = None
    rise_db: float = 0.0

    def listen(self) -> Quiet:
        """The noise floor, and the DC offset, which is taken off from here on."""
        samples = self.sounder.quiet(_QUIET_SAMPLES)
        if len(samples) < _QUIET_SAMPLES // 2:
            raise BurstsBrokenError(
                f"receiver '{self.sounder.receiver_name}' delivered {len(samples)} of {_QUIET_SAMPLES} samples; look for "
                "overflows"
            )
        form = self.sounder.form
        self.quiet = measure_quiet(samples, form.numerology, self.sounder.bench.sample_rate_hz)
        self.sounder.correct(Mixer(dc_i=self.quiet.dc.real, dc_q=self.quiet.dc.imag))
        return self.quiet

    def hear(self) -> Level:
        """Climb from the lowest gain until the link is heard, and follow its delay.

        Raises:
            CalibrationError: why it is not.
        """
        total = self.levels.gains.low
        snr_db: float | None = None
        while True:
            self.sounder.set_level(self.levels.at(total))
            looks = self.sounder.sound(_FADING_LOOKS if self.fading else 1, search=True)
            snr_db = self._snr_db(looks)
            if snr_db is None and not self.fading:
                self._check_audible(looks)
            if saturated(looks):
                return self._unsaturate()
            at_top = total >= self.levels.high_db - 1e-9
            if snr_db is None and at_top:
                looks += self.sounder.sound(3, search=True)
                snr_db = self._snr_db(looks)
                if snr_db is None:
                    raise why_lost(self.sounder, looks, self.levels, self._quiet(), self.search_hz)
            if snr_db is not None and (snr_db >= _ENOUGH_DB or at_top):
                self._follow(looks)
                return self._aim_from(snr_db)
            total = min(total + _CLIMB_DB, self.levels.high_db)

    def _check_audible(self, looks: list[Look]) -> None:
        """No louder, where the link is heard already and no frame is received, or bursts are broken.

        Raises:
            CalibrationError: why that is.
        """
        if self._inaudible(looks):
            return
        again = self.sounder.sound(2, search=True)  # the first one may have been broken by chance
        if self._snr_db(looks + again) is None and not self._inaudible(again):
            raise why_lost(self.sounder, looks + again, self.levels, self._quiet(), self.search_hz)

    def _inaudible(self, looks: list[Look]) -> bool:
        """Whether bursts that came whole are too faint for frames to be received."""
        return all(look.whole and not look.missing for look in looks) and excess_db(looks, self._quiet()) < _AUDIBLE_DB

    def _unsaturate(self) -> Level:
        """Come down from where the receiver saturates until a frame is heard without.

        Raises:
            SaturatedError: it saturates at the lowest level.
        """
        total = self.sounder.level.total_db
        while total > self.levels.low_db + 1e-9:
            total = max(total - _CLIMB_DB, self.levels.low_db)
            self.sounder.set_level(self.levels.at(total))
            looks = self.sounder.sound(2, search=True)
            snr_db = self._snr_db(looks)
            if not saturated(looks) and snr_db is not None:
                self._follow(looks)
                return self._aim_from(snr_db)
        raise why_lost(self.sounder, looks, self.levels, self._quiet(), self.search_hz)

    def _aim_from(self, snr_db: float) -> Level:
        self.aim = self.sounder.set_level(self.levels.at(self.sounder.level.total_db + AIM_DB - snr_db))
        return self.aim

    def _follow(self, looks: Sequence[Look]) -> None:
        """Move the receiver's window by the link's constant delay, as far as it is one, and search near the link's carrier."""
        looks = list(looks)
        if self.sounder.bench.config.clock != "shared":
            looks += self.sounder.sound(search=True)  # another burst: one alone may be late by itself
        late = [look.late for look in looks if look.late is not None]
        self.sounder.expect([float(frame.cfo_hz[0]) for _, frame in received(looks)])
        if late and abs(median(late)) > max(late) - min(late) + 1:
            self.sounder.bench.set_delay(self.sounder.tx, max(round(median(late)), -256), self.sounder.receiver_name)

    def measure(self) -> Snr:
        """The link at a comfortable SNR.

        Raises:
            CalibrationError: most frames are lost, and why.
        """
        self.aimed = self.sounder.sound(self.frames)
        found = self._whole(self.aimed)
        if found.silence > AIM_DB + 6 or (found.silence < AIM_DB - 6 and self.aimed[0].level.total_db < self.levels.high_db):
            self._aim_from(found.silence)  # the climb's single frame was no measure
            self.aimed = self.sounder.sound(self.frames)
            found = self._whole(self.aimed)
        self.mixers = mixers_of(self.aimed, self.sounder.form, self.sounder.config, self.sounder.bench.sample_rate_hz)
        return found

    def clocks(self) -> Clocks:
        """Carrier, clock and delay, from the frames of `measure`."""
        return clocks_of(self.aimed, self.sounder.form)

    def curve(self, snr_db: float, *, points: int = 6, frames: int = 3) -> list[Curve]:
        """SNR by transmit gain, from where frames are received to the greatest gain at which the receiver does not saturate.

        Args:
            snr_db: at `aim`.
            points: at most.
            frames: at each.
        """
        assert self.aim is not None or self.aimed
        base = self.aimed[0].level.total_db - snr_db
        low = max(self.levels.gains.low, base - 6.0)
        gains = np.linspace(low, self.levels.high_db, points) if low < self.levels.high_db else [self.levels.high_db]
        found: list[Curve] = []
        if self.fading:
            frames = _FADING_LOOKS
        for gain in sorted({self.levels.gains.nearest(float(one)) for one in gains}):
            applied = self.sounder.set_level(Level(gain_db=gain))
            looks = self.sounder.sound(frames)
            share = sum(look.clipped for look in looks) / max(sum(len(look.samples) for look in looks), 1)
            found.append(Curve(gain_db=applied.gain_db, snr=self._measured(looks), clipped=share))
            if saturated(looks):
                break
        return found

    def meet(self, snr_db: float, target_db: float, say: Say = lambda text: None) -> Met:
        """Close the loop.

        Args:
            snr_db: at `aim`, by `measure`.
            target_db: wanted.
            say: told what is done.

        Raises:
            CalibrationError: out of reach, or frames are lost.
        """
        total = self.aimed[0].level.total_db + target_db - snr_db
        if self.fading:
            return self._by_scale(total, target_db)
        for turn in range(_TURNS):
            level = self.sounder.set_level(self.levels.at(total))
            looks = self.sounder.sound(self.frames)
            found = self._whole(looks)
            off = target_db - found.silence
            self._check_reach(level, found, target_db)
            at_top = level.total_db >= self.levels.high_db - 1e-9 and off > 0
            if abs(off) <= _TOLERANCE_DB or at_top or turn == _TURNS - 1:
                break
            total = level.total_db + off
        say(f"  {found.silence:.2f} dB at gain {level.gain_db:g} dB, {level.back_off_db:.2f} dB of back-off")
        return Met(level=level, snr=found, looks=looks, reached=abs(target_db - found.silence) <= _SERVED_DB)

    def _by_scale(self, total: float, target_db: float) -> Met:
        """A target by the gain's scale, from the frames of `measure`."""
        level = self.sounder.set_level(self.levels.at(total))
        found = self._whole(self.aimed).shifted(level.total_db - self.aimed[0].level.total_db)
        self._check_reach(level, found, target_db)
        return Met(level=level, snr=found, looks=self.aimed, reached=abs(target_db - found.silence) <= _SERVED_DB)

    def _check_reach(self, level: Level, found: Snr, target_db: float) -> None:
        doubt = (found.silence_ci[1] - found.silence_ci[0]) / 2
        if level.total_db >= self.levels.high_db - 1e-9 and found.silence < target_db - max(_SERVED_DB, doubt):
            raise too_weak(self.sounder, self.levels, found.silence, target_db)
        if level.total_db <= self.levels.low_db + 1e-9 and found.silence > target_db + max(_SERVED_DB, doubt):
            raise too_strong(self.sounder, self.levels, found.silence, target_db)

    def _whole(self, looks: list[Look]) -> Snr:
        """SNR of looks of which enough are received.

        Raises:
            CalibrationError: why they are not.
        """
        one_clock = self.sounder.bench.config.clock == "shared"  # else times are only compared by the host
        slip = slipped(looks) if one_clock and not self.fading else None
        if slip is not None:
            raise TieSlippedError(
                f"link {self.sounder.tx}:{self.sounder.receiver_name}: bursts come in {slip} samples apart from one another; "
                "the transmitter's stream lost its place, or its start times are not kept"
            )
        found = self._measured(looks)
        if found is None or found.frames < _LOST_MOST * len(looks):
            if saturated(looks):
                raise why_lost(self.sounder, looks, self.levels, self._quiet(), self.search_hz)
            self.sounder.expect([])
            looks += self.sounder.sound(len(looks), search=True)
            found = self._measured(looks)
        if found is None or found.frames < _LOST_MOST * len(looks):
            raise why_lost(self.sounder, looks, self.levels, self._quiet(), self.search_hz)
        return found

    def _measured(self, looks: Sequence[Look]) -> Snr | None:
        """Against the noise around all frames at these transmit gains and below, and of silence if that is as loud."""
        most = max(look.level.gain_db for look in looks)
        noise = pool_silence([look for look in self.sounder.looks if look.level.gain_db <= most])
        quiet = self._quiet()
        still = Silence(power=quiet.noise, looks=quiet.looks, by_carrier=quiet.by_carrier)
        if noise is not None and noise.power > 0:
            self.rise_db = decibels(noise.power / still.power)
            noise = noise.joined(still) if noise.agrees(still) else noise
        image = self.mixers.image if self.mixers is not None else 0.0
        return snr_of(looks, self.sounder.form, self.sounder.config, noise, image=image)

    @staticmethod
    def _snr_db(looks: Sequence[Look]) -> float | None:
        """A first idea; None where no frame was received."""
        good = [float(frame.snr[0]) for _, frame in received(looks)]
        return decibels(max(float(np.mean(good)), 1e-3)) if good else None

    def _quiet(self) -> Quiet:
        return self.quiet if self.quiet is not None else self.listen()
