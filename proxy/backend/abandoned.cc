// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/backend/abandoned.h"

#include <algorithm>
#include <span>

namespace synward::backend {
namespace {

constexpr std::size_t bucket_slots = 4;
constexpr std::size_t buckets = 4096;
// Linux sends a SYN-ACK five times more, and forgets the connection after 63 s.
constexpr std::uint32_t life_seconds = 64;

std::uint32_t seconds_of(Instant at) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(at.time_since_epoch());
  return static_cast<std::uint32_t>(whole.count());
}

}  // namespace

AbandonedSyns::AbandonedSyns(const flow::HashKey& key)
    : hash_key_(key), slots_(buckets * bucket_slots) {}

AbandonedSyns::Place AbandonedSyns::place_of(const flow::BackendTuple& tuple,
                                             wire::SeqNumber isn) const {
  const std::uint64_t hash = flow::keyed_hash(hash_key_, tuple);
  return {(hash % buckets) * bucket_slots, static_cast<std::uint32_t>(hash >> 32) ^ isn.value()};
}

void AbandonedSyns::add(const flow::BackendTuple& tuple, wire::SeqNumber isn, Instant now) {
  const Place place = place_of(tuple, isn);
  const auto bucket = std::span(&slots_[place.first], bucket_slots);
  *std::ranges::min_element(bucket, {}, &Slot::until) = {.tag = place.tag,
                                                         .until = seconds_of(now) + life_seconds};
}

bool AbandonedSyns::contains(const flow::BackendTuple& tuple, wire::SeqNumber isn,
                             Instant now) const {
  const Place place = place_of(tuple, isn);
  return std::ranges::any_of(std::span(&slots_[place.first], bucket_slots), [&](const Slot& slot) {
    return slot.tag == place.tag && slot.until > seconds_of(now);
  });
}

}  // namespace synward::backend
