// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace synward::io {

// A line of /proc/net/netfilter/nfnetlink_queue.
struct QueueStatistics {
  std::uint16_t number = 0;
  std::uint32_t port_id = 0;
  std::uint64_t waiting = 0;         // packets without a verdict
  std::uint64_t dropped_full = 0;    // queue_dropped: max_length reached
  std::uint64_t dropped_socket = 0;  // user_dropped: receive buffer full
  bool operator==(const QueueStatistics&) const = default;
};

// Every queue of this network namespace. The file is mode 0440 root:root: needs root's group.
std::expected<std::vector<QueueStatistics>, std::string> read_queue_statistics(
    const std::string& path = "/proc/self/net/netfilter/nfnetlink_queue");

// The file's text; lines that do not have the kernel's columns are skipped.
std::vector<QueueStatistics> parse_queue_statistics(std::string_view text);

}  // namespace synward::io
