// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whether what synward lets on gets through the firewall. Its rules cannot be read reliably, but
// their effect can: fewer packets pass than were let on (kernel.md).
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace synward {

class Deficit {
 public:
  static constexpr std::uint64_t packets_min = 4;  // to judge by: one client's are fewer

  struct Judgement {
    std::uint64_t due = 0, missing = 0;
    bool blocked() const { return missing * 2 > due; }  // half of them is no accident
  };

  // Both are totals, and grow. What was let on up to the last turn must have passed by now; nothing
  // while that is too little to judge by.
  std::optional<Judgement> turn(std::uint64_t let_on, std::uint64_t passed) {
    const std::uint64_t due = std::exchange(let_on_before_, let_on) - judged_;
    if (due < packets_min) return std::nullopt;
    const std::uint64_t arrived = passed - std::min(passed, passed_);
    judged_ += due;
    // Never above what is judged: what was let on since then may have passed already.
    passed_ += std::min(arrived, due);
    return Judgement{.due = due, .missing = due - std::min(arrived, due)};
  }

 private:
  std::uint64_t let_on_before_ = 0;  // at the last turn
  std::uint64_t judged_ = 0;         // of those let on
  std::uint64_t passed_ = 0;         // of those judged
};

}  // namespace synward
