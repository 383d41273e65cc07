// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/ip.h"

#include <algorithm>

#include "proxy/wire/bytes.h"
#include "proxy/wire/checksum.h"

namespace synward::wire {
namespace {

using Bytes = std::span<const std::uint8_t>;
using Result = std::expected<IpHeader, Reason>;

constexpr std::uint8_t next_hop_by_hop = 0;
constexpr std::uint8_t next_routing = 43;
constexpr std::uint8_t next_fragment = 44;
constexpr std::uint8_t next_destination_options = 60;

std::unexpected<Reason> refuse(Reason reason) {
  return std::unexpected(reason);
}

Result parse_ipv4(Bytes bytes) {
  if (bytes.size() < ipv4_header_length) return refuse(synward_reason_bad_ip_header);
  const std::size_t header_length = std::size_t{bytes[0] & 0x0fU} * 4;
  const std::size_t total_length = load_be16(&bytes[2]);
  if (header_length < ipv4_header_length || header_length > bytes.size() ||
      total_length < header_length) {
    return refuse(synward_reason_bad_ip_header);
  }
  // The kernel looks at it before its hooks run; no reason of ours shall depend on that.
  if (fold(ones_sum(bytes.first(header_length))) != 0xffff) {
    return refuse(synward_reason_bad_checksum);
  }
  constexpr std::uint16_t more_fragments_or_offset = 0x3fff;
  if ((load_be16(&bytes[6]) & more_fragments_or_offset) != 0) {
    return refuse(synward_reason_fragment);
  }
  if (bytes[9] != protocol_tcp && bytes[9] != protocol_icmp) {
    return refuse(synward_reason_bad_ip_header);
  }
  IpHeader header;
  header.source = Address::from_ipv4(bytes.subspan<12, 4>());
  header.destination = Address::from_ipv4(bytes.subspan<16, 4>());
  header.transport_offset = header_length;
  header.total_length = total_length;
  header.protocol = bytes[9];
  header.traffic_class = bytes[1];
  header.plain = header_length == ipv4_header_length;
  return header;
}

// RFC 8200 4.1. Only headers that leave the TCP checksum's addresses alone are walked: a routing
// header with segments left means another final destination than the one we see.
Result parse_ipv6(Bytes bytes) {
  if (bytes.size() < ipv6_header_length) return refuse(synward_reason_bad_ip_header);
  IpHeader header;
  header.source = Address::from_ipv6(bytes.subspan<8, 16>());
  header.destination = Address::from_ipv6(bytes.subspan<24, 16>());
  // An IPv4-mapped address is never on the wire (RFC 4038 4.2) and would pass for IPv4 here.
  if (header.source.is_ipv4() || header.destination.is_ipv4()) {
    return refuse(synward_reason_bad_ip_header);
  }
  header.total_length = ipv6_header_length + load_be16(&bytes[4]);
  header.traffic_class = static_cast<std::uint8_t>(load_be16(&bytes[0]) >> 4);
  header.flow_label = load_be32(&bytes[0]) & flow_label_mask;
  std::uint8_t next = bytes[6];
  std::size_t offset = ipv6_header_length;
  for (int walked = 0; next != protocol_tcp && next != protocol_icmpv6; ++walked) {
    if (next == next_fragment) return refuse(synward_reason_fragment);
    const bool known =
        next == next_hop_by_hop || next == next_routing || next == next_destination_options;
    if (!known || walked == extension_headers_max || bytes.size() < offset + 8) {
      return refuse(synward_reason_bad_extension_header);
    }
    const bool segments_left = next == next_routing && bytes[offset + 3] != 0;
    const bool hop_by_hop_misplaced = next == next_hop_by_hop && walked != 0;
    if (segments_left || hop_by_hop_misplaced) return refuse(synward_reason_bad_extension_header);
    next = bytes[offset];
    offset += (std::size_t{bytes[offset + 1]} + 1) * 8;
    header.plain = false;
  }
  if (offset > bytes.size() || offset > header.total_length) {
    return refuse(synward_reason_bad_extension_header);
  }
  header.transport_offset = offset;
  header.protocol = next;
  return header;
}

Result parse_quoted_ipv4(Bytes quote) {
  constexpr std::uint8_t version_4_without_options = 0x45;
  constexpr std::uint16_t fragment_offset = 0x1fff;
  if (quote.size() < ipv4_header_length || quote[0] != version_4_without_options ||
      quote[9] != protocol_tcp || (load_be16(&quote[6]) & fragment_offset) != 0) {
    return refuse(synward_reason_bad_icmp);
  }
  IpHeader header;
  header.source = Address::from_ipv4(quote.subspan<12, 4>());
  header.destination = Address::from_ipv4(quote.subspan<16, 4>());
  header.transport_offset = ipv4_header_length;
  header.total_length = load_be16(&quote[2]);
  return header;
}

Result parse_quoted_ipv6(Bytes quote) {
  if (quote.size() < ipv6_header_length || quote[0] >> 4 != 6 || quote[6] != protocol_tcp) {
    return refuse(synward_reason_bad_icmp);
  }
  IpHeader header;
  header.source = Address::from_ipv6(quote.subspan<8, 16>());
  header.destination = Address::from_ipv6(quote.subspan<24, 16>());
  if (header.source.is_ipv4() || header.destination.is_ipv4()) {
    return refuse(synward_reason_bad_icmp);
  }
  header.transport_offset = ipv6_header_length;
  header.total_length = ipv6_header_length + load_be16(&quote[4]);
  return header;
}

}  // namespace

Result parse_ip(Bytes bytes, std::size_t original_length) {
  if (bytes.empty()) return refuse(synward_reason_bad_ip_header);
  const int version = bytes[0] >> 4;
  if (version != 4 && version != 6) return refuse(synward_reason_bad_ip_header);
  const Result header = version == 4 ? parse_ipv4(bytes) : parse_ipv6(bytes);
  if (!header) return header;
  if (header->total_length > bytes.size()) {
    return refuse(original_length > bytes.size() ? synward_reason_truncated_by_queue
                                                 : synward_reason_bad_ip_header);
  }
  return header;
}

Result parse_quoted_ip(Bytes quote, bool ipv4) {
  return ipv4 ? parse_quoted_ipv4(quote) : parse_quoted_ipv6(quote);
}

void change_flow_label(std::span<std::uint8_t> packet, std::uint32_t flipped_bits) {
  store_be32(&packet[0], load_be32(&packet[0]) ^ (flipped_bits & flow_label_mask));
}

void clear_ecn(std::span<std::uint8_t> packet) {
  if (packet[0] >> 4 == 6) {  // the traffic class lies across two bytes
    packet[1] &= static_cast<std::uint8_t>(~(ecn_mask << 4));
    return;
  }
  ChecksumPatch header(packet.first(ipv4_header_length));
  const std::uint8_t traffic_class[] = {static_cast<std::uint8_t>(packet[1] & ~ecn_mask)};
  header.put_bytes(1, traffic_class);
  header.apply(10);
}

void put_address(std::span<std::uint8_t> packet, End end, const Address& address) {
  if (address.is_ipv4()) {
    ChecksumPatch header(packet.first(ipv4_header_length));
    header.put_bytes(end == End::source ? 12 : 16, address.ipv4());
    header.apply(10);
  } else {
    std::ranges::copy(address.bytes, packet.begin() + (end == End::source ? 8 : 24));
  }
}

}  // namespace synward::wire
