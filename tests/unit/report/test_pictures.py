"""Pictures in the page: sent, received and difference of the same task over schemes and SNRs; a lost one is said to be."""

import base64
import io

import numpy as np
from PIL import Image

from hil.report.html import write_report
from hil.report.pictures import ERROR_GAIN, _error, pictures
from hil.report.view import View
from hil.results.parts import Picture
from tests.unit.report.documents import three


def png(value, size=4):
    data = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), value, np.uint8)).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode("ascii")


def shown(received):
    """A document whose rows over the air have two tasks to look at."""
    document = three()
    both = [Picture(task=0, sent=png(100), received=received), Picture(task=1, sent=png(90), received=png(91))]
    rows = [row.model_copy(update={"pictures": both}) if row.source == "air" else row for row in document.points]
    return document.with_(points=rows)


def test_the_difference_is_around_grey_and_made_visible():
    found = np.asarray(Image.open(io.BytesIO(base64.b64decode(_error(Picture(task=0, sent=png(100), received=png(110)))))))
    assert (found == 128 + 10 * ERROR_GAIN).all() or (found == 127 + 10 * ERROR_GAIN).all()
    assert _error(Picture(task=0, sent=png(100), received="")) == ""
    assert _error(Picture(task=0, sent=png(100), received=png(1, size=8))) == ""  # not of one size


def test_every_scheme_and_snr_has_its_pictures(tmp_path):
    document = shown(png(110))
    view = View(document)
    panel = view.panels[0]
    html = "".join(pictures(view, panel))
    points = len([row for row in document.points if row.source == "air"])
    assert html.count('alt="received"') == html.count('alt="difference"') == 2 * points
    assert html.count('alt="sent"') == 2 * len(panel.schemes)
    write_report(document, None, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count('alt="received"') == 2 * points
    assert "".join(pictures(View(three()), View(three()).panels[0])) == ""


def test_a_lost_picture_is_said_to_be_lost():
    view = View(shown(""))
    assert ">lost<" in "".join(pictures(view, view.panels[0]))
