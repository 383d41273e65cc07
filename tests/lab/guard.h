// SPDX-License-Identifier: GPL-2.0-or-later
//
// A traffic generator is a weapon outside a lab. Nothing here can be switched off.
#pragma once
#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <expected>
#include <string>

namespace synward::lab {

// An IPv4 address is held as ::ffff:a.b.c.d, so that both families take the same path.
using Address = std::array<std::uint8_t, 16>;
using Mac = std::array<std::uint8_t, 6>;

struct Target {
  Address address{};
  std::uint16_t port = 0;
  bool is_ipv6 = false;
};

struct Prefix {
  Address address{};
  unsigned bits = 0;  // of 128
  bool is_ipv6 = false;
  bool contains(const Address& other) const;
  bool contains(const Prefix& other) const;
};

struct LabInterface {
  int index = 0;
  Mac own{};
  Mac gateway{};
};

std::expected<Target, std::string> parse_target(const std::string& text);  // 198.51.100.10:80
std::expected<Prefix, std::string> parse_prefix(const std::string& text);  // 198.18.0.0/15

// The interface, if and only if this process runs in a client namespace that the lab made: not the
// machine's own namespace, one that the lab registered by name, no interface in it but `lo` and
// this one, and this one a lab card by name, hardware address and addresses.
std::expected<LabInterface, std::string> require_lab(const std::string& interface);

// Nothing but the lab's backends may be a target, nothing but its spoofed ranges a source.
std::expected<void, std::string> require_lab_target(const Target& target);
std::expected<void, std::string> require_lab_traffic(const Target& target, const Prefix& sources);

}  // namespace synward::lab
