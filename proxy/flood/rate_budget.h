// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>

#include "proxy/flood/rate.h"

namespace synward::flood {

// So many per second, with a burst of a tenth of a second's worth (timers fire in bunches).
class RateBudget {
 public:
  // 0: nothing is ever allowed.
  RateBudget(std::uint32_t per_second, Instant start)
      : rate_(per_second, std::chrono::milliseconds(100)), earned_(start) {}

  // True if there is budget; it is spent then.
  bool spend(Instant now) {
    if (!rate_.allows(earned_, now)) return false;
    earned_ = rate_.spent(earned_, now);
    return true;
  }

 private:
  Rate rate_;
  Instant earned_;
};

}  // namespace synward::flood
