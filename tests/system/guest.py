# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs inside the virtual machine: the unit under its systemd, from the start to the stop. Every
step prints PASS or FAIL; the last line counts them."""

import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lab import metrics, netns, network, threads, wait  # noqa: E402  pylint: disable=wrong-import-position
from system import machine  # noqa: E402  pylint: disable=wrong-import-position
from system.saved_ruleset import a_saved_ruleset_loads_again  # noqa: E402  pylint: disable=wrong-import-position

KEY = pathlib.Path("/var/lib/synward/cookie.key")
MODULES = {"nft_queue", "nft_hash", "nft_tproxy", "nfnetlink_queue", "nf_tables"}
EXAMPLES = pathlib.Path("/usr/share/doc/synward/examples")
DROP_IN = pathlib.Path("/etc/systemd/system/synward.service.d")
NET_ADMIN_AND_NET_RAW = 1 << 12 | 1 << 13


def tell(text):
    print(f"     {text}", flush=True)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def what_was_installed_is_in_force(peers):
    """sysusers, tmpfiles, modules-load and sysctl.d did their work at boot"""
    passwd = pathlib.Path("/etc/passwd").read_text(encoding="utf-8")
    tell(next(line for line in passwd.splitlines() if line.startswith("_synward:")))
    directory = KEY.parent.stat()
    expect(directory.st_mode & 0o777 == 0o700 and directory.st_uid != 0, "/var/lib/synward is _synward's alone")
    expect(machine.loaded_modules() >= MODULES, f"modules at boot: {machine.loaded_modules()}")
    for path, value in (("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1"),
                        ("ipv4/conf/all/rp_filter", "2"), ("ipv4/conf/m0/send_redirects", "0")):
        found = pathlib.Path(f"/proc/sys/net/{path}").read_text(encoding="ascii").strip()
        expect(found == value, f"{path} is {found}")


def modules_load_by_themselves(peers):
    """without a module loaded, the unit starts all the same: the kernel loads them"""
    own = MODULES - {"nf_tables"}  # which the lab's own counters use
    netns.run(["modprobe", "-r", *own])
    expect(not own & machine.loaded_modules(), f"still loaded: {own & machine.loaded_modules()}")
    code, text = machine.systemctl("start", machine.UNIT)
    expect(code == 0, text + machine.journal())
    tell("loaded by the start: " + " ".join(sorted(own & machine.loaded_modules())))
    expect(own <= machine.loaded_modules(), "not all of them")


def it_runs_with_little(peers):
    """READY, not root, two capabilities, no new privileges, a system call filter"""
    expect(machine.show("ActiveState") == "active", "not active")
    tell("status: " + machine.show("StatusText"))
    expect(machine.show("StatusText").startswith("protecting 1 service: "), "no status line")
    process = machine.process_status(machine.main_pid())
    tell(f"User={machine.show('User')} " + " ".join(f"{key}={process[key].split()[0]}" for key in (
        "Uid", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")))
    expect(process["Uid"].split()[0] != "0", "it is root")
    for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        expect(int(process[kind], 16) == NET_ADMIN_AND_NET_RAW, f"{kind} is {process[kind]}")
    expect(process["NoNewPrivs"] == "1" and process["Seccomp"] == "2", "sandbox")
    expect(KEY.stat().st_mode & 0o777 == 0o600, "the key's mode")
    done = subprocess.run(["systemd-analyze", "security", "--no-pager", machine.UNIT], capture_output=True,
                          text=True, check=True)
    tell(done.stdout.strip().splitlines()[-1].encode("ascii", "ignore").decode())


def rules_use_the_native_queue_expression(peers):
    """nftables' own queue expression; challenges in place"""
    rules = netns.run(["nft", "list", "ruleset"]).stdout
    queues = [line.strip() for line in rules.splitlines() if " queue " in f" {line.strip()} "]
    for line in queues:
        tell(line)
    expect(queues and "xt target" not in rules and "NFQUEUE" not in rules, rules)
    said = machine.journal(machine.show("InvocationID"))
    expect("native queue rules" in said, said)
    expect("warning" not in said and "raw socket" not in said, said)
    bound = pathlib.Path("/proc/net/netfilter/nfnetlink_queue").read_text(encoding="ascii").splitlines()
    expect(len(bound) == 6, f"queues: {bound}")


