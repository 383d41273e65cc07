// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lab/guard.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

namespace synward::lab {
namespace {

constexpr Address kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::array<std::uint8_t, 5> kLabMac = {0x02, 0x53, 0x59, 0x4c, 0x00};
constexpr std::uint8_t kClientCard = 1;
constexpr std::uint8_t kGatewayCard = 2;

std::expected<Address, std::string> parse_address(const std::string& text, bool& is_ipv6) {
  Address address = kMappedPrefix;
  is_ipv6 = text.find(':') != std::string::npos;
  const bool parsed = is_ipv6 ? inet_pton(AF_INET6, text.c_str(), address.data()) == 1
                              : inet_pton(AF_INET, text.c_str(), address.data() + 12) == 1;
  if (!parsed) return std::unexpected("not an address: " + text);
  return address;
}

std::expected<unsigned, std::string> parse_number(const std::string& text, unsigned max) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > max)
    return std::unexpected("not a number up to " + std::to_string(max) + ": " + text);
  return value;
}

Prefix known_prefix(const char* text) {
  return *parse_prefix(text);
}

// A namespace's identity, or nothing if we may not look.
std::optional<std::pair<dev_t, ino_t>> identity(const std::string& path) {
  struct stat file{};
  if (stat(path.c_str(), &file) != 0) return std::nullopt;
  return std::pair{file.st_dev, file.st_ino};
}

// PID 1 and kthreadd live in the machine's own namespace. PID 1 may be hidden from us (it may hold
// more capabilities); without anything to compare with there is no proof and so no permission.
std::expected<void, std::string> require_other_namespace() {
  const auto own = identity("/proc/self/ns/net");
  const auto first = identity("/proc/1/ns/net");
  const auto kernel = identity("/proc/2/ns/net");
  if (!own || (!first && !kernel))
    return std::unexpected("cannot tell this from the machine's own network namespace");
  if (own == first || own == kernel)
    return std::unexpected("this is the machine's own network namespace");
  return {};
}

// The lab registers its namespaces by name: ours must be one of those, a client's.
std::expected<void, std::string> require_registered() {
  const auto own = identity("/proc/self/ns/net");
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/run/netns", error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("synlab") || !name.ends_with("-client")) continue;
    if (own && own == identity(entry.path())) return {};
  }
  return std::unexpected("this network namespace is not a client's that the lab made");
}

Address address_of(const sockaddr* from) {
  Address address = kMappedPrefix;
  if (from->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, from, sizeof v4);
    std::memcpy(address.data() + 12, &v4.sin_addr, 4);
  } else {
    sockaddr_in6 v6{};
    std::memcpy(&v6, from, sizeof v6);
    std::memcpy(address.data(), &v6.sin6_addr, 16);
  }
  return address;
}

bool is_lab_mac(const sockaddr* from) {
  sockaddr_ll link{};
  std::memcpy(&link, from, sizeof link);
  return link.sll_halen == 6 && std::equal(kLabMac.begin(), kLabMac.end(), link.sll_addr) &&
         link.sll_addr[5] == kClientCard;
}

std::expected<void, std::string> require_lab_addresses(const std::string& interface) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return std::unexpected("cannot list addresses");
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  const Prefix clients4 = known_prefix("203.0.113.0/24");
  const Prefix clients6 = known_prefix("2001:db8:1::/64");
  bool mac_seen = false;
  bool client_seen = false;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    const std::string name = entry->ifa_name;
    if (name == "lo") continue;
    if (name != interface) return std::unexpected("another interface is here: " + name);
    if (entry->ifa_addr == nullptr) continue;
    const auto family = entry->ifa_addr->sa_family;
    if (family == AF_PACKET) mac_seen = is_lab_mac(entry->ifa_addr);
    if (family != AF_INET && family != AF_INET6) continue;
    const Address address = address_of(entry->ifa_addr);
    if (!clients4.contains(address) && !clients6.contains(address))
      return std::unexpected("an address outside the lab's client ranges");
    client_seen = true;
  }
  if (!mac_seen) return std::unexpected("the hardware address is not a lab client's");
  if (!client_seen) return std::unexpected("no address of the lab's client ranges");
  return {};
}

}  // namespace

bool Prefix::contains(const Address& other) const {
  for (unsigned bit = 0; bit < bits; bit += 8) {
    const unsigned left = bits - bit;
    const auto mask = static_cast<std::uint8_t>(left >= 8 ? 0xffU : 0xff00U >> left);
    if (((address[bit / 8] ^ other[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

bool Prefix::contains(const Prefix& other) const {
  return is_ipv6 == other.is_ipv6 && other.bits >= bits && contains(other.address);
}

std::expected<Target, std::string> parse_target(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return std::unexpected("expected ADDRESS:PORT, got " + text);
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  Target target;
  const auto address = parse_address(host, target.is_ipv6);
  if (!address) return std::unexpected(address.error());
  const auto port = parse_number(text.substr(colon + 1), 65535);
  if (!port) return std::unexpected(port.error());
  target.address = *address;
  target.port = static_cast<std::uint16_t>(*port);
  return target;
}

std::expected<Prefix, std::string> parse_prefix(const std::string& text) {
  const auto slash = text.find('/');
  if (slash == std::string::npos) return std::unexpected("expected ADDRESS/BITS, got " + text);
  Prefix prefix;
  const auto address = parse_address(text.substr(0, slash), prefix.is_ipv6);
  if (!address) return std::unexpected(address.error());
  const auto bits = parse_number(text.substr(slash + 1), prefix.is_ipv6 ? 128 : 32);
  if (!bits) return std::unexpected(bits.error());
  prefix.address = *address;
  prefix.bits = prefix.is_ipv6 ? *bits : *bits + 96;
  return prefix;
}

std::expected<LabInterface, std::string> require_lab(const std::string& interface) {
  if (const auto other = require_other_namespace(); !other) return std::unexpected(other.error());
  if (const auto known = require_registered(); !known) return std::unexpected(known.error());
  if (interface != "c0") return std::unexpected("a lab client's interface is named c0");
  if (const auto lab = require_lab_addresses(interface); !lab) return std::unexpected(lab.error());
  LabInterface found;
  found.index = static_cast<int>(if_nametoindex(interface.c_str()));
  if (found.index == 0) return std::unexpected("no interface " + interface);
  std::ranges::copy(kLabMac, found.own.begin());
  found.gateway = found.own;
  found.own[5] = kClientCard;
  found.gateway[5] = kGatewayCard;
  return found;
}

std::expected<void, std::string> require_lab_target(const Target& target) {
  const Prefix backends = known_prefix(target.is_ipv6 ? "2001:db8:2::/64" : "198.51.100.0/24");
  if (!backends.contains(target.address))
    return std::unexpected("the target is not one of the lab's backends");
  return {};
}

std::expected<void, std::string> require_lab_traffic(const Target& target, const Prefix& sources) {
  const Prefix spoofed = known_prefix(target.is_ipv6 ? "2001:db8:f::/48" : "198.18.0.0/15");
  if (!spoofed.contains(sources))
    return std::unexpected("the sources are not within the lab's spoofed range");
  return require_lab_target(target);
}

}  // namespace synward::lab
