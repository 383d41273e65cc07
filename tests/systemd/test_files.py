# SPDX-License-Identifier: GPL-2.0-or-later
"""The files in systemd/, as systemd's own tools read them; nothing is started."""

import os
import pathlib
import re
import shutil
import stat
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SYNWARD_BUILD", REPOSITORY / "build"))
FILES = REPOSITORY / "systemd"
UNIT = FILES / "synward.service"


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)


@pytest.fixture(name="root", scope="module")
def _root(tmp_path_factory):
    """Where the project is installed, as `cmake --install build --prefix /usr` does."""
    root = tmp_path_factory.mktemp("root")
    done = run("cmake", "--install", BUILD, "--prefix", "/usr", env={**os.environ, "DESTDIR": str(root)})
    assert done.returncode == 0, done.stderr
    return root


def verify(directory, unit):
    """What `systemd-analyze verify` has to say about a unit, with the built daemon in it."""
    file = directory / "synward.service"
    file.write_text(unit.replace("/usr/sbin/synward", str(BUILD / "daemon" / "synward")), encoding="utf-8")
    done = run("systemd-analyze", "verify", "--man=no", file)
    # Other units of the machine are not this test's matter.
    return [line for line in done.stderr.splitlines() if "synward" in line], done.returncode


def test_systemd_understands_the_unit(tmp_path):
    assert verify(tmp_path, UNIT.read_text(encoding="utf-8")) == ([], 0)


def test_systemd_understands_the_drop_in(tmp_path):
    drop_in = tmp_path / "synward.service.d"
    drop_in.mkdir()
    (drop_in / "realtime.conf").write_bytes((FILES / "realtime.conf").read_bytes())
    assert verify(tmp_path, UNIT.read_text(encoding="utf-8")) == ([], 0)


@pytest.mark.parametrize("mistake", [
    ("ProtectHome=yes", "ProtectHomes=yes"), ("WatchdogSec=10", "WatchdogSec=soon"),
    ("ExecStart=/usr/sbin/synward", "ExecStart=/usr/sbin/synwart")])
def test_a_mistake_would_be_seen(tmp_path, mistake):
    unit = UNIT.read_text(encoding="utf-8")
    assert mistake[0] in unit
    assert verify(tmp_path, unit.replace(*mistake))[0]


def exposure(unit, threshold=25):
    return run("systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={threshold}", unit)


def test_exposure_is_at_most_2_5(tmp_path):
    done = exposure(UNIT)
    assert done.returncode == 0, done.stdout + done.stderr
    # The limit is one: without the system call filter it is exceeded.
    weaker = tmp_path / "synward.service"
    weaker.write_text(re.sub(r"^SystemCall.*\n", "", UNIT.read_text(encoding="utf-8"), flags=re.MULTILINE),
                      encoding="utf-8")
    assert exposure(weaker).returncode != 0


def unexplained(unit):
    """The lines of [Service] that no comment right above explains; what the unit starts explains itself."""
    above, found = "", []
    for line in unit.split("[Service]")[1].split("[Install]")[0].splitlines():
        if line and not line.startswith(("#", "Exec")) and not re.match(r"# \S", above):
            found.append(line)
        above = line
    return found


def test_every_line_has_its_reason():
    unit = UNIT.read_text(encoding="utf-8")
    # Restart= and RestartSec= are one sentence.
    assert unexplained(unit) == ["RestartSec=250ms"]
    assert "ProtectHome=yes" in unexplained(unit.replace("# Nothing of it concerns the daemon.\n", ""))


def test_what_is_left_out_has_its_reason():
    """Each line of `systemd-analyze security` that is not fulfilled is explained, set or absent."""
    unit = UNIT.read_text(encoding="utf-8")
    # PrivateDevices and ProtectClock leave /dev/rtc; mounts are private by ProtectSystem=.
    implied = {"DeviceAllow", "PrivateMounts"}
    names = re.findall(r"^✗ ([A-Za-z]+)=", exposure(UNIT).stdout, re.MULTILINE)
    assert len(names) > 5
    assert [name for name in names if name not in implied and f"{name}=" not in unit] == []


def test_the_unit_names_what_is_installed(root):
    unit = (root / "usr/lib/systemd/system/synward.service").read_text(encoding="utf-8")
    for path in re.findall(r"(?:Exec\w+=|file://)(/usr/\S+)", unit):
        assert (root / path.lstrip("/")).exists(), path
    assert unit == UNIT.read_text(encoding="utf-8"), "/usr is what the file is written for"


def test_another_prefix_is_written_into_the_unit(tmp_path):
    done = run("cmake", "--install", BUILD, "--prefix", "/opt/synward", env={**os.environ, "DESTDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    unit = (tmp_path / "opt/synward/lib/systemd/system/synward.service").read_text(encoding="utf-8")
    assert "ExecStart=/opt/synward/sbin/synward -c" in unit and "/usr/" not in unit


def test_nothing_of_the_operators_is_in_force_by_being_installed(root):
    assert not (root / "etc").exists()
    assert not (root / "usr/lib/sysctl.d").exists()


def test_sysusers_and_tmpfiles(root, tmp_path):
    """The user, its directories and their modes, in a root of their own."""
    root = shutil.copytree(root, tmp_path / "root")
    (root / "etc").mkdir()
    done = run("systemd-sysusers", f"--root={root}")
    assert done.returncode == 0, done.stderr
    entry = next(line for line in (root / "etc/passwd").read_text(encoding="utf-8").splitlines()
                 if line.startswith("_synward:")).split(":")
    uid = int(entry[2])
    assert 0 < uid < 1000 and entry[5:] == ["/var/lib/synward", "/usr/sbin/nologin"]
    assert f"User={entry[0]}\n" in UNIT.read_text(encoding="utf-8")

    done = run("systemd-tmpfiles", f"--root={root}", "--create", root / "usr/lib/tmpfiles.d/synward.conf")
    assert done.returncode == 0, done.stderr
    found = {path: ((root / path).stat().st_uid, stat.S_IMODE((root / path).stat().st_mode))
             for path in ("etc/synward", "var/lib/synward", "run/synward")}
    assert found == {"etc/synward": (0, 0o755), "var/lib/synward": (uid, 0o700), "run/synward": (uid, 0o755)}


def lines(file):
    text = (FILES / file).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_sysctl_names_settings_that_exist():
    for line in lines("synward.sysctl"):
        name, value = re.fullmatch(r"(net\.\S+) = (\d)", line).groups()
        assert list(pathlib.Path("/proc/sys").glob(name.replace(".", "/"))), name
        assert value in "012"


# Where Linux 6.1 has the expressions that rules are made of; None: in nf_tables itself. `match` and `target`
# (nft_compat) are for kernels without nft_tproxy or nft_queue.
EXPRESSIONS = {**dict.fromkeys(("bitwise", "cmp", "immediate", "lookup", "meta", "payload", "match", "target")),
               "hash": "nft_hash", "notrack": "nft_ct", "objref": "nft_objref", "queue": "nft_queue",
               "tproxy": "nft_tproxy"}


def test_modules_are_what_the_rules_are_made_of():
    source = (REPOSITORY / "daemon" / "io" / "nft_rule.cc").read_text(encoding="utf-8")
    used = set(re.findall(r'allocate\("(\w+)"\)', source))
    assert used == EXPRESSIONS.keys(), "say which module has it"
    modules = {EXPRESSIONS[name] for name in used} - {None}
    assert sorted(lines("synward.modules-load")) == sorted(modules | {"nf_tables", "nfnetlink_queue"})
