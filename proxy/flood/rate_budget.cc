// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flood/rate_budget.h"

#include <algorithm>

namespace synward::flood {

RateBudget::RateBudget(std::uint32_t per_second, Instant start) : earned_(start) {
  constexpr Duration second = std::chrono::seconds(1);
  if (per_second == 0) return;
  each_ = std::max(second / per_second, Duration(1));
  burst_ = std::max(second / 10, each_);
}

bool RateBudget::spend(Instant now) {
  const Instant after = std::max(earned_, now) + each_;
  if (after - now > burst_ || each_ == Duration::zero()) return false;
  earned_ = after;
  return true;
}

}  // namespace synward::flood
