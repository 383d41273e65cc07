# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What tests/all, tests/demo and tests/bench/run share. They run as root, without sudo, without a
# question, and leave the machine as it was: packages apart, and no service of those runs.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034
build=$repository/build
# shellcheck source=tests/support/packages.sh
. "$repository/tests/support/packages.sh"

at_exit=()
run_at_exit() {
  local command
  for command in "${at_exit[@]}"; do eval "$command"; done
}
trap run_at_exit EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

step() {
  printf '\n=== %s (%d s)\n' "$*" "$SECONDS"
}

require_root() {
  if [ "$(id -u)" != 0 ]; then
    echo "$0: the lab makes network namespaces: run as root" >&2
    exit 1
  fi
}

# In a bare root (debootstrap, chroot) `/` may be no mount point, and /proc, /sys and /dev/shm may
# be missing; `ip netns exec` needs them. They are mounted for this command alone.
ensure_mounts() {
  if [ -z "${SYNWARD_MOUNTS:-}" ]; then
    if [ -e /proc/self/mounts ] && [ "$(findmnt -no TARGET /)" = / ] &&
      mountpoint -q /sys && mountpoint -q /dev/shm; then
      return 0
    fi
    export SYNWARD_MOUNTS=private
    # A root that is no mount point has no name to make private by: what is mounted here could be
    # seen outside, so it is unmounted again.
    # shellcheck disable=SC2016
    exec unshare --mount --propagation unchanged -- bash -c '
      set -e
      mount --rbind / /mnt
      trap "chroot /mnt umount -l /" EXIT
      trap "exit 143" HUP INT TERM
      mount --make-rprivate /mnt
      [ -e /mnt/proc/self/mounts ] || mount -t proc proc /mnt/proc
      mountpoint -q /mnt/sys || mount -t sysfs sysfs /mnt/sys
      mkdir -p /mnt/dev/shm
      mountpoint -q /mnt/dev/shm || mount -t tmpfs tmpfs /mnt/dev/shm
      chroot /mnt bash -c "cd \"\$1\" && shift && exec \"\$@\"" bash "$PWD" "$@"
    ' bash "$0" "$@"
  fi
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Says "no" to every service that a package wants to start; removed when we end, if we made it.
forbid_service_starts() {
  local policy=/usr/sbin/policy-rc.d
  [ -e $policy ] && return 0
  at_exit+=("rm -f $policy")
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
}

# install_packages NAME...: those that are missing.
install_packages() {
  local name entry missing=() services=() log
  for name in "$@"; do is_installed "$name" || missing+=("$name"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  step "installing ${#missing[@]} packages: ${missing[*]}"
  for entry in "${service_units[@]}"; do
    is_installed "${entry%%:*}" || services+=("$entry")
  done
  forbid_service_starts
  log=$(mktemp /tmp/synward-apt.XXXXXX)
  at_exit+=("rm -f $log")
  export DEBIAN_FRONTEND=noninteractive
  if ! { apt-get update -qq &&
    apt-get install -y -qq --no-install-recommends "${missing[@]}"; } </dev/null >"$log" 2>&1; then
    cat "$log"
    return 1
  fi
  # Nor shall a service that came with them start at the next boot.
  for entry in "${services[@]}"; do
    if is_installed "${entry%%:*}" && command -v systemctl >/dev/null; then
      systemctl disable "${entry#*:}.service" >/dev/null 2>&1 || true
    fi
  done
}

# What root builds in a user's clone belongs to that user.
own_build_output() {
  at_exit+=('give_back')
}
give_back() {
  local owner=${SUDO_UID:-$(stat -c %u "$repository")} group=${SUDO_GID:-$(stat -c %g "$repository")}
  [ "$owner" = 0 ] && return 0
  find "$repository" -path "$repository/.git" -prune -o -user 0 -exec chown -h "$owner:$group" {} +
}

# configure_and_build DIRECTORY [CMAKE ARGUMENT...] [-- TARGET...]
configure_and_build() {
  local directory=$1 arguments=() generator=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    arguments+=("$1")
    shift
  done
  [ $# -gt 0 ] && shift
  [ -e "$directory/CMakeCache.txt" ] || generator=(-G Ninja)
  cmake -S "$repository" -B "$directory" "${generator[@]}" \
    -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "${arguments[@]}" >/dev/null
  cmake --build "$directory" -j "$(nproc)" ${1:+--target "$@"}
}

# The project's own files that match, one a line: what git tracks, or would; without git, all.
sources() {
  (
    cd "$repository" || exit
    git -c safe.directory='*' ls-files --cached --others --exclude-standard -- "$@" 2>/dev/null ||
      find . -path './build*' -prune -o -path ./.git -prune -o -type f -print | sed 's,^\./,,' |
      grep -E "$(printf '%s\n' "$@" | sed 's/[.]/\\./g; s/\*/.*/g; s/$/$/' | paste -sd'|')"
  ) | while read -r name; do if [ -e "$repository/$name" ]; then echo "$name"; fi; done
}
