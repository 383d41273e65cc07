// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>

#include "proxy/flow/key.h"
#include "proxy/flow/zeroed_array.h"

namespace synward::flow {

// How much of something each client network (/24 or /64) has. Networks share counters by keyed
// hash, so that a flood of sources takes no memory: an estimate, never below the truth. With a
// million units of spread sources a counter is 16 too high, which does not matter where shares of
// the whole are the limit.
class PrefixCounters {
 public:
  explicit PrefixCounters(const HashKey& key) : hash_key_(key), counters_(count) {}

  void add(const wire::Address& client, std::uint32_t units) { at(client) += units; }
  void remove(const wire::Address& client, std::uint32_t units) { at(client) -= units; }
  std::uint32_t of(const wire::Address& client) const { return counters_[slot(client)]; }

 private:
  static constexpr std::size_t count = 65536;
  std::size_t slot(const wire::Address& client) const {
    return keyed_hash(hash_key_, source_prefix(client)) % count;
  }
  std::uint32_t& at(const wire::Address& client) { return counters_[slot(client)]; }

  HashKey hash_key_;
  ZeroedArray<std::uint32_t> counters_;
};

}  // namespace synward::flow
