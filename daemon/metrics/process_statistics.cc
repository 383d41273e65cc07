// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/process_statistics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace synward::metrics {
namespace {

// Fields of /proc/self/stat as proc(5) numbers them, less the first two: the command name may
// itself contain blanks and parentheses, so reading starts behind its last ')'.
enum StatField : std::size_t {
  utime = 14 - 3,
  stime = 15 - 3,
  num_threads = 20 - 3,
  starttime = 22 - 3,
  vsize = 23 - 3,
  rss = 24 - 3,
};

std::vector<std::string> read_stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(line.substr(name_end + 1));
  return {std::istream_iterator<std::string>(fields), std::istream_iterator<std::string>()};
}

double count_open_fds() {
  std::error_code error;
  double count = 0;
  std::filesystem::directory_iterator entry("/proc/self/fd", error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) ++count;
  return count > 0 ? count - 1 : 0;  // the directory itself was open
}

double read_max_fds() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur == RLIM_INFINITY) return std::numeric_limits<double>::infinity();
  return static_cast<double>(limit.rlim_cur);
}

// starttime counts from boot. Taken once: recomputed at every scrape it would wander with each
// adjustment of the wall clock, and a changed start time reads as a restart.
double start_time(double seconds_after_boot) {
  static const double boot = [] {
    timespec since_boot{};
    if (clock_gettime(CLOCK_BOOTTIME, &since_boot) != 0) return 0.0;
    return unix_seconds(std::chrono::system_clock::now()) - static_cast<double>(since_boot.tv_sec) -
           static_cast<double>(since_boot.tv_nsec) / 1e9;
  }();
  return boot + seconds_after_boot;
}

}  // namespace

double unix_seconds(std::chrono::system_clock::time_point when) {
  return std::chrono::duration<double>(when.time_since_epoch()).count();
}

ProcessStatistics read_process_statistics() {
  ProcessStatistics result;
  result.open_fds = count_open_fds();
  result.max_fds = read_max_fds();
  const std::vector<std::string> fields = read_stat_fields();
  if (fields.size() <= rss) return result;
  const auto number = [&fields](StatField field) {
    return static_cast<double>(std::strtoull(fields[field].c_str(), nullptr, 10));
  };
  const double ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  result.cpu_seconds = (number(utime) + number(stime)) / ticks_per_second;
  result.threads = number(num_threads);
  result.virtual_memory_bytes = number(vsize);
  result.resident_memory_bytes = number(rss) * static_cast<double>(sysconf(_SC_PAGESIZE));
  result.start_time_seconds = start_time(number(starttime) / ticks_per_second);
  return result;
}

}  // namespace synward::metrics
