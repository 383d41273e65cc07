// SPDX-License-Identifier: GPL-2.0-or-later
//
// What an operator should read in the journal, found once a second in the counters: nothing that
// happens to a packet logs by itself.
#pragma once
#include <array>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "daemon/flood_spell.h"
#include "daemon/metrics/source.h"
#include "daemon/service/log.h"
#include "proxy/counters.h"
#include "proxy/time.h"

namespace synward {

// Nobody may grow the counters while it is looked at.
struct IncidentView {
  std::span<const metrics::ServiceNames> services;
  const std::deque<Counters>& workers;
  std::span<const metrics::QueueSample> queues;
};

// Of one service, over all workers. `pressed`: how many of them are. `syns`: with those that were
// `limited`, which get no answer.
struct HalfOpen {
  std::uint64_t pressed = 0, entries = 0, limit = 0;
  std::uint64_t syns = 0, displaced = 0, untracked = 0, limited = 0;
  std::uint64_t beyond_shares() const { return untracked + limited; }
};

class Incidents {
 public:
  struct Line {
    service::LogLevel level;
    std::string text;
    bool operator==(const Line&) const = default;
  };
  // A kind of incident of one service, backend or queue is told at once, and again after this time
  // with all that has come meanwhile. A flood is told when it begins and when it is over.
  static constexpr std::chrono::seconds pause{60};
  // Packets of one service per second that are dropped, or SYNs beyond their networks' shares: a
  // flood from here on, until fewer than the other.
  static constexpr double flood_begins = 1000, flood_ends = 500;

  std::vector<Line> turn(Instant now, const IncidentView& view);

 private:
  struct Count {
    std::uint64_t told = 0;
    Instant since{};  // when `told` was right
    Instant silent_until{};
  };

  using ReasonCounts = std::array<std::uint64_t, synward_reason_count>;
  struct Floods {
    FloodSpell syns, drops;
    HalfOpen before, seen;  // before the flood of SYNs, and at the last look
    bool pressure_told = false;
    ReasonCounts reasons{};  // before that of dropped packets
    std::uint64_t entries_max = 0;
  };

  static std::string syns_over_text(const Floods& flood, const HalfOpen& have);
  void look_at_service(const IncidentView& view, std::size_t index);
  void look_at_queue(const metrics::QueueSample& queue);
  void watch_syns(const IncidentView& view, std::size_t index);
  void watch_drops(const std::string& service, const ReasonCounts& reasons);
  // `text` has two places: how many, and in how many seconds.
  void count(const std::string& key, std::uint64_t total, std::string_view text);

  Instant now_{};
  std::vector<Line> lines_;
  std::map<std::string, Count> counts_;
  std::map<std::string, Floods> floods_;  // by service
};

}  // namespace synward
