// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whether what synward lets on gets through the firewall. Its rules cannot be read reliably, but
// their effect can: fewer packets pass than were let on (kernel.md).
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace synward {

class Deficit {
 public:
  static constexpr std::uint64_t packets_min = 4;  // to judge by: one client's are fewer

  struct Judgement {
    std::uint64_t due = 0, missing = 0;
    bool blocked() const { return missing * 2 > due; }  // half of them is no accident
  };

  // Both are totals, and grow; nothing while too few were let on to judge by. Read `passed` second,
  // and let packets be in `let_on` only when they have left: then what is short of it was dropped,
  // and what is too much will be in `let_on` soon. Each loss is told once, at the next judgement:
  // a few all the time never sum up to a blockade.
  std::optional<Judgement> turn(std::uint64_t let_on, std::uint64_t passed) {
    const std::uint64_t due = let_on - judged_;
    if (due < packets_min) return std::nullopt;
    judged_ = let_on;
    const std::int64_t known = *std::ranges::max_element(short_);
    const auto now = static_cast<std::int64_t>(let_on - passed);
    short_[next_++ % short_.size()] = now;
    const auto lost = static_cast<std::uint64_t>(std::max<std::int64_t>(now - known, 0));
    return Judgement{.due = due, .missing = std::min(due, lost)};
  }

 private:
  std::uint64_t judged_ = 0;  // of those let on
  // What was short of the total at the last judgements, below 0 if more had passed. The most of it
  // had been lost by then; of more than a few, as somebody else's packets with our mark lower it.
  std::array<std::int64_t, 8> short_{};
  std::size_t next_ = 0;
};

}  // namespace synward
