"""What a run says of peaks, uses and bits."""

from hil.report.sent import sent_lines
from hil.report.view import View
from tests.unit.report.documents import three

PEAKS = {"papr_db": [8.39, None], "peak_db": [11.26, None], "tx_clipped_share": [0.0, None]}
CODING = {
    "choice": "hybrid", "headers": "known", "bits_per_pixel": 0.25, "packets": [{"name": "QPSK 1/2"}, {"name": "16-QAM 1/2"}],
    "fates": {"received": 5, "wrong_crc": 1, "codeword_errors": 0},
}  # fmt: skip


def changed(**of_schemes):
    document = three()
    rows = [
        row.model_copy(update=of_schemes[row.scheme]) if row.source == "air" and row.scheme in of_schemes else row
        for row in document.points
    ]
    return View(document.with_(points=rows))


def test_nothing_is_said_of_what_was_not_measured():
    assert sent_lines(View(three())) == []


def test_peaks_and_clipping_stand_in_one_line():
    lines = sent_lines(changed(**{"jscc-single": PEAKS, "jscc-oma": PEAKS | {"tx_clipped_share": [0.0, 0.0012]}}))
    assert lines == [
        "Peaks of the payload over its mean, dB, exceeded by 0.1 % of the samples sent (highest): single 8.4 (11.3), "
        "OMA 8.4 (11.3); clipped when sent: OMA up to 0.12 %."
    ]
    assert sent_lines(changed(**{"jscc-noma": PEAKS}))[0].endswith("NOMA 8.4 (11.3); no sample clipped when sent.")


def test_a_digital_scheme_says_uses_bits_choice_and_what_was_lost():
    lines = sent_lines(changed(**{"jscc-oma": {"coding": CODING}}))
    assert lines == [
        "OMA: 4 + 4 uses a task; 0.250 bits a pixel, headers known; hybrid: QPSK 1/2, 16-QAM 1/2; lost: 3 wrong crc."
    ]


def test_so_does_one_that_was_only_simulated():
    document = three()
    rows = [
        row.model_copy(update={"coding": CODING}) if row.scheme == "jscc-oma" and row.snr_basis == "link" else row
        for row in document.points
        if row.source == "simulation"
    ]
    lines = sent_lines(View(document.with_(points=rows)))
    assert len(lines) == 1
    assert lines[0].startswith("OMA: ")
    assert "0.250 bits a pixel" in lines[0]
    assert "wrong crc" in lines[0]
