// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>

#include "proxy/time.h"

namespace synward::flood {

// So many per second, evenly, with a burst of a tenth of a second's worth (timers fire in bunches).
// A token bucket kept as one instant: that at which all that was spent will have been earned
// (the generic cell rate algorithm); no fractions, no refill.
class RateBudget {
 public:
  // 0: nothing is ever allowed.
  RateBudget(std::uint32_t per_second, Instant start);

  // True if there is budget; it is spent then.
  bool spend(Instant now);

 private:
  Duration each_{};   // time that earns one; zero: never
  Duration burst_{};  // at least each_
  Instant earned_;
};

}  // namespace synward::flood
