// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>

namespace synward::wire {

// A TCP sequence number: a point on a circle of 2^32 (RFC 9293 3.4). Comparisons hold between
// numbers less than 2^31 apart, which is all that a window of at most 2^30 needs. Lengths are
// plain std::uint32_t; a number cannot be mistaken for one, nor added to another number.
class SeqNumber {
 public:
  constexpr SeqNumber() = default;
  constexpr explicit SeqNumber(std::uint32_t value) : value_(value) {}
  constexpr std::uint32_t value() const { return value_; }

  constexpr SeqNumber operator+(std::uint32_t length) const { return SeqNumber(value_ + length); }
  constexpr SeqNumber operator-(std::uint32_t length) const { return SeqNumber(value_ - length); }
  SeqNumber& operator+=(std::uint32_t length) { return *this = *this + length; }
  // How far `*this` lies ahead of `other` (negative: behind).
  constexpr std::int32_t operator-(SeqNumber other) const {
    return static_cast<std::int32_t>(value_ - other.value_);
  }
  constexpr bool operator==(const SeqNumber&) const = default;
  constexpr bool operator<(SeqNumber other) const { return *this - other < 0; }
  constexpr bool operator>(SeqNumber other) const { return *this - other > 0; }
  constexpr bool operator<=(SeqNumber other) const { return *this - other <= 0; }
  constexpr bool operator>=(SeqNumber other) const { return *this - other >= 0; }

 private:
  std::uint32_t value_ = 0;
};

// TSvals go round the same circle (RFC 7323 5.2). The later of what was `known` of a sender (0:
// nothing yet) and what a segment of its says now: segments overtake each other, and a TSval that
// went back would fail its receiver's PAWS test.
constexpr std::uint32_t later_tsval(std::uint32_t known, std::uint32_t now) {
  return known == 0 || SeqNumber(now) > SeqNumber(known) ? now : known;
}

}  // namespace synward::wire
