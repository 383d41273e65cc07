// SPDX-License-Identifier: GPL-2.0-or-later
//
// One timer per node of an array, in a wheel of one level: arming, re-arming and cancelling are
// O(1) and touch at most three nodes, because every spoofed SYN arms a timer and almost every
// genuine one cancels it. A heap would be O(log n) there, and levels would move nodes again.
//
// A slot is one tick of 2^23 ns (8.39 ms); 16384 of them reach 137 s ahead, further than any wait
// of the half-open queue. A deadline is rounded *up* to a tick: what is popped is due, at most one
// tick late. One bit per slot tells whether it is in use, so empty time costs a 64th of a look.
//
// `tick_` is the earliest tick whose slot may be in use; every armed node is due in
// [tick_, tick_ + 16384), hence one slot never mixes two turns of the wheel. It lags behind while
// nobody pops (the machine was suspended). Should a new deadline then lie beyond the turn, the
// nodes that are due by now are first set aside in a list of their own.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>

#include "proxy/flow/zeroed_array.h"
#include "proxy/time.h"

namespace synward::flow {

// Of Node::timer_slot.
inline constexpr std::uint16_t timer_disarmed = 0xffff;

inline constexpr unsigned timer_tick_shift = 23;
inline constexpr std::uint32_t timer_slot_count = 16384;
inline constexpr Duration timer_horizon{std::int64_t{timer_slot_count - 1} << timer_tick_shift};

// Node has `timer_next` and `timer_prev` (std::uint32_t) and `timer_slot` (std::uint16_t), which
// must be timer_disarmed before a node is armed for the first time.
template <class Node>
class TimerWheel {
 public:
  static constexpr unsigned tick_shift = timer_tick_shift;
  static constexpr Duration tick{std::int64_t{1} << tick_shift};
  static constexpr std::uint32_t slot_count = timer_slot_count;
  // Deadlines up to here are kept; a later one is popped at this distance (see arm).
  static constexpr Duration horizon = timer_horizon;

  TimerWheel(Node* nodes, Instant start) : nodes_(nodes), heads_(slot_count + 1) {
    tick_ = ticks_passed(start);
  }

  // Re-arms an armed node. One whose deadline is beyond the horizon is popped about 137 s from now:
  // whoever uses such deadlines looks at them when a node is popped. One in the past is popped
  // next.
  void arm(std::uint32_t index, Instant now, Instant deadline) {
    cancel(index);
    std::uint64_t due = std::max(tick_of(deadline), tick_);
    if (due - tick_ >= slot_count) {
      set_overdue_aside(now);
      due = std::clamp(due, tick_, tick_ + slot_count - 1);
    }
    link(index, static_cast<std::uint32_t>(due % slot_count));
  }

  // No effect on a disarmed node.
  void cancel(std::uint32_t index) {
    Node& node = nodes_[index];
    const std::uint32_t slot = node.timer_slot;
    if (slot == timer_disarmed) return;
    if (node.timer_next != no_index) nodes_[node.timer_next].timer_prev = node.timer_prev;
    if (node.timer_prev != no_index) {
      nodes_[node.timer_prev].timer_next = node.timer_next;
    } else if (node.timer_next != no_index) {
      heads_[slot] = node.timer_next;
    } else {
      used_[slot / 64] &= ~bit_of(slot);
    }
    node.timer_slot = timer_disarmed;
  }

  // A node whose deadline has passed, now disarmed, or no_index. Earlier ticks come first, save
  // among nodes that were set aside; within a tick the order is unspecified.
  std::uint32_t pop_expired(Instant now) {
    std::uint32_t slot = overdue_slot;
    if (!in_use(overdue_slot)) {
      const auto due = first_due(now);
      if (!due) return no_index;
      slot = *due;
    }
    const std::uint32_t index = heads_[slot];
    cancel(index);
    return index;
  }

  // The first instant at which pop_expired yields a node: never before, and never a node's
  // deadline plus one tick or later.
  // `within` (from the last pop on) bounds the look, not the answer.
  std::optional<Instant> next_deadline(Duration within = horizon) const {
    if (in_use(overdue_slot)) return instant_of(tick_);
    const auto limit = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>((within.count() >> tick_shift) + 2, 1, slot_count));
    const std::uint32_t ahead = distance_to_used(limit);
    if (ahead == limit) return std::nullopt;
    return instant_of(tick_ + ahead);
  }

 private:
  static constexpr std::uint32_t overdue_slot = slot_count;
  static_assert(overdue_slot < timer_disarmed);

  static std::uint64_t nanoseconds(Instant t) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(t.time_since_epoch().count(), 0));
  }
  static std::uint64_t ticks_passed(Instant t) { return nanoseconds(t) >> tick_shift; }
  static std::uint64_t tick_of(Instant deadline) {
    return (nanoseconds(deadline) + static_cast<std::uint64_t>(tick.count()) - 1) >> tick_shift;
  }
  static Instant instant_of(std::uint64_t tick_number) {
    return Instant(tick * static_cast<std::int64_t>(tick_number));
  }
  static std::uint64_t bit_of(std::uint32_t slot) { return std::uint64_t{1} << (slot % 64); }
  bool in_use(std::uint32_t slot) const { return (used_[slot / 64] & bit_of(slot)) != 0; }

  void link(std::uint32_t index, std::uint32_t slot) {
    Node& node = nodes_[index];
    node.timer_prev = no_index;
    node.timer_next = in_use(slot) ? heads_[slot] : no_index;
    if (node.timer_next != no_index) nodes_[node.timer_next].timer_prev = index;
    node.timer_slot = static_cast<std::uint16_t>(slot);
    heads_[slot] = index;
    used_[slot / 64] |= bit_of(slot);
  }

  // How many ticks after tick_ the first slot in use comes; `limit` if not within so many.
  std::uint32_t distance_to_used(std::uint32_t limit) const {
    const auto start = static_cast<std::uint32_t>(tick_ % slot_count);
    for (std::uint32_t ahead = 0; ahead < limit;) {
      const std::uint32_t slot = (start + ahead) % slot_count;
      const std::uint64_t bits = used_[slot / 64] >> (slot % 64);
      if (bits != 0)
        return std::min(ahead + static_cast<std::uint32_t>(std::countr_zero(bits)), limit);
      ahead += 64 - slot % 64;
    }
    return limit;
  }

  // The earliest slot in use that is due, with tick_ moved to it; else tick_ is moved to now.
  std::optional<std::uint32_t> first_due(Instant now) {
    const std::uint64_t target = ticks_passed(now);
    if (target < tick_) return std::nullopt;
    const auto limit =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(target - tick_ + 1, slot_count));
    const std::uint32_t ahead = distance_to_used(limit);
    if (ahead == limit) {
      tick_ = target;
      return std::nullopt;
    }
    tick_ += ahead;
    return static_cast<std::uint32_t>(tick_ % slot_count);
  }

  void set_overdue_aside(Instant now) {
    while (const auto slot = first_due(now)) {
      const std::uint32_t index = heads_[*slot];
      cancel(index);
      link(index, overdue_slot);
    }
  }

  Node* nodes_;
  std::uint64_t tick_ = 0;
  ZeroedArray<std::uint32_t> heads_;  // valid where the slot is in use
  std::array<std::uint64_t, slot_count / 64 + 1> used_{};
};

}  // namespace synward::flow
