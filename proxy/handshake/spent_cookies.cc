// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/handshake/spent_cookies.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <cstring>

#include "proxy/shared/siphash.h"

namespace synward::handshake {
namespace {

using Bucket = SpentCookies::Bucket;

std::uint32_t seconds_of(Instant at) {
  const auto whole = std::chrono::ceil<std::chrono::seconds>(at.time_since_epoch());
  return static_cast<std::uint32_t>(whole.count());
}

// Plain numbers in the memory, since it may be a file; every access to them is atomic.
template <class Number>
Number load(Number& place) {
  return std::atomic_ref(place).load(std::memory_order_relaxed);
}

struct Slot {
  Bucket* bucket = nullptr;
  std::size_t index = 0;
  std::uint32_t until = 0;
};

// The slot that expires first, and how many of the bucket are taken at `present`.
struct Look {
  Slot soonest;
  unsigned taken = 0;
};

Look look(Bucket& bucket, std::uint32_t present) {
  Look result{.soonest = {&bucket, 0, load(bucket.until[0])}};
  for (std::size_t i = 0; i < SpentCookies::bucket_slots; ++i) {
    const std::uint32_t until = load(bucket.until[i]);
    if (until > present) ++result.taken;
    if (until < result.soonest.until) result.soonest = {&bucket, i, until};
  }
  return result;
}

}  // namespace

std::size_t SpentCookies::buckets_for(std::uint64_t cookies) {
  return std::bit_ceil(std::max<std::uint64_t>(cookies / bucket_slots, 1));
}

SpentCookies::SpentCookies(std::span<Bucket> memory, const flow::HashKey& key)
    : buckets_(memory), hash_key_(key) {
  assert(std::has_single_bit(memory.size()));
}

std::uint64_t SpentCookies::fingerprint(const CookieUse& use) const {
  std::array<__u64, 6> words{};
  std::memcpy(words.data(), use.client.address.bytes.data(), 16);
  std::memcpy(words.data() + 2, use.service.address.bytes.data(), 16);
  words[4] = __u64{use.client.port} << 16 | use.service.port;
  words[5] = __u64{use.client_isn.value()} << 32 | use.cookie.value();
  return synward_siphash(hash_key_[0], hash_key_[1], words.data(), words.size());
}

std::array<Bucket*, 2> SpentCookies::buckets_of(std::uint64_t fingerprint) const {
  const std::size_t mask = buckets_.size() - 1;
  return {&buckets_[fingerprint & mask], &buckets_[fingerprint >> 32 & mask]};
}

// Who moves `until` on has the slot: a thread that chose the same one finds it changed, and looks
// again. Until the fingerprint follows, the old one, which has expired, stands for longer.
bool SpentCookies::add(std::uint64_t fingerprint, std::uint32_t until, std::uint32_t present) {
  const auto [first, second] = buckets_of(fingerprint);
  for (;;) {
    const Look one = look(*first, present);
    const Look other = look(*second, present);
    Slot slot = (other.taken < one.taken ? other : one).soonest;
    if (slot.until > present && other.soonest.until < slot.until) slot = other.soonest;
    const std::atomic_ref claimed(slot.bucket->until[slot.index]);
    std::uint32_t expected = slot.until;
    if (!claimed.compare_exchange_strong(expected, until, std::memory_order_relaxed)) continue;
    std::atomic_ref(slot.bucket->fingerprints[slot.index])
        .store(fingerprint, std::memory_order_relaxed);
    return slot.until <= present;
  }
}

bool SpentCookies::add(const CookieUse& use, Instant until, Instant now) {
  return add(fingerprint(use), seconds_of(until), seconds_of(now));
}

void SpentCookies::discard_after(std::span<Bucket> memory, Instant latest) {
  const std::uint32_t last = seconds_of(latest);
  for (Bucket& bucket : memory) {
    for (std::uint32_t& until : bucket.until) {
      if (until > last) until = 0;
    }
  }
}

void SpentCookies::take_over(std::span<const Bucket> other, Instant now) {
  const std::uint32_t present = seconds_of(now);
  for (const Bucket& bucket : other) {
    for (std::size_t i = 0; i < bucket_slots; ++i) {
      if (bucket.until[i] > present) add(bucket.fingerprints[i], bucket.until[i], present);
    }
  }
}

bool SpentCookies::contains(const CookieUse& use, Instant now) const {
  const std::uint64_t mine = fingerprint(use);
  const std::uint32_t present = seconds_of(now);
  for (Bucket* const bucket : buckets_of(mine)) {
    for (std::size_t i = 0; i < bucket_slots; ++i) {
      if (load(bucket->fingerprints[i]) == mine && load(bucket->until[i]) > present) return true;
    }
  }
  return false;
}

}  // namespace synward::handshake
