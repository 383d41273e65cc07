// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <chrono>

namespace synward {

// CLOCK_BOOTTIME: monotonic, and it counts suspended time, so that a cookie's life is real time.
// proxy/ never reads it: `now` is a parameter everywhere.
struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
};

using Duration = BootClock::duration;
using Instant = BootClock::time_point;

}  // namespace synward
