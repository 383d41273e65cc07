// SPDX-License-Identifier: GPL-2.0-or-later
//
// The line that `systemctl status` shows: what is protected and how busy it is, or why not.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "proxy/counters.h"
#include "proxy/time.h"

namespace synward {

struct StatusFigures {
  std::size_t services = 0;
  std::int64_t half_open = 0;
  std::uint64_t syns_received = 0;  // since start
  std::int64_t connections = 0;     // clients' open ones; TIME-WAIT is over for the client
};

// Sums over workers and services. Nobody may grow the counters meanwhile.
StatusFigures sum_figures(std::size_t services, const std::deque<Counters>& counters);

// Figures go out every few seconds; another state of health, or what a reload has changed, at once.
class StatusLine {
 public:
  static constexpr std::chrono::seconds every{5};

  // The line to send, nullopt if the one before still says it.
  std::optional<std::string> turn(Instant now, const StatusFigures& figures,
                                  const std::optional<std::string>& unhealthy, bool reload_refused);

 private:
  std::optional<std::string> unhealthy_;
  bool reload_refused_ = false;
  std::size_t services_ = 0;
  std::optional<Instant> sent_at_;
  std::uint64_t syns_before_ = 0;  // then
  std::string text_;
};

}  // namespace synward
