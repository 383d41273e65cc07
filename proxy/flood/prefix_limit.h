// SPDX-License-Identifier: GPL-2.0-or-later
//
// D3: so many per second for each client network (/24 or /64), that of SYN-ACKs, lest somebody
// sends SYNs with a victim's address to have them answered there.
//
// Fixed memory, and no list of networks that a flood of others could wash one out of: each network
// has a bucket in each of two rows by keyed hash, shared with others, and is over its limit only if
// it is in both: beside a thousand networks at their limit, one in a thousand others is limited
// with them. A flood of sources that are spread fills all buckets evenly: a million per second take
// 31 per second from everyone.
#pragma once
#include <array>
#include <cstdint>

#include "proxy/flood/rate.h"
#include "proxy/flow/key.h"
#include "proxy/flow/zeroed_array.h"

namespace synward::flood {

class PrefixLimit {
 public:
  explicit PrefixLimit(const flow::HashKey& key) : hash_key_(key), buckets_(2 * row_size) {}

  // From now on; 0: there is no limit.
  void set_rate(std::uint32_t per_second);
  bool allows(const wire::Address& client, Instant now) const;
  void spend(const wire::Address& client, Instant now);
  // What was spent was not what is to be limited: as if it had not been.
  void give_back(const wire::Address& client);

 private:
  static constexpr std::size_t row_size = 32768;
  // A quarter of a second's worth: that many may be under way at once.
  static constexpr std::chrono::milliseconds burst{250};
  std::array<std::size_t, 2> places_of(const wire::Address& client) const;

  flow::HashKey hash_key_;
  bool limited_ = false;
  Rate rate_;
  flow::ZeroedArray<Instant> buckets_;  // the two rows, one behind the other
};

}  // namespace synward::flood
