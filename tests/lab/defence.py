# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands in the middlebox: nothing, kernel SYNPROXY, HAProxy or synward.

Each has start(network, directory), stop() and a `name`, so that the same traffic, and the same
measurement, runs against every one of them. Another peer is another class here.
"""

import subprocess

from . import netns, network, wait


class Plain:
    """Forwarding and nothing else; the server has only its own means."""
    name = "plain"

    def start(self, net, directory):
        pass

    def stop(self):
        pass


class Synproxy:
    """Kernel SYNPROXY as its documentation shows it: untracked SYNs, strict conntrack."""
    name = "synproxy"

    def __init__(self, ports=(80, 22, 5201)):
        self._ports = ", ".join(str(port) for port in ports)
        self._middlebox = None

    def start(self, net, directory):
        self._middlebox = net.middlebox
        self._middlebox.nft(f"""
            table inet peer_synproxy {{
              chain raw {{
                type filter hook prerouting priority raw; policy accept;
                iifname "m0" tcp dport {{ {self._ports} }} tcp flags & (fin|syn|rst|ack) == syn notrack
              }}
              chain forward {{
                type filter hook forward priority filter; policy accept;
                iifname "m0" tcp dport {{ {self._ports} }} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
                ct state invalid drop
              }}
            }}""")
        self._middlebox.sysctl(net__netfilter__nf_conntrack_tcp_loose=0,
                               net__ipv4__tcp_syncookies=1, net__ipv4__tcp_timestamps=1)

    def stop(self):
        self._middlebox.nft("delete table inet peer_synproxy\n")


_HAPROXY = """
global
  maxconn 9000
  nbthread {threads}
defaults
  mode tcp
  timeout connect 5s
  timeout client 120s
  timeout server 120s
frontend web4
  bind {v4}:80 transparent backlog 65535
  default_backend web4
backend web4
  server nginx {v4}:80
frontend web6
  bind [{v6}]:80 transparent backlog 65535
  default_backend web6
backend web6
  server nginx [{v6}]:80
"""


class Haproxy:
    """HAProxy in TCP mode on the service's own address (TPROXY), its kernel's SYN cookies on."""
    name = "haproxy"

    def __init__(self, threads=1, wrapper=()):
        self._threads = threads
        self._wrapper = wrapper  # for example taskset -c 1
        self._middlebox = self._process = None

    def start(self, net, directory):
        self._middlebox = net.middlebox
        conf = directory / "haproxy.cfg"
        conf.write_text(_HAPROXY.format(threads=self._threads, v4=network.SERVICE[4], v6=network.SERVICE[6]))
        for family in ("-4", "-6"):
            net.middlebox.ip(family, "rule", "add", "fwmark", "1", "lookup", "100")
            net.middlebox.ip(family, "route", "add", "local", "default", "dev", "lo", "table", "100")
        net.middlebox.nft("""
            table inet peer_haproxy {
              chain divert {
                type filter hook prerouting priority mangle; policy accept;
                iifname "m0" ip daddr 198.51.100.10 tcp dport 80 tproxy ip to :80 meta mark set 1
                iifname "m0" ip6 daddr 2001:db8:2::10 tcp dport 80 tproxy ip6 to :80 meta mark set 1
              }
            }""")
        net.middlebox.sysctl(net__ipv4__tcp_syncookies=1, net__core__somaxconn=65535,
                             net__ipv4__tcp_max_syn_backlog=65535)
        self._process = net.middlebox.popen(*self._wrapper, "haproxy", "-db", "-f", conf, stderr=subprocess.DEVNULL)
        wait.until(lambda: net.middlebox.run("ss", "-Hltn", "sport = :80").stdout.strip(),
                   "haproxy to listen")

    def stop(self):
        netns.stop(self._process)
        self._middlebox.nft("delete table inet peer_haproxy\n")
        for family in ("-4", "-6"):
            self._middlebox.ip(family, "rule", "del", "fwmark", "1", "lookup", "100")
            self._middlebox.ip(family, "route", "flush", "table", "100")
