# SPDX-License-Identifier: GPL-2.0-or-later
"""HUP: all or nothing, and no connection notices."""

import copy
import json
import os
import pathlib
import resource
import signal

import pytest

from lab import background
from lab import lab as labs
from lab import network, wait
from lab import synward as daemons
from lab.metrics import Difference

pytestmark = pytest.mark.synward

LOAD = 50  # connections, again and again
HELD = 10  # seconds: long enough to be looked at

EXTRA = {"name": "extra", "listen": [network.endpoint(4, 8080), network.endpoint(6, 8080)]}


class Reloader:
    def __init__(self, daemon):
        self.daemon = daemon
        self.good = json.loads(daemon.config_file.read_text())

    def __call__(self, text):
        """Writes the file, sends HUP and waits until the daemon has said how it went."""
        said = self.finished()
        self.daemon.config_file.write_text(text if isinstance(text, str) else json.dumps(text, indent=2))
        self.daemon.process.send_signal(signal.SIGHUP)
        wait.until(lambda: self.finished() > said, "the reload to end")
        return self.daemon.metrics().total("synward_config_last_reload_successful") == 1

    def finished(self):
        log = self.daemon.log()
        return log.count("reloaded: ") + log.count("was not loaded")


@pytest.fixture(name="reload")
def _reload(lab, synward):
    reloader = Reloader(synward)
    yield reloader
    reloader(reloader.good)


def established(daemon):
    return daemon.metrics().total("connections", protected_service="web", side="client", state="established")


def changed(good, **changes):
    settings = copy.deepcopy(good)
    for key, value in changes.items():
        settings[key] = {**settings.get(key, {}), **value} if isinstance(value, dict) else value
    return settings


def test_twenty_reloads_during_load(lab, synward, reload):
    good, before = reload.good, synward.metrics()
    services = good["services"]
    steps = [
        (True, changed(good, services=services + [EXTRA])),
        (True, good),
        (True, changed(good, half_open={"synack_timeout": "2s"}, splice={"idle": "1h"})),
        (False, changed(good, half_open={"synack_timeout": "2 parsecs"})),
    ] * 4 + [
        (False, changed(good, queue_start=30000)),
        (True, changed(good, services=list(reversed(services)))),
        (True, changed(good, splice={"early_data": {"per_connection": "8KiB", "total": "128MiB"}})),
        (True, good),
    ]
    assert len(steps) == 20 and sum(not fine for fine, _ in steps) == 5

    def load(turn):
        return lab.load(LOAD, family=(4, 6)[turn % 2], concurrency=20)
    with lab.holding(50, hold_seconds=HELD) as held:
        wait.until(lambda: established(synward) == 50, "the connections to hold")
        with background.repeated(load) as results:
            for fine, settings in steps:
                served = len(results)
                assert reload(settings) == fine
                wait.until(lambda before=served: len(results) > before, "clients to be served across the reload")
        done = held()
    assert done["held"] == done["ok"] == 50, done
    assert all(result["ok"] == LOAD for result in results), results
    change = Difference(before, synward.metrics())
    assert change.total("connections_closed_total", reason="reset") == 0
    assert change.dropped() == {}


def test_a_broken_file_is_refused_with_its_place(synward, reload):
    assert not reload("interfaces:\n  client: [m0]\n  server: [m1]\nservices: [{name: web, listne: []}]\n")
    assert "synward.yaml:4:24: error: " in synward.log()
    assert "did you mean 'listen'?" in synward.log()
    assert synward.health()[0] == 200


def test_what_needs_a_restart_is_refused_whole(lab, synward, reload):
    wanted = changed(reload.good, queue_start=30000, workers=1,
                     services=reload.good["services"] + [{**EXTRA, "name": "refused"}])
    assert not reload(wanted)
    for key in ("queue_start", "workers"):
        assert f"a change of `{key}` needs restart" in synward.log()
    assert 'protected_service="refused"' not in synward.metrics().text
    assert lab.load(20)["ok"] == 20


def test_tables_that_do_not_fit_into_memory_are_refused(lab, synward, reload):
    # By its heuristic (the default) or strictly the kernel refuses what can never be there.
    if pathlib.Path("/proc/sys/vm/overcommit_memory").read_text().strip() == "1":
        pytest.skip("this machine's kernel promises any memory")
    assert not reload(changed(reload.good, splice={"early_data": {"total": "1024GiB"}}))
    assert "its tables do not fit into memory" in synward.log()
    assert lab.load(20)["ok"] == 20
    assert reload(reload.good)


