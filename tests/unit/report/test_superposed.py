"""What a run says of superposed transmitters."""

from hil.report.superposed import alignment_lines, knowledge_lines
from hil.report.view import View
from tests.unit.report.documents import three


def changed(document, **of_schemes):
    """The document with more on its rows over the air, by scheme, and superposed schemes twice under other names."""
    points = list(document.points)
    for row in document.points:
        if row.source == "air" and row.scheme == "jscc-noma":
            points += [
                row.model_copy(update={"scheme": "jscc-noma@unaligned", "alignment": None}),
                row.model_copy(update={"scheme": "jscc-noma-csir", "csi": {"tx": "none", "rx": "channel"}, "alignment": None}),
            ]
    return document.with_(points=[row.model_copy(update=of_schemes.get(row.source, {}).get(row.scheme, {})) for row in points])


OFF = {"alignments": 4, "gated": 1, "kept_out_of_bounds": 0, "phase_deg": 3.14, "power_db": 0.123, "delay_samples": 0.0123}


def test_alignment_is_told_once_a_scheme():
    assert alignment_lines(View(three())) == []
    aligned = changed(three(), air={"jscc-noma": {"alignment": OFF}})
    assert alignment_lines(View(aligned)) == [
        "jscc-noma was aligned 12 times in 3 points; off, at the worst point, by 3.1° rms, 0.12 dB, "
        "0.012 samples, their soundings' noise included; "
        "3 frames refused and sent again."
    ]
    kept = changed(three(), air={"jscc-noma": {"alignment": OFF | {"kept_out_of_bounds": 2}}})
    assert alignment_lines(View(kept))[0].endswith("3 frames refused and sent again, 6 kept out of bounds.")


def test_aligned_unaligned_and_told_stand_side_by_side():
    plain, several = View(three()), View(changed(three()))
    assert knowledge_lines(plain, plain.panels[0]) == []
    lines = knowledge_lines(several, several.panels[0])
    assert len(lines) == 3
    assert lines[0].startswith("Superposed at −6 dB: aligned: jscc-noma ")
    assert "; not aligned: jscc-noma@unaligned " in lines[0]
    assert "; told the channel: jscc-noma-csir " in lines[0]
