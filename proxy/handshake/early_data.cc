// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/handshake/early_data.h"

#include <algorithm>
#include <cassert>

namespace synward::handshake {

EarlyData::EarlyData(const EarlyDataSettings& settings)
    : per_connection_(settings.per_connection),
      blocks_max_(settings.total / block_size),
      blocks_(settings.total / block_size),
      next_(blocks_.size()) {
  assert(blocks_.size() < flow::no_index);
}

void EarlyData::set_bounds(const EarlyDataSettings& settings) {
  const std::size_t blocks_max = settings.total / block_size;
  if (blocks_max > blocks_.size()) {
    flow::ZeroedArray<Block> blocks(blocks_max);
    flow::ZeroedArray<std::uint32_t> next(blocks_max);
    std::copy_n(blocks_.data(), touched_, blocks.data());
    std::copy_n(next_.data(), touched_, next.data());
    blocks_ = std::move(blocks);
    next_ = std::move(next);
  }
  per_connection_ = settings.per_connection;
  blocks_max_ = blocks_max;
}

bool EarlyData::append(flow::HeldData& held, std::span<const std::uint8_t> data) {
  if (data.size() > per_connection_ || held.bytes > per_connection_ - data.size()) return false;
  const auto bytes = held.bytes + static_cast<std::uint32_t>(data.size());
  const std::uint32_t blocks_needed = blocks_of(bytes) - blocks_of(held.bytes);
  if (blocks_needed > blocks_max_ - std::min(blocks_used_, blocks_max_)) return false;

  while (!data.empty()) {
    const std::size_t at = held.bytes % block_size;
    if (at == 0) {
      const std::uint32_t block = take_block();
      (held.bytes == 0 ? held.first : next_[held.last]) = block;
      held.last = block;
    }
    const std::size_t count = std::min(data.size(), block_size - at);
    std::ranges::copy(data.first(count), blocks_[held.last].data() + at);
    data = data.subspan(count);
    held.bytes += static_cast<std::uint32_t>(count);
  }
  return true;
}

std::size_t EarlyData::copy(const flow::HeldData& held, std::uint32_t offset,
                            std::span<std::uint8_t> out) const {
  if (offset >= held.bytes) return 0;
  const std::size_t length = std::min<std::size_t>(out.size(), held.bytes - offset);
  std::uint32_t block = held.first;
  for (std::uint32_t skip = offset / block_size; skip > 0; --skip) block = next_[block];

  std::size_t at = offset % block_size;
  for (std::size_t done = 0; done < length;) {
    const std::size_t count = std::min(length - done, block_size - at);
    std::copy_n(blocks_[block].data() + at, count, out.data() + done);
    done += count;
    at = 0;
    if (done < length) block = next_[block];
  }
  return length;
}

void EarlyData::release(flow::HeldData& held) {
  if (held.bytes == 0) return;
  next_[held.last] = free_;
  free_ = held.first;
  blocks_used_ -= blocks_of(held.bytes);
  held = flow::HeldData{};
}

// The caller has checked that one is left.
std::uint32_t EarlyData::take_block() {
  ++blocks_used_;
  if (free_ == flow::no_index) return touched_++;
  const std::uint32_t block = free_;
  free_ = next_[block];
  return block;
}

}  // namespace synward::handshake