def pages_come_through(peers):
    """curl through it by IPv4 and IPv6, each redeemed by its cookie"""
    before = machine.scrape()
    for family in (4, 6):
        expect(peers.fetch(family), f"no page by IPv{family}")
    grown = metrics.Difference(before, machine.scrape())
    expect(grown.total("cookies_redeemed_total", protected_service="web") == 2, "not through it")
    expect(grown.total("segments_translated_total") > 0, "not spliced")


def flood_reaches_nobody(peers):
    """a flood while pages come: no spoofed packet reaches the server; the status line has the rate"""
    before = machine.scrape()
    with peers.flood(2000):
        wait.until(lambda: machine.scrape().total("syns_received_total") >
                   before.total("syns_received_total") + 5000, "the flood", timeout=machine.PATIENCE)
        for _ in range(5):
            expect(peers.fetch_both(), "no page during the flood")
        wait.until(lambda: " 0 SYN/s" not in machine.show("StatusText"), "the rate", timeout=machine.PATIENCE)
        tell("status: " + machine.show("StatusText"))
    grown = metrics.Difference(before, machine.scrape())
    tell(f"SYNs {grown.total('syns_received_total'):.0f}, SYN-ACKs {grown.total('synacks_sent_total'):.0f}, "
         f"redeemed {grown.total('cookies_redeemed_total'):.0f}, "
         f"spoofed packets at the server {peers.spoofed_at_server()}")
    expect(grown.total("cookies_redeemed_total") == 10, "connections")
    expect(peers.spoofed_at_server() == 0, "the server saw the flood")


def good_reload(peers):
    """systemctl reload: a second service is protected by the same process"""
    pid = machine.main_pid()
    extra = {"name": "extra", "listen": [network.endpoint(4, 8080)]}
    config = machine.configuration()
    machine.configure({**config, "services": config["services"] + [extra]})
    code, text = machine.systemctl("reload", machine.UNIT)
    expect(code == 0, text)
    wait.until(lambda: "protecting 2 services" in machine.show("StatusText"), "the reload", timeout=machine.PATIENCE)
    tell("status: " + machine.show("StatusText"))
    expect(machine.main_pid() == pid and peers.fetch_both(), "not the same process, or no page")


def broken_reload(peers):
    """systemctl reload of a mistake fails, says where it is, and everything stays"""
    pid = machine.main_pid()
    machine.configure(machine.configuration(workers="many"))
    code, text = machine.systemctl("reload", machine.UNIT)
    tell(f"exit {code}: {text.splitlines()[0]}")
    expect(code != 0, "the reload succeeded")
    machine.said("synward.yaml:")
    tell(next(line for line in machine.journal().splitlines() if "synward.yaml:" in line))
    expect(machine.show("ActiveState") == "active" and machine.main_pid() == pid, "not running as before")
    wait.until(lambda: "refused" in machine.show("StatusText"), "the refusal", timeout=machine.PATIENCE)
    expect(machine.scrape().total("config_last_reload_successful") == 0, "the metric")
    expect("protecting 2 services" in machine.show("StatusText") and peers.fetch_both(), "not protecting as before")


