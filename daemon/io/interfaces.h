// SPDX-License-Identifier: GPL-2.0-or-later
// The network interfaces and addresses of this network namespace, by ioctl and netlink: /sys
// shows the namespace it was mounted in, not ours.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proxy/wire/address.h"

namespace synward::io {

std::vector<std::string> interface_names();
std::optional<std::uint32_t> interface_index(const std::string& name);
std::optional<std::uint32_t> interface_mtu(const std::string& name);
// Every address of every interface.
std::vector<wire::Address> host_addresses();
// Whether this machine knows a way to an IPv4 address. Nothing is sent.
bool has_route(const wire::Address& ipv4);

}  // namespace synward::io
