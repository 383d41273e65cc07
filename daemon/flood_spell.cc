// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/flood_spell.h"

#include <algorithm>
#include <utility>

namespace synward {
namespace {

// A signal wakes the main thread early, and the rate of a few milliseconds is noise.
constexpr std::chrono::milliseconds apart_min{500};

}  // namespace

bool FloodSpell::look(Instant now, std::uint64_t total) {
  if (!std::exchange(looked_, true)) {
    now_ = now;
    total_ = total;
  } else if (now < now_ + apart_min) {
    return false;
  }
  before_ = std::exchange(now_, now);
  total_before_ = std::exchange(total_, total);
  return true;
}

double FloodSpell::rate_of(std::uint64_t packets) const {
  const std::chrono::duration<double> passed = now_ - before_;
  return passed.count() > 0 ? static_cast<double>(packets) / passed.count() : 0;
}

FloodSpell::Change FloodSpell::judge(bool over) {
  if (!over) {
    if (!active_ || now_ < last_over_ + quiet) return Change::none;
    active_ = false;
    return Change::ended;
  }
  const bool began = !std::exchange(active_, true);
  if (began) {
    since_ = before_;
    first_total_ = total_before_;
    rate_max_ = 0;
  }
  last_over_ = now_;
  last_total_ = total_;
  rate_max_ = std::max(rate_max_, rate());
  return began ? Change::began : Change::none;
}

FloodSpell::Figures FloodSpell::figures() const {
  const auto lasted = std::chrono::round<std::chrono::seconds>(last_over_ - since_);
  return {.packets = last_total_ - first_total_,
          .rate_max = rate_max_,
          .lasted = std::max(lasted, std::chrono::seconds(1))};
}

}  // namespace synward
