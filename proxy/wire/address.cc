// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace synward::wire {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

Address Address::from_ipv4(std::span<const std::uint8_t, 4> octets) {
  Address address;
  std::ranges::copy(mapped_prefix, address.bytes.begin());
  std::ranges::copy(octets, address.bytes.begin() + 12);
  return address;
}

Address Address::from_ipv6(std::span<const std::uint8_t, 16> octets) {
  Address address;
  std::ranges::copy(octets, address.bytes.begin());
  return address;
}

std::optional<Address> parse_address(std::string_view text) {
  // inet_pton would stop at an embedded NUL and accept what follows it.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  std::array<std::uint8_t, 4> ipv4{};
  if (inet_pton(AF_INET, terminated.c_str(), ipv4.data()) == 1) return Address::from_ipv4(ipv4);
  Address address;
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) != 1) return std::nullopt;
  if (address.is_ipv4()) return std::nullopt;
  return address;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = parse_address(host);
  const auto port = parse_port(text.substr(colon + 1));
  if (!address || !port || address->is_ipv4() == bracketed) return std::nullopt;
  return Endpoint{*address, *port};
}

std::string to_string(const Address& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.is_ipv4()) {
    inet_ntop(AF_INET, address.bytes.data() + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
  }
  return text;
}

std::string to_string(const Endpoint& endpoint) {
  const std::string host = to_string(endpoint.address);
  const std::string port = std::to_string(endpoint.port);
  return endpoint.address.is_ipv4() ? host + ":" + port : "[" + host + "]:" + port;
}

}  // namespace synward::wire
