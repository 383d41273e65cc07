// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flow/half_open.h"

namespace synward::flow {
namespace {

std::uint32_t microseconds(Instant t) {
  using std::chrono::duration_cast;
  const auto whole = duration_cast<std::chrono::microseconds>(t.time_since_epoch()).count();
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(whole));
}

}  // namespace

Duration age(const HalfOpenEntry& entry, Instant now) {
  const std::uint32_t elapsed = microseconds(now) - entry.challenged_us;
  return std::chrono::microseconds(elapsed);
}

Duration WaitSchedule::wait(std::uint8_t waits_passed) const {
  return synack_timeout * (std::int64_t{1} << waits_passed);
}

HalfOpenQueue::HalfOpenQueue(std::uint32_t capacity, const HashKey& key, Instant start)
    : entries_(capacity, key), timers_(entries_.data(), start), by_prefix_(key) {}

HalfOpenEntry* HalfOpenQueue::insert(const ConnectionKey& key, Instant now, Duration first_wait) {
  HalfOpenEntry* const entry = entries_.insert(key);
  if (entry == nullptr) return nullptr;
  entry->challenged_us = microseconds(now);
  entry->timer_slot = timer_disarmed;
  by_age_.push_back(entries_.data(), entries_.index_of(*entry));
  by_prefix_.add(key.client, 1);
  arm(*entry, now, first_wait);
  return entry;
}

void HalfOpenQueue::erase(HalfOpenEntry& entry) {
  const std::uint32_t index = entries_.index_of(entry);
  timers_.cancel(index);
  by_age_.remove(entries_.data(), index);
  by_prefix_.remove(entry.key.client, 1);
  entries_.erase(entry);
}

HalfOpenEntry* HalfOpenQueue::oldest() {
  return by_age_.empty() ? nullptr : &entries_[by_age_.first()];
}

HalfOpenEntry* HalfOpenQueue::pop_expired(Instant now) {
  const std::uint32_t index = timers_.pop_expired(now);
  return index == no_index ? nullptr : &entries_[index];
}

void HalfOpenQueue::arm(HalfOpenEntry& entry, Instant now, Duration wait) {
  timers_.arm(entries_.index_of(entry), now, now + wait);
}

}  // namespace synward::flow
