// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/engine/effect.h"

namespace synward::engine {

Outbox::Outbox(std::size_t capacity_bytes, std::size_t capacity_packets) : bytes_(capacity_bytes) {
  packets_.reserve(capacity_packets);
}

bool Outbox::send(const wire::SegmentToSend& segment) {
  if (packets_.size() == packets_.capacity() ||
      bytes_.size() - used_ < wire::emitted_length_max(segment)) {
    return false;
  }
  const std::span<std::uint8_t> room = std::span(bytes_).subspan(used_);
  const std::size_t length = wire::emit(room, segment);
  packets_.push_back(room.first(length));
  used_ += length;
  return true;
}

void Outbox::clear() {
  packets_.clear();
  used_ = 0;
}

bool Outbox::nearly_full() const {
  return used_ > bytes_.size() / 2 || packets_.size() > packets_.capacity() / 2;
}

}  // namespace synward::engine
