// SPDX-License-Identifier: GPL-2.0-or-later
//
// The only place, beside emit, that knows how an IPv4 and an IPv6 header look.
#pragma once
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "proxy/shared/reasons.h"
#include "proxy/wire/address.h"

namespace synward::wire {

using Reason = ::synward_reason;

inline constexpr std::size_t ipv4_header_length = 20;
inline constexpr std::size_t ipv6_header_length = 40;
// The protocols that parse_ip takes; ICMP only behind a header of its own family.
inline constexpr std::uint8_t protocol_icmp = 1;
inline constexpr std::uint8_t protocol_tcp = 6;
inline constexpr std::uint8_t protocol_icmpv6 = 58;
// RFC 8200 asks for no limit; a chain longer than this is an attack on parsers.
inline constexpr int extension_headers_max = 8;

struct IpHeader {
  Address source, destination;
  std::size_t transport_offset = 0;  // of the TCP or ICMP header
  std::size_t total_length = 0;      // of the packet, padding of the link layer excluded
  std::uint8_t protocol = protocol_tcp;
  std::uint8_t traffic_class = 0;  // IPv4: TOS. DSCP, and ECN in the low two bits
  std::uint32_t flow_label = 0;    // 20 bits; 0 of IPv4
  bool plain = true;               // no IPv4 options, no IPv6 extension headers

  bool is_ipv4() const { return source.is_ipv4(); }
};

// `bytes` starts at the IP header; `original_length` is the packet's length before the queue's
// copy range cut it. Fragments, atomic ones (RFC 6946) included, are refused: the kernel puts
// them together first, and without the whole segment its checksum cannot be verified.
std::expected<IpHeader, Reason> parse_ip(std::span<const std::uint8_t> bytes,
                                         std::size_t original_length);

// The header that an ICMP error of the same family quotes, at the start of `quote`: plain (without
// options or extension headers), of TCP, and with the segment's first bytes behind it. Its total
// length may be far more than is quoted, and its checksum is not verified: routers forget to mend
// it when they lower the TTL.
std::expected<IpHeader, Reason> parse_quoted_ip(std::span<const std::uint8_t> quote, bool ipv4);

// RFC 3168 5, the low two bits of the traffic class.
inline constexpr unsigned ecn_bits = 2;
inline constexpr std::uint8_t ecn_mask = 3;
inline constexpr std::uint8_t ecn_congestion_experienced = 3;
constexpr std::uint8_t without_ecn(std::uint8_t traffic_class) {
  return traffic_class & static_cast<std::uint8_t>(~ecn_mask);
}
inline constexpr std::uint32_t flow_label_mask = 0xfffff;
// Of an IPv6 packet; nothing sums it.
void change_flow_label(std::span<std::uint8_t> packet, std::uint32_t flipped_bits);
// Makes the packet that of a sender without ECN; an IPv4 header's checksum follows.
void clear_ecn(std::span<std::uint8_t> packet);

// Which end of a packet is being renamed.
enum class End : std::uint8_t { source, destination };
// Writes `address` into the IP header of its family at the start of `packet`; the checksum of an
// IPv4 header follows, right or wrong as it was.
void put_address(std::span<std::uint8_t> packet, End end, const Address& address);

}  // namespace synward::wire
