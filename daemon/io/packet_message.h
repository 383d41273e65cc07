// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <span>

namespace synward::io {

// One packet as the kernel delivered it. `bytes` is writable, starts at the IP header, and stays
// valid until the next receive() of the same queue.
struct QueuedPacket {
  std::uint32_t id = 0;
  std::span<std::uint8_t> bytes;
  // > bytes.size() if the copy range cut it, or if the packet has 65532 bytes or more: an
  // attribute holds 65531. Such a packet cannot be replaced, only accepted, dropped or handed over.
  std::uint32_t original_length = 0;
  std::uint32_t in_interface = 0;  // ifindex
  std::uint32_t mark = 0;
  bool checksum_partial = false;     // NFQA_SKB_CSUMNOTREADY: to be completed, not wrong
  bool checksum_unverified = false;  // NFQA_SKB_CSUM_NOTVERIFIED: nobody checked it yet
  bool gso = false;                  // NFQA_SKB_GSO: segmented on its way out
};

enum class MessageKind {
  packet,
  error,  // the kernel refused a request of ours (NLMSG_ERROR with an error)
  other,  // an acknowledgement, or nothing we know
};

struct ParsedMessage {
  MessageKind kind = MessageKind::other;
  QueuedPacket packet;         // kind == packet
  int error = 0;               // kind == error: errno
  std::uint32_t sequence = 0;  // of the request that an error or acknowledgement answers
};

// Reads a datagram of a queue's socket: the kernel puts exactly one message in each. Attributes
// that do not fit in `datagram` end the walk.
ParsedMessage parse_message(std::span<std::uint8_t> datagram);

}  // namespace synward::io
