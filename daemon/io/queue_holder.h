// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace synward::io {

// Who has a queue bound, in words: "process 4711 (suricata)", or "netlink port 4711" where the
// process cannot be found (another PID namespace, or no right to look). nullopt if nobody has it.
std::optional<std::string> queue_holder(std::uint16_t queue);

// The socket inode of a NETLINK_NETFILTER port in the text of /proc/net/netlink.
std::optional<std::uint64_t> netlink_inode(std::string_view text, std::uint32_t port_id);

}  // namespace synward::io
