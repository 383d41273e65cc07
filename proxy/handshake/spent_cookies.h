// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>

#include "proxy/flow/key.h"
#include "proxy/flow/zeroed_array.h"
#include "proxy/time.h"
#include "proxy/wire/seq.h"

namespace synward::handshake {

// C8: cookies that were redeemed and whose connection is gone, until they expire. (While it is
// there, or lingers, the connection itself stands for its cookie.) Fixed room of eight bytes each,
// resident only as far as used; where a bucket is full the one that expires first is forgotten.
// Only a tag of 32 bits is kept: an honest acknowledgement is taken for a replay with odds of
// 2^-30 at most, and the client's next attempt has another ISN.
class SpentCookies {
 public:
  SpentCookies(std::uint32_t capacity, const flow::HashKey& key);

  // False if one that had not expired was forgotten for it.
  bool add(const flow::ConnectionKey& client, wire::SeqNumber cookie, Instant until, Instant now);
  bool contains(const flow::ConnectionKey& client, wire::SeqNumber cookie, Instant now) const;

 private:
  struct Slot {
    std::uint32_t tag;
    std::uint32_t until;  // seconds since boot, exclusive; 0: free
  };
  static constexpr std::size_t bucket_slots = 4;
  struct Place {
    std::size_t first;  // slot of the bucket
    std::uint32_t tag;
  };
  Place place_of(const flow::ConnectionKey& client, wire::SeqNumber cookie) const;

  flow::HashKey hash_key_;
  flow::ZeroedArray<Slot> slots_;
};

}  // namespace synward::handshake
