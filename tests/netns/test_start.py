# SPDX-License-Identifier: GPL-2.0-or-later
"""Healthy means protected: from the first `ok` of /healthz on, no SYN goes past the daemon."""

import pytest

from lab import lab as labs
from lab import synward

pytestmark = pytest.mark.synward


def test_healthy_means_protected():
    with labs.Lab() as lab:
        for attempt in range(15):
            daemon = lab.protect(synward.Synward())
            assert lab.load(1)["ok"] == 1
            passed = daemon.metrics().total("syns_received_total", protected_service="web")
            assert passed == 1, f"start {attempt}: a SYN went past the daemon"
            lab.unprotect()
