// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/queue_statistics.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "daemon/io/small_file.h"

namespace synward::io {
namespace {

std::string_view next_word(std::string_view& line) {
  const auto begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos) return line = {};
  line.remove_prefix(begin);
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

// seq_show() of nfnetlink_queue.c: number, port id, waiting, copy mode, copy range,
// queue_dropped, user_dropped, id of the last packet, 1. The kernel prints the numbers with %u
// and, for the port id of some versions, %d.
std::optional<QueueStatistics> parse_line(std::string_view line) {
  std::array<std::int64_t, 8> column{};
  for (auto& value : column) {
    const std::string_view word = next_word(line);
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  }
  if (column[0] < 0 || column[0] > 0xffff) return std::nullopt;
  return QueueStatistics{.number = static_cast<std::uint16_t>(column[0]),
                         .port_id = static_cast<std::uint32_t>(column[1]),
                         .waiting = static_cast<std::uint64_t>(column[2]),
                         .dropped_full = static_cast<std::uint64_t>(column[5]),
                         .dropped_socket = static_cast<std::uint64_t>(column[6])};
}

std::uint64_t went_on(std::uint64_t total, std::uint64_t kernel) {
  return total + static_cast<std::uint32_t>(kernel - total);
}

}  // namespace

std::vector<QueueStatistics> parse_queue_statistics(std::string_view text) {
  std::vector<QueueStatistics> queues;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (const auto queue = parse_line(line)) queues.push_back(*queue);
  }
  return queues;
}

std::expected<std::vector<QueueStatistics>, std::string> read_queue_statistics(
    const std::string& path) {
  const auto text = read_small_file(path);
  if (text) return parse_queue_statistics(*text);
  if (text.error() == ENOENT)
    return std::unexpected(
        fmt::format("{} does not exist: the kernel module nfnetlink_queue is not loaded; run "
                    "`modprobe nfnetlink_queue`",
                    path));
  if (text.error() == EACCES)
    return std::unexpected(
        fmt::format("{} is not readable: it belongs to root's group; add "
                    "SupplementaryGroups=root to the unit",
                    path));
  return std::unexpected(fmt::format("cannot read {}: {}", path, std::strerror(text.error())));
}

std::map<std::uint16_t, QueueStatistics> QueueTotals::look() {
  const std::lock_guard lock(mutex_);
  const auto lines = read_queue_statistics(path_);
  for (auto& [number, queue] : known_) queue.waiting = 0;
  if (!lines) return known_;
  for (const QueueStatistics& line : *lines) {
    QueueStatistics& queue = known_[line.number];
    const auto [full, socket] = std::pair(queue.dropped_full, queue.dropped_socket);
    queue = line;
    queue.dropped_full = went_on(full, line.dropped_full);
    queue.dropped_socket = went_on(socket, line.dropped_socket);
  }
  return known_;
}

}  // namespace synward::io
