// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>

#include "proxy/flow/key.h"
#include "proxy/flow/zeroed_array.h"
#include "proxy/time.h"
#include "proxy/wire/seq.h"

namespace synward::backend {

// SYNs of ours that a backend did not answer in time, and that have no flow any more: a late
// SYN-ACK to one of them is ours to end (S3), and no other SYN-ACK is. Fixed room, for 256 a
// second; where a bucket is full the one that expires first is forgotten. A tag of 32 bits is kept:
// somebody else's SYN-ACK is taken for one of ours with odds of 2^-30.
class AbandonedSyns {
 public:
  explicit AbandonedSyns(const flow::HashKey& key);

  void add(const flow::BackendTuple& tuple, wire::SeqNumber isn, Instant now);
  bool contains(const flow::BackendTuple& tuple, wire::SeqNumber isn, Instant now) const;

 private:
  struct Slot {
    std::uint32_t tag;
    std::uint32_t until;  // seconds since boot, exclusive; 0: free
  };
  struct Place {
    std::size_t first;  // slot of the bucket
    std::uint32_t tag;
  };
  Place place_of(const flow::BackendTuple& tuple, wire::SeqNumber isn) const;

  flow::HashKey hash_key_;
  flow::ZeroedArray<Slot> slots_;
};

}  // namespace synward::backend