def test_services_that_do_not_fit_into_memory_leave_nothing_behind():
    """Each has a half-open queue. Address space is what is bounded: nothing of it is ever touched."""
    bounded = daemons.Synward(wrapper=("prlimit", f"--as={4 << 30}"), half_open={"backlog": 4 << 20})
    with labs.Lab(bounded) as lab:
        reload = Reloader(lab.defence)
        many = [{"name": f"service-{i}", "listen": [network.endpoint(4, 10_000 + i)]} for i in range(40)]
        assert not reload(changed(reload.good, services=reload.good["services"] + many))
        assert "its tables do not fit into memory" in lab.defence.log()
        assert "cannot go back" not in lab.defence.log()
        assert reload(reload.good)
        assert reload(changed(reload.good, services=reload.good["services"] + many[:1]))
        assert lab.load(20)["ok"] == 20


def test_a_file_for_which_there_is_no_memory_is_refused():
    with labs.Lab(daemons.Synward()) as lab:
        reload, process = Reloader(lab.defence), lab.defence.process
        many = [{"name": f"service-{i}", "listen": [network.endpoint(4, 10_000 + i)],
                 "backends": [f"{network.server_address(4, 20)}:{port}" for port in range(1, 65)]} for i in range(1000)]
        _, unbounded = resource.prlimit(process.pid, resource.RLIMIT_AS)
        size = next(int(line.split()[1]) * 1024 for line in
                    pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("VmSize"))
        resource.prlimit(process.pid, resource.RLIMIT_AS, (size + (1 << 20), unbounded))
        assert not reload(changed(reload.good, services=reload.good["services"] + many))
        assert "there is no memory" in lab.defence.log()
        resource.prlimit(process.pid, resource.RLIMIT_AS, (unbounded, unbounded))
        assert lab.load(20)["ok"] == 20
        assert reload(reload.good)


def test_many_signals_are_no_sign_of_ill_health(synward, reload):
    """A worker that nobody sends anything turns twice a second only: health counts seconds, not signals."""
    before = synward.log().count("not healthy")
    for _ in range(40):
        assert not reload("services: []\n")
    assert synward.log().count("not healthy") == before
    assert synward.health()[0] == 200


def policies_of_workers(synward):
    threads = pathlib.Path(f"/proc/{synward.process.pid}/task").iterdir()
    return {os.sched_getscheduler(int(thread.name)) for thread in threads
            if (thread / "comm").read_text().startswith("worker-")}


def test_a_priority_that_a_start_would_refuse_is_refused():
    """Else the next start, maybe days later, is the first to fail."""
    unprivileged = daemons.Synward(wrapper=("setpriv", "--bounding-set", "-sys_nice", "prlimit", "--rtprio=0"))
    with labs.Lab(unprivileged) as lab:
        reload = Reloader(lab.defence)
        assert not reload(changed(reload.good, realtime=10))
        assert "realtime" in lab.defence.log()
        assert policies_of_workers(lab.defence) == {os.SCHED_OTHER}


def test_priority_of_the_workers_changes_while_they_run(lab, synward, reload):
    if lab.middlebox.run("chrt", "-f", "10", "true", check=False).returncode != 0:
        pytest.skip("nobody here may have realtime priority (CAP_SYS_NICE)")
    assert policies_of_workers(synward) == {os.SCHED_OTHER}
    assert reload(changed(reload.good, realtime=10))
    assert policies_of_workers(synward) == {os.SCHED_FIFO}
    assert lab.load(20)["ok"] == 20
    assert reload(reload.good)
    assert policies_of_workers(synward) == {os.SCHED_OTHER}


def test_a_service_that_comes_is_protected(lab, synward, reload):
    settings = copy.deepcopy(reload.good)
    settings["services"] = [service for service in settings["services"] if service["name"] != "web"]
    assert reload(settings)
    before = synward.metrics()
    assert lab.load(20)["ok"] == 20  # straight to the server
    assert Difference(before, synward.metrics()).total("syns_received_total") == 0
    assert reload(reload.good)
    assert lab.load(20)["ok"] == 20
    assert Difference(before, synward.metrics()).total("connections_spliced_total", protected_service="web") == 20


def test_connections_of_a_service_that_goes_live_on(lab, synward, reload):
    settings = copy.deepcopy(reload.good)
    settings["services"] = [service for service in settings["services"] if service["name"] != "web"]
    with lab.holding(100, hold_seconds=HELD) as result:
        wait.until(lambda: established(synward) == 100, "the connections to hold")
        assert reload(settings)
        assert established(synward) == 100
        done = result()
    assert done["held"] == done["ok"] == 100, done
