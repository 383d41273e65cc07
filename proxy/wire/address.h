// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace synward::wire {

// An IP address of either family: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d (RFC 4291
// 2.5.5.2). Everything above wire/ip works on this type alone, so IPv6 runs the lines of IPv4.
struct Address {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const Address&) const = default;
  // Two words, not a call of memcmp: every table look-up of every packet compares addresses.
  bool operator==(const Address& other) const {
    std::uint64_t mine[2];
    std::uint64_t theirs[2];
    std::memcpy(mine, bytes.data(), sizeof mine);
    std::memcpy(theirs, other.bytes.data(), sizeof theirs);
    return mine[0] == theirs[0] && mine[1] == theirs[1];
  }
  bool is_ipv4() const {
    constexpr std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::memcmp(bytes.data(), mapped, sizeof mapped) == 0;
  }
  // The last four bytes; only meaningful if is_ipv4().
  std::span<const std::uint8_t, 4> ipv4() const {
    return std::span<const std::uint8_t, 4>(bytes.data() + 12, 4);
  }
  static Address from_ipv4(std::span<const std::uint8_t, 4> octets);
  static Address from_ipv6(std::span<const std::uint8_t, 16> octets);
};

// An address and a TCP port (host byte order).
struct Endpoint {
  Address address;
  std::uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
};

// Numeric addresses only: "203.0.113.10", "2001:db8::1". An IPv4-mapped IPv6 text is refused.
std::optional<Address> parse_address(std::string_view text);
// "203.0.113.10:443" or "[2001:db8::1]:443"; the port is decimal 1..65535.
std::optional<Endpoint> parse_endpoint(std::string_view text);
std::string to_string(const Address& address);
std::string to_string(const Endpoint& endpoint);

}  // namespace synward::wire
