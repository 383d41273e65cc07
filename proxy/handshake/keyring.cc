// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/handshake/keyring.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <ratio>

#include "proxy/wire/ip.h"

namespace synward::handshake {
namespace {

using Epochs = std::chrono::duration<std::int64_t, std::ratio<epoch_length.count()>>;

// SipHash is a pseudo-random function, so its outputs under the master key are keys; 128 bits take
// two calls.
synward_cookie_key derive(const synward_cookie_key& master, Purpose purpose, std::uint64_t input) {
  const auto half = [&](std::uint64_t which) {
    const std::array<__u64, 2> words{static_cast<std::uint64_t>(purpose) + which, input};
    return synward_siphash(master.k0, master.k1, words.data(), 2);
  };
  return {.k0 = half(0), .k1 = half(1)};
}

synward_cookie_key words_of(const MasterKey& master) {
  synward_cookie_key key{};
  static_assert(sizeof key == sizeof master);
  std::memcpy(&key, master.data(), sizeof key);
  return key;
}

struct EpochAndRest {
  Epoch epoch;
  Duration rest;  // of the epoch
};

EpochAndRest epoch_and_rest(Instant now, Duration wall_offset) {
  const Duration wall = now.time_since_epoch() + wall_offset;
  const auto epochs = std::chrono::floor<Epochs>(wall);
  return {static_cast<Epoch>(epochs.count()), epochs + Epochs{1} - wall};
}

}  // namespace

flow::HashKey derive_hash_key(const MasterKey& master, Purpose purpose) {
  const synward_cookie_key key = derive(words_of(master), purpose, 0);
  return {key.k0, key.k1};
}

Epoch epoch_at(Instant now, Duration wall_offset) {
  return epoch_and_rest(now, wall_offset).epoch;
}

void Keyring::Candidates::add(Epoch epoch) {
  const auto known = all();
  if (std::ranges::find(known, epoch) != known.end()) return;
  assert(count_ < epochs_.size());
  epochs_[count_++] = epoch;
}

Keyring::Keyring(const MasterKey& master, Duration wall_offset)
    : master_(words_of(master)),
      timestamp_key_(derive(master_, Purpose::pair_clock, 0)),
      flow_label_key_(derive(master_, Purpose::flow_label, 0)),
      wall_offset_(wall_offset) {}

void Keyring::re_anchor(Duration wall_offset, Instant now) {
  old_wall_offset_ = wall_offset_;
  old_offset_until_ = now + anchor_overlap;
  wall_offset_ = wall_offset;
}

Epoch Keyring::epoch(Instant now) const {
  return epoch_at(now, wall_offset_);
}

synward_cookie_key Keyring::key(Epoch epoch) {
  CachedKey& cached = cache_[epoch % cache_.size()];
  if (!cached.valid || cached.epoch != epoch) {
    cached = {epoch, true, derive(master_, Purpose::epoch_key, epoch)};
  }
  return cached.key;
}

Keyring::Candidates Keyring::candidates(Instant now, unsigned parity) const {
  Candidates result;
  const auto add = [&](Duration wall_offset) {
    const auto [current, rest] = epoch_and_rest(now, wall_offset);
    if ((current & 1) == parity) {
      result.add(current);
      return;
    }
    result.add(current - 1);
    if (rest <= next_epoch_tolerance) result.add(current + 1);
  };
  add(wall_offset_);
  if (now < old_offset_until_) add(old_wall_offset_);
  return result;
}

std::uint32_t Keyring::flow_label(const wire::Endpoint& client,
                                  const wire::Endpoint& service) const {
  std::array<__u64, 5> words{};
  std::memcpy(&words[0], client.address.bytes.data(), client.address.bytes.size());
  std::memcpy(&words[2], service.address.bytes.data(), service.address.bytes.size());
  words[4] = std::uint64_t{client.port} << 16 | service.port;
  const std::uint64_t hash =
      synward_siphash(flow_label_key_.k0, flow_label_key_.k1, words.data(), words.size());
  return std::max(static_cast<std::uint32_t>(hash & wire::flow_label_mask), 1U);
}

std::uint32_t Keyring::timestamp_clock(Instant now, const wire::Address& client,
                                       const wire::Address& service) const {
  std::array<__u64, 4> words{};
  std::memcpy(&words[0], client.bytes.data(), client.bytes.size());
  std::memcpy(&words[2], service.bytes.data(), service.bytes.size());
  const std::uint64_t offset =
      synward_siphash(timestamp_key_.k0, timestamp_key_.k1, words.data(), 4);
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch());
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(milliseconds.count()) + offset);
}

}  // namespace synward::handshake
