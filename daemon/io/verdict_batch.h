// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace synward::io {

struct Verdict {
  std::uint32_t id = 0;
  bool accept = false;
  std::optional<std::uint16_t> to_queue{};  // neither accepted nor dropped: another queue decides
  std::optional<std::uint32_t> mark{};      // the packet's new mark
  std::span<const std::uint8_t> payload{};  // the packet's new bytes; empty = unchanged
};

// Verdict messages laid out for one sendmsg. Messages and short payloads are copied into one
// arena; long payloads are referenced, so a 64 KiB packet is copied by the kernel alone.
class VerdictBatch {
 public:
  static constexpr std::size_t max_payload = 65531;  // what a netlink attribute holds (16 bits)
  static constexpr std::size_t max_verdicts = 256;
  // Twice this and a message is the most that is ever pending: the socket's send buffer must
  // hold it, and the kernel allocates it in one piece.
  static constexpr std::size_t full_bytes = 128 * 1024;
  static constexpr std::size_t copied_payload = 256;  // up to here a copy beats two iovecs

  explicit VerdictBatch(std::uint16_t queue);
  // The batch must not be full() and the payload not longer than max_payload.
  void add(const Verdict& verdict);
  bool full() const { return ids_.size() == max_verdicts || bytes_ >= full_bytes; }
  bool empty() const { return ids_.empty(); }
  std::size_t bytes() const { return bytes_; }
  std::span<iovec> pieces() { return {pieces_.data(), piece_count_}; }
  std::span<const std::uint32_t> ids() const { return ids_; }
  void clear();

 private:
  static constexpr std::size_t message_room = 48;  // headers, verdict, mark, payload's header
  void append(const void* data, std::size_t length);
  void append_zeros(std::size_t length);
  void reference(std::span<const std::uint8_t> payload);

  std::uint16_t queue_;
  std::array<std::uint8_t, max_verdicts*(message_room + copied_payload)> arena_;
  std::size_t arena_used_ = 0;
  std::array<iovec, 2 * max_verdicts + 1> pieces_;
  std::size_t piece_count_ = 0;
  bool arena_open_ = false;  // the last piece is the arena's end and may grow
  std::size_t bytes_ = 0;
  std::vector<std::uint32_t> ids_;
};

}  // namespace synward::io
