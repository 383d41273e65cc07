// SPDX-License-Identifier: GPL-2.0-or-later
//
// The process_* metrics under the names that every Prometheus client library uses; prometheus-cpp
// has no such collector.
#pragma once
#include <chrono>

namespace synward::metrics {

struct ProcessStatistics {
  double cpu_seconds = 0;
  double open_fds = 0;
  double max_fds = 0;
  double virtual_memory_bytes = 0;
  double resident_memory_bytes = 0;
  double start_time_seconds = 0;  // Unix time
  double threads = 0;
};

// What cannot be read (a hidden /proc) stays zero: a scrape must not fail for it.
ProcessStatistics read_process_statistics();

// Whole seconds would let two restarts within one second look like one.
double unix_seconds(std::chrono::system_clock::time_point when);

}  // namespace synward::metrics
