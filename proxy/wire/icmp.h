// SPDX-License-Identifier: GPL-2.0-or-later
//
// ICMP errors about TCP segments, of both families (RFC 792, RFC 4443). They are answers of a
// router, or of the other host, to a segment: part of it comes back as a quote.
#pragma once
#include <cstdint>
#include <expected>
#include <span>

#include "proxy/wire/segment.h"

namespace synward::wire {

inline constexpr std::size_t icmp_header_length = 8;
inline constexpr std::size_t icmp_checksum_offset = 2;
// RFC 792: "the first 64 bits of the original datagram's data": ports and sequence number.
inline constexpr std::size_t quoted_tcp_min = 8;

// A checked ICMP error; `packet` is the mutable bytes that it came from.
struct IcmpError {
  std::span<std::uint8_t> packet;  // IP header to end of message, link padding cut off
  IpHeader ip;                     // the error's own
  std::uint8_t type = 0, code = 0;

  // Of the quoted segment, which went from the error's addressee to somebody else.
  Endpoint source, destination;
  SeqNumber seq;
  std::size_t quoted_tcp_offset = 0;  // in `packet`
  std::size_t quoted_tcp_length = 0;  // at least quoted_tcp_min
  std::size_t segment_length = 0;     // of the whole segment, with its header, as it is told

  std::span<std::uint8_t> message() const { return packet.subspan(ip.transport_offset); }
  // From the quoted IP header on.
  std::span<std::uint8_t> quote() const { return message().subspan(icmp_header_length); }
  // As much of the segment as is quoted. What may follow it (the padding and the extensions of
  // RFC 4884) is not part of it.
  std::span<std::uint8_t> quoted_tcp() const {
    return packet.subspan(quoted_tcp_offset, quoted_tcp_length);
  }
  // The network, the host, or what was asked of it cannot be reached. "Fragmentation needed" of
  // IPv4 shares the type, but is about the segment's length.
  bool is_unreachable() const;
};

// Reads and checks an ICMP error whose IP header is `ip`: type, lengths, checksum, and that it
// went back to where the quoted segment came from. Never reads outside `view.bytes`.
std::expected<IcmpError, Reason> parse_icmp_error(const PacketView& view, const IpHeader& ip);

}  // namespace synward::wire
