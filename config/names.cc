// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/problem.h"
#include "config/ranges.h"
#include "config/suggest.h"

namespace synward::config {
namespace {

using std::unexpected;

constexpr std::size_t interface_name_bytes_max = 15;  // IFNAMSIZ - 1
constexpr std::size_t service_name_bytes_max = 64;
constexpr std::string_view weight_option = " weight=";

constexpr std::array<Word<WhenDown>, 2> when_down_table{
    {{"drop", WhenDown::drop}, {"reset", WhenDown::reset}}};
constexpr std::array<Word<SpliceEngine>, 3> engine_table{{{"auto", SpliceEngine::automatic},
                                                          {"userspace", SpliceEngine::userspace},
                                                          {"kernel", SpliceEngine::kernel, false}}};
constexpr std::array<Word<UnknownSegments>, 2> unknown_segments_table{
    {{"drop", UnknownSegments::drop}, {"reset", UnknownSegments::reset}}};
constexpr std::array<Word<ShieldMode>, 4> shield_mode_table{{{"auto", ShieldMode::automatic},
                                                             {"off", ShieldMode::off},
                                                             {"xdp", ShieldMode::xdp, false},
                                                             {"tc", ShieldMode::tc, false}}};
constexpr std::array<Word<OnPressure>, 2> on_pressure_table{
    {{"drop", OnPressure::drop}, {"pass", OnPressure::pass, false}}};
// The guard rule that `drop` leaves behind is not built yet.
constexpr std::array<Word<OnPressure>, 2> on_exit_table{
    {{"drop", OnPressure::drop, false}, {"pass", OnPressure::pass}}};

bool is_label_character(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         (character >= '0' && character <= '9') || character == '_' || character == '.' ||
         character == '-';
}

// 203.0.113.0/24, [2001:db8::/32]:443 and what else looks like it.
bool is_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == text.npos) return false;
  std::string_view address = text.substr(0, slash);
  if (address.starts_with('[')) address.remove_prefix(1);
  if (address.ends_with(']')) address.remove_suffix(1);
  return wire::parse_address(address).has_value();
}

// All is well but for a number that is no port.
bool has_wrong_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos || !is_decimal(text.substr(colon + 1))) return false;
  const std::string with_good_port = fmt::format("{}:1", text.substr(0, colon));
  return wire::parse_endpoint(with_good_port).has_value();
}

std::string endpoint_error(std::string_view text) {
  if (has_wrong_port(text)) {
    return fmt::format("the port of {} is out of range; the range is 1 to 65535", quoted(text));
  }
  if (is_network(text)) {
    return fmt::format("{} is a network; each address is written out, with a port", quoted(text));
  }
  return fmt::format(
      "{} is not a numeric ADDRESS:PORT such as 203.0.113.10:443 or [2001:db8::10]:443",
      quoted(text));
}

// Why nobody can connect to the address; empty if one can.
std::string_view unusable(const wire::Address& address) {
  if (!address.is_ipv4()) {
    if (address.bytes[0] == 0xff) return "a multicast address";
    return address == wire::Address{} ? "the unspecified address" : "";
  }
  const auto octets = address.ipv4();
  if (octets[0] == 0) return "an unspecified address";  // 0/8, RFC 1122 section 3.2.1.3
  if (octets[0] >= 224 && octets[0] < 240) return "a multicast address";
  const bool broadcast = std::ranges::all_of(octets, [](auto octet) { return octet == 255; });
  return broadcast ? "the broadcast address" : "";
}

bool is_loopback(const wire::Address& address) {
  constexpr wire::Address ipv6_loopback{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  return address.is_ipv4() ? address.ipv4()[0] == 127 : address == ipv6_loopback;
}

// What was meant by an IPv6 address without its brackets.
std::optional<std::string> with_brackets(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  std::string bracketed = fmt::format("[{}]{}", text.substr(0, colon), text.substr(colon));
  const auto endpoint = wire::parse_endpoint(bracketed);
  if (!endpoint || !unusable(endpoint->address).empty()) return std::nullopt;
  return bracketed;
}

}  // namespace

constinit const OneOf<WhenDown> when_down_words{when_down_table};
constinit const OneOf<SpliceEngine> engine_words{engine_table};
constinit const OneOf<UnknownSegments> unknown_segments_words{unknown_segments_table};
constinit const OneOf<ShieldMode> shield_mode_words{shield_mode_table};
constinit const OneOf<OnPressure> on_pressure_words{on_pressure_table};
constinit const OneOf<OnPressure> on_exit_words{on_exit_table};

Parsed<std::string> parse_interface_name(std::string_view text) {
  if (text.empty() || text.size() > interface_name_bytes_max) {
    return unexpected(fmt::format("{} is not an interface name of 1 to {} characters", quoted(text),
                                  interface_name_bytes_max));
  }
  // What the kernel refuses (dev_valid_name), and the wildcard other tools would read here.
  if (text == "." || text == ".." || text.find_first_of("/:* ") != text.npos) {
    return unexpected(fmt::format(
        "{} is not an interface name; '/', ':', '*' and spaces cannot be in one", quoted(text)));
  }
  return std::string(text);
}

