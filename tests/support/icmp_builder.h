// SPDX-License-Identifier: GPL-2.0-or-later
//
// ICMP errors for tests: about any packet, from anybody, summed here byte by byte.
#pragma once
#include "proxy/wire/icmp.h"
#include "tests/support/packet_builder.h"

namespace synward::test {

// 0 if the message's checksum is right.
inline std::uint16_t plain_icmp_checksum(std::span<const std::uint8_t> packet, std::size_t offset) {
  const std::span<const std::uint8_t> message = packet.subspan(offset);
  if (packet[0] >> 4 == 4) return plain_checksum(message);
  return plain_checksum(concatenated(packet.subspan(8, 32), message),
                        static_cast<std::uint32_t>(58 + message.size()));
}

struct IcmpBuilder {
  Bytes about;         // the quoted packet, whole
  wire::Address from;  // a router, or the other end
  std::uint8_t type = 3, code = 4;
  std::uint16_t mtu = 1280;
  std::size_t quoted = 548;  // at most so many bytes of it: a v4 error has 576 (RFC 1812 4.3.2.3)

  // "Too big" about `packet`, in its own family, from a router.
  static IcmpBuilder too_big(Bytes packet) {
    const bool ipv4 = packet[0] >> 4 == 4;
    return {.about = std::move(packet),
            .from = must(wire::parse_address(ipv4 ? "10.1.1.1" : "fd00:1::1")),
            .type = static_cast<std::uint8_t>(ipv4 ? 3 : 2),
            .code = static_cast<std::uint8_t>(ipv4 ? 4 : 0)};
  }
  static IcmpBuilder unreachable(Bytes packet) {
    IcmpBuilder builder = too_big(std::move(packet));
    const bool ipv4 = builder.from.is_ipv4();
    builder.type = ipv4 ? 3 : 1;
    builder.code = ipv4 ? 1 : 3;  // the host, the address
    return builder;
  }

  static std::size_t message_offset(std::span<const std::uint8_t> packet) {
    return packet[0] >> 4 == 4 ? 20 : 40;
  }

  Bytes build() const {
    const bool ipv4 = from.is_ipv4();
    const Bytes quote(about.begin(),
                      about.begin() + static_cast<std::ptrdiff_t>(std::min(quoted, about.size())));
    const std::size_t offset = ipv4 ? 20 : 40;
    Bytes packet(offset + 8);
    packet.insert(packet.end(), quote.begin(), quote.end());
    if (ipv4) {
      packet[0] = 0x45;
      wire::store_be16(&packet[2], static_cast<std::uint16_t>(packet.size()));
      packet[8] = 64;
      packet[9] = 1;
      std::ranges::copy(from.ipv4(), &packet[12]);
      std::copy_n(&about[12], 4, &packet[16]);
      wire::store_be16(&packet[10], plain_checksum(std::span(packet).first(20)));
    } else {
      packet[0] = 0x60;
      wire::store_be16(&packet[4], static_cast<std::uint16_t>(packet.size() - 40));
      packet[6] = 58;
      packet[7] = 64;
      std::ranges::copy(from.bytes, &packet[8]);
      std::copy_n(&about[8], 16, &packet[24]);
    }
    packet[offset] = type;
    packet[offset + 1] = code;
    wire::store_be16(&packet[offset + 6], mtu);
    sum_icmp(packet);
    return packet;
  }

  static void sum_icmp(Bytes& packet) {
    const std::size_t offset = message_offset(packet);
    wire::store_be16(&packet[offset + 2], 0);
    wire::store_be16(&packet[offset + 2], plain_icmp_checksum(packet, offset));
  }
};

inline std::expected<wire::IcmpError, wire::Reason> parse_error(
    Bytes& packet, wire::ChecksumState checksum = wire::ChecksumState::unverified) {
  const wire::PacketView view{
      .bytes = packet, .original_length = packet.size(), .checksum = checksum};
  const auto ip = wire::parse_ip(view.bytes, view.original_length);
  if (!ip) return std::unexpected(ip.error());
  return wire::parse_icmp_error(view, *ip);
}

}  // namespace synward::test
