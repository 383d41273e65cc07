// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proxy/flow/flow.h"
#include "proxy/flow/prefix_counters.h"
#include "proxy/flow/zeroed_array.h"

namespace synward::handshake {

struct EarlyDataSettings {
  std::uint32_t per_connection = 16 * 1024;  // bytes
  std::uint64_t total = 64 * 1024 * 1024;    // bytes of memory, so of whole blocks
};

// S4: what clients sent before their backend answered, in order, in blocks of a fixed pool. A
// connection pays for whole blocks: else single bytes from many connections would take 2048 times
// what the bound says. Memory becomes resident when first used, and blocks given back are
// preferred.
class EarlyData {
 public:
  static constexpr std::uint32_t block_size = 2048;

  explicit EarlyData(const EarlyDataSettings& settings);

  // Other bounds, from now on; what is held stays. May allocate.
  void set_bounds(const EarlyDataSettings& settings);

  // The next bytes of the stream. False, and nothing is kept, if a bound would be exceeded.
  bool append(flow::HeldData& held, std::span<const std::uint8_t> data);
  // Bytes from `offset` on, as many as there are and fit into `out`; returns how many.
  std::size_t copy(const flow::HeldData& held, std::uint32_t offset,
                   std::span<std::uint8_t> out) const;
  // Gives the blocks back and empties `held`. No effect if it is empty.
  void release(flow::HeldData& held);

  // Blocks, and their bytes, that so many bytes of one connection take.
  static constexpr std::uint32_t blocks_of(std::uint32_t bytes) {
    return bytes / block_size + (bytes % block_size != 0 ? 1 : 0);
  }
  static constexpr std::uint64_t memory_of(std::uint32_t bytes) {
    return std::uint64_t{blocks_of(bytes)} * block_size;
  }

 private:
  using Block = std::array<std::uint8_t, block_size>;

  std::uint32_t take_block();

  std::uint32_t per_connection_;
  std::uint64_t blocks_max_;  // no more than there are in blocks_
  flow::ZeroedArray<Block> blocks_;
  flow::ZeroedArray<std::uint32_t> next_;  // within a connection, or of a block given back
  std::uint32_t free_ = flow::no_index;
  std::uint32_t touched_ = 0;  // blocks from here on were never used
  std::uint64_t blocks_used_ = 0;
};

// How much of the pool each client network (/24 or /64) holds: an estimate, as
// flow::PrefixCounters, which count blocks here: bytes of a large pool are more than a counter
// takes.
class EarlyDataShares {
 public:
  explicit EarlyDataShares(const flow::HashKey& hash_key) : blocks_(hash_key) {}

  std::uint64_t memory_of(const wire::Address& client) const {
    return std::uint64_t{blocks_.of(client)} * EarlyData::block_size;
  }
  // A connection of the client's holds `now` bytes, no longer `before`.
  void change(const wire::Address& client, std::uint32_t before, std::uint32_t now) {
    blocks_.remove(client, EarlyData::blocks_of(before));
    blocks_.add(client, EarlyData::blocks_of(now));
  }

 private:
  flow::PrefixCounters blocks_;
};

}  // namespace synward::handshake