def refused_reload(peers):
    """systemctl reload of a key that needs a restart: the status line says that it was refused"""
    machine.configure(machine.configuration(queue_start=30000))
    machine.systemctl("reload", machine.UNIT)
    wait.until(lambda: "refused" in machine.show("StatusText"), "the refusal", timeout=machine.PATIENCE)
    tell("status: " + machine.show("StatusText"))
    expect(machine.scrape().total("config_last_reload_successful") == 0, "the metric")
    machine.configure(machine.configuration())
    machine.systemctl("reload", machine.UNIT)
    wait.until(lambda: "refused" not in machine.show("StatusText"), "the good one", timeout=machine.PATIENCE)
    expect(peers.fetch_both(), "no page")


def comes_back(peers, how, hangs=False):
    """Does something to the daemon, and waits until systemd has another one that protects."""
    pid, restarts, key = machine.main_pid(), int(machine.show("NRestarts")), hashlib.sha256(KEY.read_bytes())
    before = len(machine.manager_lines())
    begun = time.monotonic()
    how(pid)
    wait.until(lambda: int(machine.show("NRestarts")) > restarts and machine.main_pid() not in (0, pid),
               "systemd to start it again", timeout=machine.PATIENCE)
    machine.healthy()
    for line in machine.manager_lines()[before:]:
        tell(line)
    tell(f"protects again {time.monotonic() - begun:.1f} s after, as process {machine.main_pid()} (was {pid}), "
         f"NRestarts={machine.show('NRestarts')}")
    expect(int(machine.show("NRestarts")) == restarts + 1, "more than one restart")
    expect(hashlib.sha256(KEY.read_bytes()).digest() == key.digest(), "another cookie key")
    if hangs:
        machine.said("Watchdog timeout")
    before = machine.scrape()
    expect(peers.fetch_both(), "no page")
    grown = metrics.Difference(before, machine.scrape())
    expect(grown.total("cookies_redeemed_total") == 2, "the pages went past it")


def killed(peers):
    """kill -9: systemd starts it again with the same cookie key"""
    comes_back(peers, lambda pid: os.kill(pid, signal.SIGKILL))


def stopped(peers):
    """SIGSTOP: the watchdog ends it, systemd starts it again"""
    comes_back(peers, lambda pid: os.kill(pid, signal.SIGSTOP), hangs=True)


def one_worker_hangs(peers):
    """one worker alone stands still: /healthz says so, the watchdog ends it"""
    def halt(pid):
        with threads.halted(threads.named(pid, "worker-1")) as worker:
            wait.until(lambda: machine.get("/healthz")[0] == 503, "/healthz to say so", timeout=machine.PATIENCE)
            tell("/healthz 503: " + machine.get("/healthz")[1].strip())
            expect("worker 1" in machine.get("/healthz")[1], "not the reason")
            # What waits for it is read from a file that only root's group may read.
            with peers.flood(500):
                wait.until(lambda: machine.scrape().total("queue_depth") > 0, "the depth of its queue")
            tell(f"{machine.scrape().total('queue_depth'):.0f} packets wait for it")
            wait.until(lambda: "worker 1" in machine.show("StatusText"), "the status line")
            wait.until(worker.ended, "the watchdog", timeout=machine.PATIENCE)
    comes_back(peers, halt, hangs=True)


def realtime(peers):
    """`realtime` is refused without the drop-in, and works with it, without CAP_SYS_NICE"""
    machine.configure(machine.configuration(realtime=50))
    machine.systemctl("restart", machine.UNIT)
    machine.said("LimitRTPRIO=50")
    DROP_IN.mkdir()
    (DROP_IN / "realtime.conf").write_bytes((EXAMPLES / "realtime.conf").read_bytes())
    machine.systemctl("daemon-reload")
    code, text = machine.systemctl("restart", machine.UNIT)
    expect(code == 0, text)
    pid = machine.main_pid()
    for name in ("worker-0", "worker-1"):
        tid = threads.named(pid, name)
        wait.until(lambda: os.sched_getscheduler(tid) == os.SCHED_FIFO, f"{name} to be real-time",  # noqa: B023
                   timeout=machine.PATIENCE)
        tell(f"{name}: SCHED_FIFO {os.sched_getparam(tid).sched_priority}")
        expect(os.sched_getparam(tid).sched_priority == 50, "another priority")
    expect(int(machine.process_status(pid)["CapEff"], 16) == NET_ADMIN_AND_NET_RAW, "more capabilities")
    expect(peers.fetch_both(), "no page")
    (DROP_IN / "realtime.conf").unlink()
    DROP_IN.rmdir()
    machine.systemctl("daemon-reload")
    machine.configure(machine.configuration())
    expect(machine.systemctl("restart", machine.UNIT)[0] == 0, "no restart without it")


