// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <expected>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace synward::io {

inline constexpr const char* queue_statistics_path = "/proc/self/net/netfilter/nfnetlink_queue";

// A line of the file. In the kernel what is counted has 32 bits, and begins again at 0.
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
    const std::string& path = queue_statistics_path);

// The file's text; lines that do not have the kernel's columns are skipped.
std::vector<QueueStatistics> parse_queue_statistics(std::string_view text);

// The same by number, with counts that never fall: they go on where the kernel's 32 bits end, and
// stay what they were while the file cannot be read. For any thread.
class QueueTotals {
 public:
  explicit QueueTotals(std::string path = queue_statistics_path) : path_(std::move(path)) {}
  // Once in 2^32 drops at least.
  std::map<std::uint16_t, QueueStatistics> look();

 private:
  const std::string path_;
  std::mutex mutex_;  // the file is read under it: an older count after a newer one would be a lap
  std::map<std::uint16_t, QueueStatistics> known_;
};

}  // namespace synward::io
