// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proxy/flow/key.h"
#include "proxy/shared/cookie.h"
#include "proxy/time.h"
#include "proxy/wire/address.h"

namespace synward::handshake {

using MasterKey = std::array<std::uint8_t, 16>;
using Epoch = std::uint32_t;

inline constexpr std::chrono::seconds epoch_length{64};         // C3
inline constexpr std::chrono::seconds anchor_overlap{128};      // C4: both anchors are accepted
inline constexpr std::chrono::seconds next_epoch_tolerance{4};  // C4: a node slightly ahead
// A cookie that is good now is not so any more after that.
inline constexpr std::chrono::seconds cookie_life_max = 2 * epoch_length + next_epoch_tolerance;

// What a key derived from the master key is for, hashed with it, two numbers each: no two uses
// share an output.
enum class Purpose : std::uint64_t {
  epoch_key = 1,
  pair_clock = 3,
  spent_cookies = 5,
  backend_choice = 7,
  flow_label = 9,
  spent_cookies_file = 11,  // tells whose it is
};
// The key of a hash that must be the same after a restart, or on another node.
flow::HashKey derive_hash_key(const MasterKey& master, Purpose purpose);

// Of the wall clock, whose offset from CLOCK_BOOTTIME is given.
Epoch epoch_at(Instant now, Duration wall_offset);

// Keys derived from the master key, one per 64 s epoch of the guarded wall clock (C2..C4). Every
// holder of the same master key and of about the same time derives the same ones. One per worker.
class Keyring {
 public:
  // `wall_offset`: CLOCK_REALTIME minus CLOCK_BOOTTIME.
  Keyring(const MasterKey& master, Duration wall_offset);

  // C4: the wall clock was stepped. The offset before it is accepted for 128 s more; of two steps
  // within that time the older offset is forgotten. A successor that reads both offsets from disk
  // calls it with the instant of the step. After a step back epochs come a second time, and what
  // was made in them is good again until they end.
  void re_anchor(Duration wall_offset, Instant now);

  Epoch epoch(Instant now) const;
  synward_cookie_key key(Epoch epoch);  // cached

  // Epochs that a cookie with this parity bit may be of, likeliest first: current or previous; in
  // the last 4 s of an epoch also the next; after a re-anchor the same for the old offset.
  class Candidates;
  Candidates candidates(Instant now, unsigned parity) const;

  // Milliseconds of the challenge's TSval clock for this pair (C9): boot time plus an offset that
  // is constant for the pair, so that it never runs backwards across connections, and tells
  // nobody our uptime.
  std::uint32_t timestamp_clock(Instant now, const wire::Address& client,
                                const wire::Address& service) const;

  // The IPv6 flow label of what a service says in this connection: of 20 bits, not 0. Constant for
  // the connection, and not to be foreseen (RFC 6437 3); a kernel's own listener rolls dice for it.
  std::uint32_t flow_label(const wire::Endpoint& client, const wire::Endpoint& service) const;

 private:
  struct CachedKey {
    Epoch epoch = 0;
    bool valid = false;
    synward_cookie_key key{};
  };
  synward_cookie_key master_;
  synward_cookie_key timestamp_key_, flow_label_key_;
  Duration wall_offset_;
  Duration old_wall_offset_{};
  Instant old_offset_until_ = Instant::min();
  // By the epoch's low bits: more slots than there are candidates, so that neighbours do not
  // displace each other.
  std::array<CachedKey, 8> cache_{};
};

class Keyring::Candidates {
 public:
  std::span<const Epoch> all() const { return {epochs_.data(), count_}; }
  void add(Epoch epoch);  // once each

 private:
  std::array<Epoch, 4> epochs_{};
  std::size_t count_ = 0;
};

}  // namespace synward::handshake
