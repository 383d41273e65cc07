// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where a scrape gets its numbers from.
#pragma once
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "proxy/counters.h"

namespace synward::metrics {

// The label values of one service; backends in the order of ServiceCounters::backends.
struct ServiceNames {
  std::string name;
  std::vector<std::string> backends;
};

enum class QueueRole { syn, flow };

struct QueueSample {
  std::uint16_t number = 0;
  QueueRole role = QueueRole::syn;
  std::uint64_t waiting = 0;
  std::uint64_t dropped_full = 0;
  std::uint64_t dropped_socket = 0;
};

// `workers` are borrowed and must outlive the Collector. services[i] is described by
// Counters::services[i] of every worker, which may have more. `growth` is held while counters grow
// (a reload), and by a scrape; nullptr if they never do. `queues` runs on the HTTP thread at every
// scrape.
struct MetricsSource {
  std::vector<ServiceNames> services;
  std::vector<const Counters*> workers;
  std::mutex* growth = nullptr;
  std::function<std::vector<QueueSample>()> queues;
};

}  // namespace synward::metrics
