# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers in the server's namespace: nginx, sshd, iperf3; each with its own files."""

import hashlib
import os
import pathlib
import subprocess

from . import netns, network, wait

PAGE = b"synward lab page\n" + bytes(33 + i % 90 for i in range(1007))
_MEBIBYTE = 1 << 20

_NGINX = """
daemon off;
worker_processes 2;
worker_rlimit_nofile 20000;
pid {run}/nginx.pid;
error_log {run}/error.log warn;
events {{ worker_connections 10000; multi_accept on; }}
http {{
  access_log off;
  sendfile on;
  tcp_nodelay on;
  keepalive_requests 1000000;
  client_header_timeout 120s;
  client_max_body_size 0;
  client_body_temp_path {run}/body;
  proxy_temp_path {run}/proxy;
  fastcgi_temp_path {run}/fastcgi;
  uwsgi_temp_path {run}/uwsgi;
  scgi_temp_path {run}/scgi;
  default_type text/plain;
  server {{
    listen {v4}:80 backlog={backlog} reuseport;
    listen [{v6}]:80 backlog={backlog} reuseport;
    root {root};
    location /upload/ {{ dav_methods PUT; create_full_put_path on; }}
  }}
}}
"""

_SSHD = """
ListenAddress {v4}
ListenAddress {v6}
Port 22
HostKey {run}/host_key
PidFile none
UsePAM no
LoginGraceTime 120
"""


class Nginx:
    """Serves PAGE at /page, what make_file() made, and takes uploads by PUT."""

    def __init__(self, server, directory, backlog=65535, addresses=None):
        addresses = addresses or network.SERVICE
        self.root = directory / "www"
        run = directory / "nginx"
        (self.root / "upload").mkdir(parents=True)
        run.mkdir()
        (self.root / "page").write_bytes(PAGE)
        # The workers run as another user: they must reach the pages and store the uploads.
        for path in (directory, self.root, self.root / "upload"):
            path.chmod(0o777)
        conf = run / "nginx.conf"
        conf.write_text(_NGINX.format(run=run, root=self.root, backlog=backlog,
                                      v4=addresses[4], v6=addresses[6]))
        self._process = server.popen("nginx", "-p", run, "-c", conf, stderr=subprocess.DEVNULL)
        wait.until(lambda: listens(server, 80), "nginx to listen")

    @property
    def page(self):
        return self.root / "page"

    def make_file(self, name, mebibytes):
        """Random within a mebibyte and numbered across: a misplaced segment changes the checksum."""
        block = os.urandom(_MEBIBYTE - 8)
        with open(self.root / name, "wb") as file:
            for number in range(mebibytes):
                file.write(number.to_bytes(8, "big") + block)
        return self.root / name

    def close(self):
        netns.stop(self._process)


class Sshd:
    def __init__(self, server, directory):
        run = directory / "sshd"
        run.mkdir()
        netns.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", run / "host_key"])
        conf = run / "sshd_config"
        conf.write_text(_SSHD.format(run=run, v4=network.SERVICE[4], v6=network.SERVICE[6]))
        # sshd wants /run/sshd: it gets a /run of its own, the machine's stays as it is.
        self._process = server.popen(
            "sh", "-c", 'mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec "$0" "$@"',
            "/usr/sbin/sshd", "-D", "-f", conf, stderr=subprocess.DEVNULL)
        wait.until(lambda: listens(server, 22), "sshd to listen")

    def close(self):
        netns.stop(self._process)


class Iperf:
    def __init__(self, server):
        self._process = server.popen("iperf3", "-s", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait.until(lambda: listens(server, 5201), "iperf3 to listen")

    def close(self):
        netns.stop(self._process)


def listens(namespace, port):
    return namespace.run("ss", "-Hltn", f"sport = :{port}").stdout.strip()


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def scratch_root():
    """Memory, if there is any to write to: a gigabyte should not wait for a disk."""
    memory = pathlib.Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) and os.path.ismount(memory) else None
