// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/handshake/keyring.h"

#include <algorithm>
#include <cstring>

namespace synward::handshake {
namespace {

// What a derived value is for, hashed with it: no two uses share an output.
enum Purpose : std::uint64_t { epoch_key_low = 1, epoch_key_high = 2, pair_clock = 3 };

std::array<std::uint64_t, 2> words_of(const MasterKey& master) {
  std::array<std::uint64_t, 2> words{};
  std::memcpy(words.data(), master.data(), sizeof words);
  return words;
}

std::uint64_t derive(const MasterKey& master, Purpose purpose, std::uint64_t input) {
  const auto key = words_of(master);
  const __u64 words[2] = {purpose, input};
  return synward_siphash(key[0], key[1], words, 2);
}

Duration wall_time(Instant now, Duration offset) { return now.time_since_epoch() + offset; }

}  // namespace

void Keyring::Candidates::add(Epoch epoch) {
  const auto known = all();
  if (count_ < epochs_.size() && std::ranges::find(known, epoch) == known.end()) {
    epochs_[count_++] = epoch;
  }
}

Keyring::Keyring(const MasterKey& master, Duration wall_offset)
    : master_(master), wall_offset_(wall_offset) {}

void Keyring::re_anchor(Duration wall_offset, Instant now) {
  old_wall_offset_ = wall_offset_;
  old_offset_until_ = now + anchor_overlap;
  wall_offset_ = wall_offset;
}

Epoch Keyring::epoch(Instant now) const {
  return static_cast<Epoch>(wall_time(now, wall_offset_) / epoch_length);
}

const synward_cookie_key& Keyring::key(Epoch epoch) {
  CachedKey& cached = cache_[epoch % cache_.size()];
  if (!cached.valid || cached.epoch != epoch) {
    cached.key = {derive(master_, epoch_key_low, epoch), derive(master_, epoch_key_high, epoch)};
    cached.epoch = epoch;
    cached.valid = true;
  }
  return cached.key;
}

Keyring::Candidates Keyring::candidates(Instant now, unsigned parity) const {
  Candidates result;
  const auto add = [&](Duration offset) {
    const Duration wall = wall_time(now, offset);
    const auto current = static_cast<Epoch>(wall / epoch_length);
    if ((current & 1) == parity) {
      result.add(current);
      return;
    }
    result.add(current - 1);
    if (wall % epoch_length >= epoch_length - next_epoch_tolerance) result.add(current + 1);
  };
  add(wall_offset_);
  if (now < old_offset_until_) add(old_wall_offset_);
  return result;
}

std::uint32_t Keyring::timestamp_clock(Instant now, const wire::Address& client,
                                       const wire::Address& service) const {
  __u64 words[5] = {pair_clock};
  std::memcpy(&words[1], client.bytes.data(), 16);
  std::memcpy(&words[3], service.bytes.data(), 16);
  const auto key = words_of(master_);
  const auto offset = static_cast<std::uint32_t>(synward_siphash(key[0], key[1], words, 5));
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  return static_cast<std::uint32_t>(milliseconds) + offset;
}

}  // namespace synward::handshake
