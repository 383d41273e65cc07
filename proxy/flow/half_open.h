// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <optional>

#include "proxy/flow/index_list.h"
#include "proxy/flow/key.h"
#include "proxy/flow/keyed_pool.h"
#include "proxy/flow/prefix_counters.h"
#include "proxy/flow/timer_wheel.h"
#include "proxy/shared/client_offer.h"
#include "proxy/time.h"

namespace synward::flow {

// A challenge that was sent and not yet redeemed (RFC 9293 SYN-RECEIVED). H1: at most 64 bytes.
struct HalfOpenEntry {
  ConnectionKey key;
  std::uint32_t client_isn, challenge_isn;
  std::uint32_t client_tsval;
  synward_client_offer offer;
  std::uint32_t challenged_us;  // microseconds since boot, wrapping; first challenge
  std::uint32_t hash_next;
  std::uint32_t timer_next, timer_prev;
  std::uint32_t age_next, age_prev;  // oldest first
  std::uint16_t timer_slot;
  std::uint16_t waits : 5;        // how many waits of the schedule have passed; at most 31 of them
  std::uint16_t retransmits : 5;  // SYN-ACKs sent by the timer
  std::uint16_t dscp : 6;         // of the client's last SYN
};
static_assert(sizeof(HalfOpenEntry) <= 64);

// Since the first challenge (modulo 71 minutes).
Duration age(const HalfOpenEntry& entry, Instant now);

// H2: waits of 1, 2, 4 ... times synack_timeout, one more of them than there are retransmissions.
// When a wait is over, the caller counts it in entry.waits; the entry has then either had its life
// or gets one more SYN-ACK and the next wait.
struct WaitSchedule {
  Duration synack_timeout;
  std::uint8_t retries;  // at most 30

  Duration wait(std::uint8_t waits_passed) const;
  bool over(const HalfOpenEntry& entry) const { return entry.waits > retries; }
};

// The half-open queue of one service on one worker: fixed capacity (0 is allowed), keyed hash, one
// timer per entry, oldest first. It only remembers: any entry may go at any time and the cookie
// still redeems. An entry stays at its address until it is erased.
class HalfOpenQueue {
 public:
  HalfOpenQueue(std::uint32_t capacity, const HashKey& key, Instant start);

  std::uint32_t size() const { return entries_.size(); }
  std::uint32_t capacity() const { return entries_.capacity(); }
  HalfOpenEntry* find(const ConnectionKey& key) { return entries_.find(key); }
  // A zeroed entry with its key, challenged_us and timer (`first_wait`) set, youngest; nullptr when
  // full. The key must not be in the queue.
  HalfOpenEntry* insert(const ConnectionKey& key, Instant now, Duration first_wait);
  void erase(HalfOpenEntry& entry);
  HalfOpenEntry* oldest();  // by insertion; nullptr if empty

  // Entries remembered of the client's prefix (/24 or /64). An estimate, never below the truth.
  std::uint32_t prefix_entries(const wire::Address& client) const { return by_prefix_.of(client); }

  // An entry whose wait is over, disarmed; nullptr if none. The caller re-arms or erases it.
  HalfOpenEntry* pop_expired(Instant now);
  // `wait` at most 137 s (the wheel's horizon), else it is cut.
  void arm(HalfOpenEntry& entry, Instant now, Duration wait);
  // When pop_expired will next yield an entry.
  std::optional<Instant> next_deadline(Duration within = timer_horizon) const {
    return timers_.next_deadline(within);
  }

 private:
  KeyedPool<HalfOpenEntry> entries_;
  TimerWheel<HalfOpenEntry> timers_;
  IndexList<HalfOpenEntry, &HalfOpenEntry::age_next, &HalfOpenEntry::age_prev> by_age_;
  PrefixCounters by_prefix_;
};

}  // namespace synward::flow
