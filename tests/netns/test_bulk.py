# SPDX-License-Identifier: GPL-2.0-or-later
"""A gigabyte each way arrives as it was sent."""

import pytest

from lab import network, servers

MEBIBYTES = 1024


@pytest.fixture(name="content", scope="module")
def _content(lab):
    path = lab.nginx.make_file("gigabyte", MEBIBYTES)
    return path, servers.sha256(path)


def url(family, path):
    return f"http://{network.endpoint(family)}/{path}"


@pytest.mark.parametrize("family", [4, 6])
def test_download(lab, content, family):
    _, expected = content
    done = lab.client.run("sh", "-c", 'curl -sSg --max-time 120 "$0" | sha256sum', url(family, "gigabyte"),
                          timeout=150)
    assert done.stdout.split()[0] == expected, done.stderr


@pytest.mark.parametrize("family", [4, 6])
def test_upload(lab, content, family):
    path, expected = content
    lab.client.run("curl", "-sSgf", "--max-time", 120, "-T", path, url(family, "upload/gigabyte"), timeout=150)
    uploaded = lab.nginx.root / "upload" / "gigabyte"
    try:
        assert servers.sha256(uploaded) == expected
    finally:
        uploaded.unlink(missing_ok=True)