Parsed<std::string> parse_service_name(std::string_view text) {
  if (text == "none") {
    return unexpected("'none' is reserved; it labels metrics that belong to no service");
  }
  const bool length_fits = !text.empty() && text.size() <= service_name_bytes_max;
  if (!length_fits || !std::ranges::all_of(text, is_label_character)) {
    return unexpected(fmt::format("{} is not 1 to {} of the characters A-Z a-z 0-9 _ . -",
                                  quoted(text), service_name_bytes_max));
  }
  return std::string(text);
}

Parsed<std::string> AbsolutePath::operator()(std::string_view text) const {
  if (!text.starts_with('/') || text.ends_with('/')) {
    return unexpected(fmt::format("{} is not the absolute path of a file", quoted(text)));
  }
  if (text.size() > bytes_max) {
    return unexpected(fmt::format("a path of {} bytes is too long; the range is 2 to {}",
                                  text.size(), bytes_max));
  }
  return std::string(text);
}

Parsed<wire::Endpoint> parse_unicast_endpoint(std::string_view text) {
  const auto endpoint = wire::parse_endpoint(text);
  if (!endpoint) return unexpected(endpoint_error(text) + did_you_mean(with_brackets(text)));
  const std::string_view reason = unusable(endpoint->address);
  if (reason.empty()) return *endpoint;
  return unexpected(fmt::format("{} is {}; nobody can connect to it", quoted(text), reason));
}

// Of what is on loopback, no packet comes in by an interface.
Parsed<wire::Endpoint> parse_reachable_endpoint(std::string_view text) {
  const auto endpoint = parse_unicast_endpoint(text);
  if (!endpoint || !is_loopback(endpoint->address)) return endpoint;
  return unexpected(
      fmt::format("{} is a loopback address; nobody can connect to it from another machine: name "
                  "an address of the network",
                  quoted(text)));
}

Parsed<Backend> parse_backend(std::string_view text) {
  Backend backend;
  const std::size_t blank = text.find(' ');
  if (blank != std::string_view::npos) {
    const std::string_view option = text.substr(blank);
    if (option == " drain") return unexpected(unavailable(option.substr(1)));
    if (!option.starts_with(weight_option)) {
      return unexpected(
          fmt::format("{} is neither ADDRESS:PORT nor ADDRESS:PORT weight=N", quoted(text)));
    }
    const auto weight = range::backend_weight(option.substr(weight_option.size()));
    if (!weight) return unexpected(fmt::format("weight {}", weight.error()));
    backend.weight = *weight;
  }
  const auto endpoint = parse_reachable_endpoint(text.substr(0, blank));
  if (!endpoint) return unexpected(endpoint.error());
  backend.endpoint = *endpoint;
  return backend;
}

Parsed<bool> parse_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = wire::parse_address(text.substr(0, slash));
  if (!address || slash == text.npos) {
    return unexpected(
        fmt::format("{} is not a network such as 203.0.113.0/24 or 2001:db8::/32", quoted(text)));
  }
  const auto bits = NumberIn{0, address->is_ipv4() ? 32U : 128U}(text.substr(slash + 1));
  if (!bits) return unexpected(fmt::format("the length of {}: {}", quoted(text), bits.error()));
  return true;
}

std::string format_backend(const Backend& backend) {
  std::string text = wire::to_string(backend.endpoint);
  if (backend.weight != 1) text += fmt::format("{}{}", weight_option, backend.weight);
  return text;
}

Parsed<wire::Endpoint> parse_metrics_endpoint(std::string_view text) {
  const auto endpoint = wire::parse_endpoint(text);
  if (!endpoint) return unexpected(endpoint_error(text));
  if (!endpoint->address.is_ipv4()) {
    return unexpected(fmt::format("{} is IPv6, which the HTTP server of Debian 12 lacks; use IPv4",
                                  quoted(text)));
  }
  const auto octets = endpoint->address.ipv4();
  const bool any = std::ranges::all_of(octets, [](auto octet) { return octet == 0; });
  const std::string_view reason = any ? "" : unusable(endpoint->address);
  if (reason.empty()) return *endpoint;
  return unexpected(fmt::format("{} is {}; nobody can connect to it", quoted(text), reason));
}

std::string unavailable(std::string_view text) {
  return fmt::format("{} is not in this version", quoted(text));
}

std::string not_one_of(std::string_view text, std::span<const std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) list.append(list.empty() ? "" : ", ").append(name);
  return fmt::format("{} is not one of {}{}", quoted(text), list,
                     did_you_mean(nearest(text, names)));
}

}  // namespace synward::config
