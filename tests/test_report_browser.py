"""A real browser draws a party's report under the page's own policy."""

import os
import shutil
import struct
import subprocess
import zlib

import numpy as np
import pytest

from moiety.report.page import write
from report_kit import sample_report


def pixels(png):
    """The rows of an 8-bit RGB or RGBA picture, one array of shape (height, width, 3)."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, data = 8, b""
    width = height = depth = 0
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        body = png[place + 8 : place + 8 + length]
        if kind == b"IHDR":
            width, height, bits, colour = struct.unpack_from(">IIBB", body)
            depth = {2: 3, 6: 4}[colour]
            assert bits == 8
        data += body if kind == b"IDAT" else b""
        place += 12 + length
    raw = zlib.decompress(data)
    stride = width * depth
    before, rows = bytes(stride), []
    for row in range(height):
        start = row * (stride + 1)
        before = unfilter(raw[start], raw[start + 1 : start + 1 + stride], before, depth)
        rows.append(before)
    return np.frombuffer(b"".join(rows), np.uint8).reshape(height, width, depth)[:, :, :3]


def unfilter(kind, line, above, depth):
    """One row of a picture, from its differences to what is left of it and above it (PNG §9)."""
    out = bytearray(line)
    for i, up in enumerate(above):
        left, corner = (out[i - depth], above[i - depth]) if i >= depth else (0, 0)
        if kind == 4:
            a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
            guess = left if a <= b and a <= c else up if b <= c else corner
        else:
            guess = (0, left, up, (left + up) // 2)[kind]
        out[i] = (out[i] + guess) & 255
    return bytes(out)


def chromium():
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None and os.environ.get("MOIETY_REQUIRE_CHROMIUM") == "1":
        pytest.fail("MOIETY_REQUIRE_CHROMIUM=1, and no chromium is installed")
    if found is None:
        pytest.skip("no chromium is installed")
    return found


@pytest.mark.jobs
@pytest.mark.parametrize("party", ["lender", "payco"])
def test_a_browser_draws_the_page_under_its_own_policy(tmp_path, party):
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    write(sample_report(party), page)
    quiet = "--no-first-run --disable-background-networking --disable-component-update"
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", *quiet.split()]
    command += ["--disable-sync", "--hide-scrollbars", "--window-size=900,500"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}"]
    subprocess.run([*command, page.as_uri()], check=True, capture_output=True, timeout=120)
    seen = pixels(picture.read_bytes())
    colours, counts = np.unique(seen.reshape(-1, 3), axis=0, return_counts=True)
    by_colour = dict(zip(map(tuple, colours.tolist()), counts.tolist(), strict=True))
    assert seen.shape == (500, 900, 3) and len(colours) > 50
    assert by_colour.get((253, 236, 235), 0) > 20_000, "the red banner is not styled"
    assert 0.01 < (seen.mean(axis=2) < 128).mean() < 0.3, "too little or too much ink"
