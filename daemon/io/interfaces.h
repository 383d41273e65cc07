// SPDX-License-Identifier: GPL-2.0-or-later
// The network interfaces and addresses of this network namespace, by ioctl and netlink: /sys
// shows the namespace it was mounted in, not ours.
#pragma once
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "proxy/wire/address.h"

struct ifaddrs;

namespace synward::io {

std::vector<std::string> interface_names();
// 0: no interface has this name. As an alternative one it does not count: rules and watches go by
// the name itself. The error is the errno of a look-up that failed.
std::expected<std::uint32_t, int> interface_index(const std::string& name);
// The name of the interface of which this is an alternative name (ip link property add ...
// altname).
std::optional<std::string> interface_with_altname(const std::string& name);
enum class Link { up, no_carrier, down, unknown };
Link interface_link(const std::string& name);
std::optional<std::uint32_t> interface_mtu(const std::string& name);
// Its packets may pass the hooks of IP already as the bridge's (br_netfilter).
bool is_bridge(const std::string& name);
// Sorted, each once.
struct HostAddresses {
  std::vector<wire::Address> own;  // every address of every interface
  // The directed broadcasts of their IPv4 networks: what the kernel treats as such, whether the
  // operator gave the address a broadcast or not.
  std::vector<wire::Address> broadcasts;
};
// nullopt if the kernel does not tell.
std::optional<HostAddresses> read_host_addresses();
std::vector<wire::Address> broadcasts_of(const ifaddrs* list);
// Whether this machine knows a way to an IPv4 address. Nothing is sent.
bool has_route(const wire::Address& ipv4);

}  // namespace synward::io