def stops_during_a_flood(peers):
    """systemctl stop in a flood: exit 0, no rule, no queue, pages come straight from the server"""
    with peers.flood(2000):
        before = machine.scrape().total("syns_received_total")
        wait.until(lambda: machine.scrape().total("syns_received_total") > before + 1000, "the flood",
                   timeout=machine.PATIENCE)
        begun = time.monotonic()
        code, text = machine.systemctl("stop", machine.UNIT)
        took = time.monotonic() - begun
    tell(f"stopped in {took:.1f} s: Result={machine.show('Result')} ExecMainStatus={machine.show('ExecMainStatus')} "
         f"ActiveState={machine.show('ActiveState')}")
    expect(code == 0 and machine.show("ActiveState") == "inactive", text)
    expect(machine.show("Result") == "success" and machine.show("ExecMainStatus") == "0", "not a clean exit")
    expect(not machine.leftovers(), machine.leftovers())
    expect(peers.fetch_both(), "no page without it")


def broken_start(peers):
    """a mistake in the configuration: exit 78, every mistake in the journal, no second try"""
    machine.configure(machine.configuration(workers="many"))
    restarts = machine.show("NRestarts")
    code, _ = machine.systemctl("start", machine.UNIT)
    tell(f"systemctl exit {code}, ExecMainStatus={machine.show('ExecMainStatus')}, Result={machine.show('Result')}")
    expect(code != 0 and machine.show("ExecMainStatus") == "78", "not refused")
    expect(machine.show("ActiveState") == "failed" and machine.show("NRestarts") == restarts, "tried again")
    expect(not machine.leftovers(), machine.leftovers())
    machine.configure(machine.configuration())
    expect(machine.systemctl("start", machine.UNIT)[0] == 0 and peers.fetch_both(), "not cured")
    expect(machine.systemctl("stop", machine.UNIT)[0] == 0 and not machine.leftovers(), "the last stop")


STEPS = (what_was_installed_is_in_force, modules_load_by_themselves, it_runs_with_little,
         rules_use_the_native_queue_expression, a_saved_ruleset_loads_again, pages_come_through, flood_reaches_nobody,
         good_reload, broken_reload, refused_reload, killed, stopped, one_worker_hangs, realtime,
         stops_during_a_flood, broken_start)


def run(step, peers):
    begun = time.monotonic()
    try:
        step(peers)
        passed = True
    except Exception:  # pylint: disable=broad-exception-caught  # the next step is tried all the same
        passed = False
        print(traceback.format_exc() + machine.systemctl("status", "--no-pager", machine.UNIT)[1], flush=True)
    print(f"{'PASS' if passed else 'FAIL'} {step.__name__}: {step.__doc__} ({time.monotonic() - begun:.1f} s)",
          flush=True)
    return passed


def main():
    tell(f"kernel {os.uname().release}, " + netns.run(["systemctl", "--version"]).stdout.splitlines()[0])
    tell(netns.run(["/usr/sbin/synward", "--version"]).stdout.strip())
    machine.configure(machine.configuration())
    with tempfile.TemporaryDirectory() as directory:
        peers = machine.Peers(pathlib.Path(directory))
        try:
            results = [run(step, peers) for step in STEPS]
        finally:
            peers.close()
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed", flush=True)


if __name__ == "__main__":
    main()
