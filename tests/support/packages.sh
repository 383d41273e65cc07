# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Debian 12 packages, listed once.

# To build the daemon and the lab's tools.
build_packages=(
  build-essential ca-certificates ccache cmake ninja-build pkg-config
  clang-19 libbpf-dev libcap-ng-dev libcli11-dev libfmt-dev libgmock-dev libgtest-dev
  libmicrohttpd-dev libmnl-dev libnetfilter-queue-dev libnftnl-dev libsystemd-dev libyaml-cpp-dev
  linux-libc-dev nlohmann-json3-dev prometheus-cpp-dev python3
)
# To run real servers and clients in network namespaces.
lab_packages=(
  curl ethtool iperf3 iproute2 nftables nginx-light openssh-client openssh-server
  procps prometheus python3-pytest python3-scapy python3-yaml systemd tcpdump util-linux
)
# To check the sources, and to build them with sanitizers.
check_packages=(clang-format-19 clang-tidy-19 clang-tools-19 git libclang-rt-19-dev shellcheck)
# To compare with others.
bench_packages=(haproxy linux-perf wrk)

# To boot a Debian in an emulated machine, and what is in that Debian beside synward's libraries.
system_packages=(cpio debootstrap qemu-system-x86)
guest_packages=(
  curl dbus ethtool iproute2 kmod linux-image-amd64 nftables nginx-light procps python3 systemd systemd-sysv
)

# Packages whose service would run by itself, with the next boot at the latest.
service_units=(nginx-common:nginx openssh-server:ssh prometheus:prometheus haproxy:haproxy)
