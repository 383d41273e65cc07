// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <algorithm>
#include <cstdint>

#include "proxy/time.h"

namespace synward::flood {

// So many per second, evenly, with a burst; a token bucket whose whole state is one instant: that
// at which all that was spent will have been earned (the generic cell rate algorithm). No
// fractions, no refill.
class Rate {
 public:
  Rate() = default;  // allows nothing
  // `burst`: a time's worth of it may be spent at once.
  Rate(std::uint32_t per_second, Duration burst) {
    if (per_second == 0) return;
    each_ = std::max(Duration(std::chrono::seconds(1)) / per_second, Duration(1));
    burst_ = std::max(burst, each_);
  }

  bool allows(Instant earned, Instant now) const {
    return each_ != Duration::zero() && spent(earned, now) - now <= burst_;
  }
  Instant spent(Instant earned, Instant now) const { return std::max(earned, now) + each_; }
  Instant given_back(Instant earned) const { return earned - each_; }

 private:
  Duration each_{};  // time that earns one; zero: never
  Duration burst_{};
};

}  // namespace synward::flood
