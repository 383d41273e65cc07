// SPDX-License-Identifier: GPL-2.0-or-later
//
// When a flood begins and when it is over, told from a counter that is looked at about once a
// second. It begins at once, and is over after a while of quiet: one that comes and goes is one.
#pragma once
#include <cstdint>
#include <optional>

#include "proxy/time.h"

namespace synward {

class FloodSpell {
 public:
  static constexpr std::chrono::seconds quiet{5};
  enum class Change { none, began, ended };
  // Of the one that is under way, or has just ended.
  struct Figures {
    std::uint64_t packets = 0;
    double rate_max = 0;            // per second
    std::chrono::seconds lasted{};  // at least 1
  };

  // `total` never falls. False if that is too soon after the last look to tell a rate.
  bool look(Instant now, std::uint64_t total);
  // Per second, between the last two looks: of what is looked at, and of other packets that came
  // meanwhile.
  double rate() const { return rate_of(total_ - total_before_); }
  double rate_of(std::uint64_t packets) const;
  // After a look that was not too soon: whether that is what makes a flood.
  Change judge(bool over);
  bool active() const { return active_; }
  Figures figures() const;

 private:
  Instant before_{}, now_{};  // the last two looks
  std::uint64_t total_before_ = 0, total_ = 0;
  bool looked_ = false, active_ = false;
  double rate_max_ = 0;
  Instant since_{}, last_over_{};
  std::uint64_t first_total_ = 0, last_total_ = 0;  // then
};

}  // namespace synward
