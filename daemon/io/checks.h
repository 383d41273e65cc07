// SPDX-License-Identifier: GPL-2.0-or-later
//
// What can be wrong with the machine, found before the first packet and said in one sentence with
// its cure. The functions only look; sysctls are read below a given directory.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "daemon/io/capability.h"
#include "daemon/io/interfaces.h"
#include "proxy/wire/address.h"

namespace synward::io {

struct Finding {
  bool fatal = false;  // the daemon cannot work; otherwise it can, with less
  std::string sentence;
  bool operator==(const Finding&) const = default;
};
using Findings = std::vector<Finding>;

// CAP_NET_ADMIN and CAP_NET_RAW.
Findings check_capabilities(bool (*held)(unsigned) = has_capability);

// A realtime priority needs a limit (RLIMIT_RTPRIO) that is as high, or CAP_SYS_NICE.
Findings check_realtime(int priority, int limit, bool (*held)(unsigned) = has_capability);
// RLIMIT_RTPRIO of this process.
int realtime_limit();

// Each of `wanted` that is not in `existing` (interface_names()). Rules and sysctls know an
// interface by its name alone, not by an alternative one: `real_name` tells it.
Findings check_interfaces(
    const std::vector<std::string>& wanted, const std::vector<std::string>& existing,
    std::optional<std::string> (*real_name)(const std::string&) = interface_with_altname);

struct NetworkPlan {
  std::vector<std::string> client_interfaces;
  std::vector<std::string> server_interfaces;
  std::vector<std::string> bridges;  // those of client_interfaces that are one
  std::vector<wire::Address> listens;
  std::vector<wire::Address> transparent;  // those of `listens` that are the servers' own
  std::vector<wire::Address> own;          // read_host_addresses()
  std::vector<wire::Address> unroutable;   // those of `listens` that this machine has no route to
  // Backends have other addresses than the services: their packets get a new source.
  bool translates = false;
  std::string sysctl = "/proc/sys";
};

// Families in use that this machine does not forward.
Findings check_forwarding(const NetworkPlan& plan);

// Why a SYN-ACK that was written over its SYN would not get back to the client: the kernel
// routes it as a packet that arrived from the client's side with the service's address as source.
// Empty if nothing is known to be in the way (the FORWARD policy cannot be read; count). IPv6 has
// but one obstacle: it has no reverse path filter, takes its own addresses as sources, and the
// redirects that it sends (no sysctl keeps it) are dropped by the ruleset.
Findings in_place_obstacles(const NetworkPlan& plan);

// Why what servers send would not reach clients, so that no connection works. What backends at
// other addresses send arrives, once translated, from the servers' side with the service's address
// as source (IPv4 alone, as above). What a process on this machine sends never arrives at all.
Findings answer_obstacles(const NetworkPlan& plan);

}  // namespace synward::io
