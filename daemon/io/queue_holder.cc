// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/queue_holder.h"

#include <fmt/format.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <sstream>

#include "daemon/io/queue_statistics.h"
#include "daemon/io/small_file.h"

namespace synward::io {
namespace {

namespace fs = std::filesystem;

bool is_process_directory(const std::string& name) {
  return std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c) != 0; });
}

bool has_descriptor(const fs::path& process, const std::string& target) {
  std::error_code error;
  for (fs::directory_iterator fd(process / "fd", error), end; !error && fd != end;
       fd.increment(error)) {
    std::error_code gone;
    if (fs::read_symlink(fd->path(), gone) == target && !gone) return true;
  }
  return false;
}

std::string command_name(const fs::path& process) {
  std::string name = read_small_file((process / "comm").string()).value_or("?");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

// Processes come and go while /proc is read, hence no exceptions and no errors.
std::optional<std::string> process_with_socket(std::uint64_t inode) {
  const std::string target = fmt::format("socket:[{}]", inode);
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string pid = entry->path().filename();
    if (!is_process_directory(pid) || !has_descriptor(entry->path(), target)) continue;
    return fmt::format("process {} ({})", pid, command_name(entry->path()));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> netlink_inode(std::string_view text, std::uint32_t port_id) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string socket, groups, receive, send, dump, locks, drops;
    int protocol = 0;
    std::uint32_t port = 0;
    std::uint64_t inode = 0;
    words >> socket >> protocol >> port >> groups >> receive >> send >> dump >> locks >> drops;
    if (words >> inode && protocol == NETLINK_NETFILTER && port == port_id) return inode;
  }
  return std::nullopt;
}

std::optional<std::string> queue_holder(std::uint16_t queue) {
  const auto queues = read_queue_statistics();
  if (!queues) return std::nullopt;
  const auto held = std::ranges::find(*queues, queue, &QueueStatistics::number);
  if (held == queues->end()) return std::nullopt;
  const auto sockets = read_small_file("/proc/self/net/netlink");
  const auto inode = sockets ? netlink_inode(*sockets, held->port_id) : std::nullopt;
  auto process = inode ? process_with_socket(*inode) : std::nullopt;
  if (process) return process;
  return fmt::format("a process that is not visible here (netlink port {})", held->port_id);
}

}  // namespace synward::io
