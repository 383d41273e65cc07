// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <optional>

#include "proxy/flow/timer_wheel.h"
#include "proxy/flow/zeroed_array.h"
#include "proxy/shared/client_offer.h"
#include "proxy/time.h"
#include "proxy/wire/address.h"
#include "proxy/wire/seq.h"

namespace synward::flow {

using HashKey = std::array<std::uint64_t, 2>;  // random per process: tables keyed by attackers

// Who: the client, and the listen (index over all services) that it called.
struct HalfOpenKey {
  wire::Address client;
  std::uint16_t client_port = 0;
  std::uint16_t listen = 0;
  bool operator==(const HalfOpenKey&) const = default;
};

// A challenge that was sent and not yet redeemed (RFC 9293 SYN-RECEIVED). H1: at most 64 bytes.
struct HalfOpenEntry {
  HalfOpenKey key;
  std::uint32_t client_isn, challenge_isn;
  std::uint32_t client_tsval;
  synward_client_offer offer;
  std::uint32_t challenged_us;  // microseconds since boot, wrapping; first challenge
  std::uint32_t hash_next;
  std::uint32_t timer_next, timer_prev;
  std::uint32_t age_next, age_prev;  // oldest first
  std::uint16_t timer_slot;
  std::uint8_t waits;        // how many waits of the schedule have passed
  std::uint8_t retransmits;  // SYN-ACKs sent by the timer
};
static_assert(sizeof(HalfOpenEntry) <= 64);

// The half-open queue of one service on one worker: fixed capacity, keyed hash, one timer per
// entry, oldest first. It only remembers: any entry may go at any time and the cookie still
// redeems. Waits of 1, 2, 4 ... times synack_timeout (H2).
class HalfOpenQueue {
 public:
  HalfOpenQueue(std::uint32_t capacity, const HashKey& key, Instant start);

  std::uint32_t size() const;
  std::uint32_t capacity() const;
  HalfOpenEntry* find(const HalfOpenKey& key);
  // A zeroed entry with its key, challenged_us and timer (`first_wait`) set, youngest; nullptr when
  // full. The key must not be in the queue.
  HalfOpenEntry* insert(const HalfOpenKey& key, Instant now, Duration first_wait);
  void erase(HalfOpenEntry& entry);
  HalfOpenEntry* oldest();

  // Entries remembered of the client's prefix (/24 or /64). An estimate, never below the truth.
  std::uint32_t prefix_entries(const wire::Address& client) const;

  // An entry whose wait is over, disarmed; nullptr if none. The caller re-arms or erases it.
  HalfOpenEntry* pop_expired(Instant now);
  void arm(HalfOpenEntry& entry, Instant now, Duration wait);
  std::optional<Instant> next_deadline() const;

 private:
  // (free list, buckets, age list, prefix counts, wheel: see the implementation)
};

}  // namespace synward::flow
