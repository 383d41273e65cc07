// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flood/prefix_limit.h"

namespace synward::flood {

void PrefixLimit::set_rate(std::uint32_t per_second) {
  limited_ = per_second != 0;
  rate_ = Rate(per_second, burst);
}

std::array<std::size_t, 2> PrefixLimit::places_of(const wire::Address& client) const {
  const std::uint64_t hash = flow::keyed_hash(hash_key_, flow::source_prefix(client));
  return {(hash >> 16) % row_size, row_size + (hash >> 32) % row_size};
}

bool PrefixLimit::allows(const wire::Address& client, Instant now) const {
  if (!limited_) return true;
  const auto [first, second] = places_of(client);
  return rate_.allows(std::min(buckets_[first], buckets_[second]), now);
}

void PrefixLimit::spend(const wire::Address& client, Instant now) {
  if (!limited_) return;
  for (const std::size_t place : places_of(client)) {
    // One that others have filled stays full, no fuller: what overflowed would take hours to earn.
    if (rate_.allows(buckets_[place], now)) buckets_[place] = rate_.spent(buckets_[place], now);
  }
}

void PrefixLimit::give_back(const wire::Address& client) {
  if (!limited_) return;
  for (const std::size_t place : places_of(client)) {
    buckets_[place] = rate_.given_back(buckets_[place]);
  }
}

}  // namespace synward::flood
