// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/engine/effect.h"

namespace synward::engine {

Outbox::Outbox(std::size_t capacity_bytes, std::size_t capacity_packets) : bytes_(capacity_bytes) {
  packets_.reserve(capacity_packets);
}

bool Outbox::send(const wire::SegmentToSend& segment) {
  if (packets_.size() == packets_.capacity()) return false;
  const std::span<const std::uint8_t> packet = write(segment);
  if (packet.empty()) return false;
  packets_.push_back(packet);
  return true;
}

std::span<const std::uint8_t> Outbox::write(const wire::SegmentToSend& segment) {
  if (bytes_.size() - used_ < wire::emitted_length_max(segment)) return {};
  const std::span<std::uint8_t> room = std::span(bytes_).subspan(used_);
  const std::size_t length = wire::emit(room, segment);
  used_ += length;
  return room.first(length);
}

void Outbox::clear() {
  packets_.clear();
  used_ = 0;
}

bool Outbox::nearly_full() const {
  return used_ > bytes_.size() / 2 || packets_.size() > packets_.capacity() / 2;
}

}  // namespace synward::engine
