// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proxy/flow/key.h"
#include "proxy/time.h"
#include "proxy/wire/address.h"
#include "proxy/wire/seq.h"

namespace synward::handshake {

// What a client acknowledged. All of it counts: busy ports meet an old cookie (24 random bits) once
// in some hundred thousand connections, but not with the ISN that it had been made for.
struct CookieUse {
  wire::Endpoint client, service;  // as the client sees them
  wire::SeqNumber client_isn, cookie;
};

// C8: cookies from the moment they are redeemed until they expire. A table of 64-bit keyed hashes
// of their uses, in memory that the caller provides: an honest acknowledgement is taken for a
// replay with odds of 2^-60. Each has its place in one of two buckets; where both are full, the one
// that expires first is forgotten.
//
// Any number of threads, and no lock: one use is only ever asked about by the thread that its
// client is steered to, and threads that meet in a bucket do not harm each other.
class SpentCookies {
 public:
  static constexpr std::size_t bucket_slots = 8;
  struct Bucket {
    std::array<std::uint64_t, bucket_slots> fingerprints;
    std::array<std::uint32_t, bucket_slots> until;  // seconds since boot, exclusive; 0: free
  };
  // Buckets with room for so many, rounded up to a power of two.
  static std::size_t buckets_for(std::uint64_t cookies);

  // `memory`: as many as buckets_for() says, all zero or left by a table with the same key; must
  // outlive this.
  SpentCookies(std::span<Bucket> memory, const flow::HashKey& key);

  // False if one that had not expired was forgotten for it.
  bool add(const CookieUse& use, Instant until, Instant now);
  bool contains(const CookieUse& use, Instant now) const;
  // Of memory that another process left: what expires later than any cookie was never in a table.
  static void discard_after(std::span<Bucket> memory, Instant latest);
  // What another table, with the same key and of any size, still remembers.
  void take_over(std::span<const Bucket> other, Instant now);

 private:
  bool add(std::uint64_t fingerprint, std::uint32_t until, std::uint32_t present);
  std::uint64_t fingerprint(const CookieUse& use) const;
  std::array<Bucket*, 2> buckets_of(std::uint64_t fingerprint) const;

  std::span<Bucket> buckets_;
  flow::HashKey hash_key_;
};

}  // namespace synward::handshake
