// SPDX-License-Identifier: GPL-2.0-or-later
//
// What an operator should read in the journal, found once a second in the counters: nothing that
// happens to a packet logs by itself.
#pragma once
#include <deque>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "daemon/metrics/source.h"
#include "daemon/service/log.h"
#include "proxy/counters.h"
#include "proxy/time.h"

namespace synward {

// Of the half-open queue, in percent of its limit.
struct Watermarks {
  std::uint32_t high = 80;
  std::uint32_t low = 40;
};

// Nobody may grow the counters while it is looked at.
struct IncidentView {
  std::span<const metrics::ServiceNames> services;
  const std::deque<Counters>& workers;
  std::span<const metrics::QueueSample> queues;
  Watermarks watermarks;
};

class Incidents {
 public:
  struct Line {
    service::LogLevel level;
    std::string text;
    bool operator==(const Line&) const = default;
  };
  // A kind of incident of one service, backend or queue is told at once, and again after this time
  // with all that has come meanwhile. A half-open queue that passes its watermarks always is.
  static constexpr std::chrono::seconds pause{60};

  std::vector<Line> turn(Instant now, const IncidentView& view);

 private:
  struct Count {
    std::uint64_t told = 0;
    Instant since{};  // when `told` was right
    Instant silent_until{};
  };

  void look_at_service(const IncidentView& view, std::size_t index);
  void look_at_queue(const metrics::QueueSample& queue);
  void watch_half_open(const std::string& service, std::int64_t entries, std::int64_t limit,
                       const Watermarks& watermarks);
  // `text` has two places: how many, and in how many seconds.
  void count(const std::string& key, std::uint64_t total, std::string_view text);

  Instant now_{};
  std::vector<Line> lines_;
  std::map<std::string, Count> counts_;
  std::map<std::string, Instant> pressed_;  // services above the high watermark, since when
};

}  // namespace synward
