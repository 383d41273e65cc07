// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/emit.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "proxy/wire/bytes.h"
#include "proxy/wire/checksum.h"

namespace synward::wire {
namespace {

constexpr std::uint8_t hop_limit = 64;
constexpr std::uint8_t protocol_tcp = 6;
constexpr std::uint16_t dont_fragment = 0x4000;

void write_ipv4(std::span<std::uint8_t> at, const SegmentToSend& segment, std::size_t length) {
  std::memset(at.data(), 0, ipv4_header_length);
  at[0] = 0x45;
  at[1] = segment.traffic_class;
  store_be16(&at[2], static_cast<std::uint16_t>(length));
  store_be16(&at[6], dont_fragment);
  at[8] = hop_limit;
  at[9] = protocol_tcp;
  std::ranges::copy(segment.source.address.ipv4(), &at[12]);
  std::ranges::copy(segment.destination.address.ipv4(), &at[16]);
  store_be16(&at[10], static_cast<std::uint16_t>(~fold(ones_sum(at.first(ipv4_header_length)))));
}

void write_ipv6(std::span<std::uint8_t> at, const SegmentToSend& segment, std::size_t length) {
  std::memset(at.data(), 0, ipv6_header_length);
  store_be32(&at[0], 6U << 28 | std::uint32_t{segment.traffic_class} << 20 | segment.flow_label);
  store_be16(&at[4], static_cast<std::uint16_t>(length - ipv6_header_length));
  at[6] = protocol_tcp;
  at[7] = hop_limit;
  std::ranges::copy(segment.source.address.bytes, &at[8]);
  std::ranges::copy(segment.destination.address.bytes, &at[24]);
}

}  // namespace

std::size_t emitted_length_max(const SegmentToSend& segment) {
  return emitted_headers_max + segment.payload.size();
}

std::size_t emit(std::span<std::uint8_t> at, const SegmentToSend& segment) {
  const bool ipv4 = segment.source.address.is_ipv4();
  assert(ipv4 == segment.destination.address.is_ipv4());
  std::array<std::uint8_t, tcp_options_max> options{};
  const std::size_t options_length =
      write_tcp_options(options, segment.options, segment.options_length_min);
  const std::size_t ip_length = ipv4 ? ipv4_header_length : ipv6_header_length;
  const std::size_t header_length = tcp_header_min + options_length;
  const std::size_t length = ip_length + header_length + segment.payload.size();
  assert(length <= at.size());

  const std::span<std::uint8_t> tcp = at.subspan(ip_length, length - ip_length);
  // First, and with memmove: a reply in place may carry bytes of the packet that it overwrites.
  if (!segment.payload.empty()) {
    std::memmove(&tcp[header_length], segment.payload.data(), segment.payload.size());
  }
  store_be16(&tcp[0], segment.source.port);
  store_be16(&tcp[2], segment.destination.port);
  store_be32(&tcp[tcp_seq_offset], segment.seq.value());
  store_be32(&tcp[tcp_ack_offset], segment.ack.value());
  store_be16(&tcp[12],
             static_cast<std::uint16_t>((header_length / 4) << 12 | (segment.flags & 0x1ff)));
  store_be16(&tcp[tcp_window_offset], segment.window);
  store_be16(&tcp[tcp_checksum_offset], 0);
  store_be16(&tcp[tcp_urgent_offset], segment.urgent_pointer);
  std::copy_n(options.begin(), options_length, tcp.begin() + tcp_header_min);
  store_be16(&tcp[tcp_checksum_offset],
             tcp_checksum(segment.source.address, segment.destination.address, tcp));
  ipv4 ? write_ipv4(at, segment, length) : write_ipv6(at, segment, length);
  return length;
}

}  // namespace synward::wire
