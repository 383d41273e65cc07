// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/handshake/spent_cookies.h"

#include <algorithm>
#include <bit>
#include <span>

namespace synward::handshake {
namespace {

std::uint32_t seconds_of(Instant at) {
  const auto whole = std::chrono::ceil<std::chrono::seconds>(at.time_since_epoch());
  return static_cast<std::uint32_t>(whole.count());
}

}  // namespace

SpentCookies::SpentCookies(std::uint32_t capacity, const flow::HashKey& key)
    : hash_key_(key), slots_(std::bit_ceil(std::max<std::size_t>(capacity, bucket_slots))) {}

// The cookie is mixed in without the key: it cannot be chosen, and the key's part is unknown.
SpentCookies::Place SpentCookies::place_of(const flow::ConnectionKey& client,
                                           wire::SeqNumber cookie) const {
  constexpr std::uint64_t odd = 0x9e3779b97f4a7c15U;
  const std::uint64_t hash = flow::keyed_hash(hash_key_, client) ^ cookie.value() * odd;
  const std::size_t buckets = slots_.size() / bucket_slots;
  return {(hash & (buckets - 1)) * bucket_slots, static_cast<std::uint32_t>(hash >> 32)};
}

bool SpentCookies::add(const flow::ConnectionKey& client, wire::SeqNumber cookie, Instant until,
                       Instant now) {
  const Place place = place_of(client, cookie);
  Slot* soonest = &slots_[place.first];
  for (std::size_t i = 1; i < bucket_slots; ++i) {
    Slot& slot = slots_[place.first + i];
    if (slot.until < soonest->until) soonest = &slot;
  }
  const bool room = soonest->until <= seconds_of(now);
  *soonest = {place.tag, seconds_of(until)};
  return room;
}

bool SpentCookies::contains(const flow::ConnectionKey& client, wire::SeqNumber cookie,
                            Instant now) const {
  const Place place = place_of(client, cookie);
  const std::uint32_t present = seconds_of(now);
  for (std::size_t i = 0; i < bucket_slots; ++i) {
    const Slot& slot = slots_[place.first + i];
    if (slot.tag == place.tag && slot.until > present) return true;
  }
  return false;
}

}  // namespace synward::handshake
