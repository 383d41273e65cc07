// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <span>

#include "proxy/wire/segment.h"

namespace synward::wire {

// A segment of synward's own. Source and destination are of one family.
struct SegmentToSend {
  Endpoint source, destination;
  SeqNumber seq, ack;
  std::uint16_t flags = 0;
  std::uint16_t window = 0;          // as on the wire: scaled by the caller
  std::uint16_t urgent_pointer = 0;  // with URG: of this segment's own sequence number
  std::uint8_t traffic_class = 0;
  std::uint32_t flow_label = 0;  // 20 bits, written to IPv6 only
  OptionsToSend options;
  std::size_t options_length_min = 0;
  std::span<const std::uint8_t> payload;
};

// The longest headers that emit writes.
inline constexpr std::size_t emitted_headers_max =
    ipv6_header_length + tcp_header_min + tcp_options_max;

// The length that `segment` will have, IP header included, and the writer: fills the start of
// `at`, which has room for it, with a whole packet, checksums complete, DF set (RFC 1191). Returns
// the length. Hop limit 64; IPv4 identification 0, allowed for an atomic packet (RFC 6864 4.1).
std::size_t emitted_length_max(const SegmentToSend& segment);
std::size_t emit(std::span<std::uint8_t> at, const SegmentToSend& segment);

}  // namespace synward::wire
