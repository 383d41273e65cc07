// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flow/orphans.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace synward::flow {
namespace {

constexpr std::uint8_t both_halves = LiveTuple::client_half | LiveTuple::backend_half;

std::uint32_t seconds_of(Instant at) {
  return static_cast<std::uint32_t>(
      std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count());
}

std::uint8_t half(Side side) {
  return side == Side::client ? LiveTuple::client_half : LiveTuple::backend_half;
}

bool has_half(LiveTuple& tuple, Side side) {
  return (std::atomic_ref(tuple.halves).load(std::memory_order_relaxed) & half(side)) != 0;
}

BackendTuple tuple_of(const LiveTuple& tuple, Side side) {
  return side == Side::client ? tuple.of_client() : tuple.of_backend();
}

// They are from a file: nothing is older than the boot, or of a time to come.
void mark(LiveTuple& tuple, std::uint32_t present) {
  tuple.halves &= both_halves;
  if (tuple.orphaned_at == 0 || tuple.orphaned_at > present) tuple.orphaned_at = present;
}

}  // namespace

Orphans::Orphans(std::span<LiveTuple> tuples, const HashKey& key, Instant now) : key_(key) {
  for (LiveTuple& tuple : tuples) {
    mark(tuple, std::max(seconds_of(now), 1U));
    if (tuple.halves == 0) continue;
    orphans_.push_back(
        {.tuple = &tuple, .since = Instant(std::chrono::seconds(tuple.orphaned_at))});
  }
  std::ranges::stable_sort(orphans_, {}, &Orphan::since);
  for (auto& places : indexes_) places.resize(std::bit_ceil(2 * orphans_.size() + 1));
  for (auto place = static_cast<std::uint32_t>(orphans_.size()); place-- > 0;) {
    index(Side::client, place);
    index(Side::backend, place);
  }
}

void Orphans::index(Side side, std::uint32_t place) {
  LiveTuple& tuple = *orphans_[place].tuple;
  if (!has_half(tuple, side)) return;
  const BackendTuple wanted = tuple_of(tuple, side);
  auto& places = indexes_[static_cast<std::size_t>(side)];
  std::size_t at = keyed_hash(key_, wanted) & (places.size() - 1);
  for (; places[at] != 0; at = (at + 1) & (places.size() - 1)) {
    if (tuple_of(*orphans_[places[at] - 1].tuple, side) != wanted) continue;
    tuple.halves = static_cast<std::uint8_t>(tuple.halves & ~half(side));
    return;
  }
  places[at] = place + 1;
  ++halves_left_;
}

Orphans::Orphan* Orphans::find(Side from, const BackendTuple& tuple) {
  auto& places = indexes_[static_cast<std::size_t>(from)];
  if (empty()) return nullptr;
  for (std::size_t at = keyed_hash(key_, tuple);; ++at) {
    const std::uint32_t link = places[at & (places.size() - 1)];
    if (link == 0) return nullptr;
    Orphan& orphan = orphans_[link - 1];
    if (tuple_of(*orphan.tuple, from) == tuple) {
      return has_half(*orphan.tuple, from) ? &orphan : nullptr;
    }
  }
}

void Orphans::forget(Side from, const BackendTuple& tuple) {
  if (Orphan* const orphan = find(from, tuple)) clear(*orphan->tuple, half(from));
}

bool Orphans::expire(Instant before) {
  bool any = false;
  for (; expired_ < orphans_.size() && orphans_[expired_].since < before; ++expired_) {
    any |= clear(*orphans_[expired_].tuple, both_halves);
  }
  return any;
}

// The main thread and a worker may be at it at once: each counts what it has cleared itself.
bool Orphans::clear(LiveTuple& tuple, std::uint8_t halves) {
  const std::uint8_t before =
      std::atomic_ref(tuple.halves)
          .fetch_and(static_cast<std::uint8_t>(~halves), std::memory_order_relaxed);
  const auto cleared = static_cast<std::uint8_t>(before & halves);
  halves_left_.fetch_sub(static_cast<std::uint32_t>(std::popcount(cleared)),
                         std::memory_order_relaxed);
  return cleared != 0;
}

std::vector<wire::Endpoint> Orphans::endpoints(Side side) const {
  std::vector<wire::Endpoint> result;
  for (const Orphan& orphan : orphans_) {
    if (has_half(*orphan.tuple, side)) result.push_back(tuple_of(*orphan.tuple, side).backend);
  }
  std::ranges::sort(result);
  const auto twice = std::ranges::unique(result);
  result.erase(twice.begin(), twice.end());
  result.resize(std::min(result.size(), endpoints_max));
  return result;
}

}  // namespace synward::flow
