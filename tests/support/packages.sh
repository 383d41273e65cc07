# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Debian 12 packages, listed once. Sourced by tests/all, tests/demo and tests/bench/run.

# To build the daemon and the lab's tools.
build_packages=(
  build-essential ca-certificates ccache cmake ninja-build pkg-config
  clang-19 libbpf-dev libcli11-dev libfmt-dev libgmock-dev libgtest-dev
  libmnl-dev libnetfilter-queue-dev libnftnl-dev libsystemd-dev libyaml-cpp-dev
  linux-libc-dev nlohmann-json3-dev prometheus-cpp-dev python3
)
# To run real servers and clients in network namespaces.
lab_packages=(
  curl ethtool iperf3 iproute2 nftables nginx-light openssh-client openssh-server
  procps prometheus python3-pytest python3-scapy tcpdump util-linux
)
# To check the sources.
check_packages=(
  clang-format-19 clang-tidy-19 git libclang-rt-19-dev shellcheck
)
# To compare with others.
# shellcheck disable=SC2034
bench_packages=(haproxy linux-perf)

# Packages whose service would start by itself, with the next boot at the latest.
service_units=(nginx-light:nginx nginx:nginx openssh-server:ssh prometheus:prometheus haproxy:haproxy
  prometheus-node-exporter:prometheus-node-exporter)

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# A service of a package that we brought must not run on the user's machine, not even after a boot.
disable_new_services() {
  local entry
  command -v systemctl >/dev/null || return 0
  for entry in "${service_units[@]}"; do
    case " $services_before " in
      *" ${entry%%:*} "*) ;;
      *) is_installed "${entry%%:*}" && systemctl disable "${entry#*:}.service" >/dev/null 2>&1 ;;
    esac
  done
  return 0
}

# install_packages NAME...: what is missing of them, without a question and without a start.
install_packages() {
  local name entry missing=() policy=/usr/sbin/policy-rc.d made_policy=
  for name in "$@"; do is_installed "$name" || missing+=("$name"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing: ${missing[*]}"
  services_before=
  for entry in "${service_units[@]}"; do
    if is_installed "${entry%%:*}"; then services_before+=" ${entry%%:*}"; fi
  done
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made_policy=1
    # shellcheck disable=SC2064
    trap "rm -f $policy; $(trap -p EXIT | sed "s/^trap -- '\(.*\)' EXIT$/\1/")" EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq </dev/null
  apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" \
    </dev/null >/tmp/synward-apt.$$ 2>&1 || {
    cat /tmp/synward-apt.$$
    return 1
  }
  rm -f /tmp/synward-apt.$$
  disable_new_services
  if [ -n "$made_policy" ]; then rm -f "$policy"; fi
}
