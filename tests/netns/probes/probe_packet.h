// SPDX-License-Identifier: GPL-2.0-or-later
//
// As much TCP/IP as queue_probe needs, on purpose not proxy/wire: the probe tests daemon/io alone.
// No extension headers, no IP options.
#pragma once
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "proxy/wire/address.h"

namespace synward::probe {

using Bytes = std::span<std::uint8_t>;

inline std::uint16_t load16(std::span<const std::uint8_t> at) {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}
inline void store16(Bytes at, std::uint32_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value & 0xff);
}

struct View {
  bool ipv6;
  Bytes header, addresses, tcp;  // addresses: source and destination
};

inline View view(Bytes packet) {
  const bool ipv6 = packet[0] >> 4 == 6;
  const std::size_t length = ipv6 ? 40 : 20;
  return {.ipv6 = ipv6,
          .header = packet.first(length),
          .addresses = ipv6 ? packet.subspan(8, 32) : packet.subspan(12, 8),
          .tcp = packet.subspan(length)};
}

inline std::uint32_t sum(std::span<const std::uint8_t> bytes, std::uint32_t start = 0) {
  std::uint64_t total = start;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) total += load16(bytes.subspan(i));
  if (bytes.size() % 2 != 0) total += static_cast<std::uint32_t>(bytes.back() << 8);
  while (total >> 16 != 0) total = (total & 0xffff) + (total >> 16);
  return static_cast<std::uint32_t>(total);
}

inline void write_checksums(const View& packet) {
  if (!packet.ipv6) {
    store16(packet.header.subspan(10), 0);
    store16(packet.header.subspan(10), ~sum(packet.header) & 0xffff);
  }
  store16(packet.tcp.subspan(16), 0);
  const auto length = static_cast<std::uint32_t>(packet.tcp.size());
  const std::uint32_t pseudo =
      sum(packet.addresses, IPPROTO_TCP + (length & 0xffff) + (length >> 16));
  store16(packet.tcp.subspan(16), ~sum(packet.tcp, pseudo) & 0xffff);
}

inline bool is_plain_tcp(Bytes packet) {
  if (packet.size() < 40) return false;
  if (packet[0] >> 4 == 6) return packet[6] == IPPROTO_TCP && packet.size() >= 60;
  return packet[9] == IPPROTO_TCP && packet[0] == 0x45 && (load16(packet.subspan(6)) & 0x3fff) == 0;
}

// Swaps addresses and ports, sets SYN|ACK: the reply in place of kernel.md.
inline bool turn_into_syn_ack(Bytes bytes) {
  if (!is_plain_tcp(bytes)) return false;
  const View packet = view(bytes);
  if ((packet.tcp[13] & 0x12) != 0x02) return false;
  const std::size_t half = packet.addresses.size() / 2;
  std::swap_ranges(packet.addresses.begin(), packet.addresses.begin() + static_cast<long>(half),
                   packet.addresses.begin() + static_cast<long>(half));
  std::swap_ranges(packet.tcp.begin(), packet.tcp.begin() + 2, packet.tcp.begin() + 2);
  std::copy_n(packet.tcp.begin() + 4, 4, packet.tcp.begin() + 8);
  for (int i = 11; i >= 8 && ++packet.tcp[static_cast<std::size_t>(i)] == 0; --i) {
  }
  std::fill_n(packet.tcp.begin() + 4, 4, 0x11);
  packet.tcp[13] = 0x12;
  packet.header[packet.ipv6 ? 7 : 8] = 64;
  write_checksums(packet);
  return true;
}

// 'a' becomes 'A' in the segment's data. The checksum of a GSO packet is left wrong on purpose.
inline void rewrite(Bytes bytes, bool gso) {
  if (!is_plain_tcp(bytes)) return;
  const View packet = view(bytes);
  const std::size_t data = std::size_t{packet.tcp[12]} / 16 * 4;
  for (auto& byte : packet.tcp.subspan(data))
    if (byte == 'a') byte = 'A';
  if (gso)
    store16(packet.tcp.subspan(16), 0xbad0);
  else
    write_checksums(packet);
}

// "id" is the identification of IPv4, or half of the flow label of IPv6: what a test numbers by.
inline std::string describe(Bytes bytes) {
  const std::uint16_t id = load16(bytes.subspan(bytes[0] >> 4 == 6 ? 2 : 4));
  if (!is_plain_tcp(bytes)) return fmt::format(R"("tcp": 0, "id": {})", id);
  const View packet = view(bytes);
  const std::size_t half = packet.addresses.size() / 2;
  const auto address = [&](Bytes at) {
    return wire::to_string(packet.ipv6 ? wire::Address::from_ipv6(at.first<16>())
                                       : wire::Address::from_ipv4(at.first<4>()));
  };
  return fmt::format(
      R"("tcp": 1, "id": {}, "src": "{}", "dst": "{}", "sport": {}, "dport": {}, "flags": {})", id,
      address(packet.addresses), address(packet.addresses.subspan(half)), load16(packet.tcp),
      load16(packet.tcp.subspan(2)), packet.tcp[13]);
}

inline std::vector<std::uint8_t> make_syn(const wire::Address& source, const wire::Endpoint& target,
                                          std::uint16_t port) {
  const bool ipv6 = !source.is_ipv4();
  std::vector<std::uint8_t> bytes((ipv6 ? 40 : 20) + 24);
  bytes[0] = ipv6 ? 0x60 : 0x45;
  if (ipv6) {
    bytes[5] = 24;
    bytes[6] = IPPROTO_TCP;
    bytes[7] = 64;
    std::ranges::copy(source.bytes, bytes.begin() + 8);
    std::ranges::copy(target.address.bytes, bytes.begin() + 24);
  } else {
    bytes[3] = 44;
    bytes[6] = 0x40;
    bytes[8] = 64;
    bytes[9] = IPPROTO_TCP;
    std::ranges::copy(source.ipv4(), bytes.begin() + 12);
    std::ranges::copy(target.address.ipv4(), bytes.begin() + 16);
  }
  const View packet = view(bytes);
  store16(packet.tcp, port);
  store16(packet.tcp.subspan(2), target.port);
  packet.tcp[12] = 0x60;
  packet.tcp[13] = 0x02;
  store16(packet.tcp.subspan(14), 64240);
  const std::uint8_t mss[] = {2, 4, 0x05, 0xb4};
  std::ranges::copy(mss, packet.tcp.begin() + 20);
  write_checksums(packet);
  return bytes;
}

}  // namespace synward::probe
