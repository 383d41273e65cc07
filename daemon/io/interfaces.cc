// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/interfaces.h"

#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "daemon/io/descriptor.h"
#include "proxy/wire/bytes.h"

namespace synward::io {
namespace {

struct NamesDeleter {
  void operator()(struct if_nameindex* names) const { if_freenameindex(names); }
};
struct AddressesDeleter {
  void operator()(ifaddrs* addresses) const { freeifaddrs(addresses); }
};

std::optional<wire::Address> read_address(const sockaddr* from) {
  if (from == nullptr) return std::nullopt;
  if (from->sa_family == AF_INET) {
    sockaddr_in address;
    std::memcpy(&address, from, sizeof address);
    std::array<std::uint8_t, 4> octets;
    std::memcpy(octets.data(), &address.sin_addr, octets.size());
    return wire::Address::from_ipv4(octets);
  }
  if (from->sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 address;
  std::memcpy(&address, from, sizeof address);
  return wire::Address::from_ipv6(address.sin6_addr.s6_addr);
}

// One of netdevice(7)'s questions about an interface. False without an answer.
bool ask(const std::string& name, unsigned long question, ifreq& request) {
  if (name.size() >= IFNAMSIZ) return false;
  const Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return any.valid() && ioctl(any.get(), question, &request) == 0;
}

}  // namespace

std::vector<std::string> interface_names() {
  std::vector<std::string> result;
  const std::unique_ptr<struct if_nameindex, NamesDeleter> names(if_nameindex());
  for (const auto* entry = names.get(); entry != nullptr && entry->if_index != 0; ++entry)
    result.emplace_back(entry->if_name);
  return result;
}

std::expected<std::uint32_t, int> interface_index(const std::string& name) {
  const unsigned index = if_nametoindex(name.c_str());
  if (index == 0 && errno != ENODEV && errno != ENXIO) return std::unexpected(errno);
  if (interface_with_altname(name)) return 0;
  return index;
}

std::optional<std::string> interface_with_altname(const std::string& name) {
  std::array<char, IF_NAMESIZE> real{};
  const unsigned index = if_nametoindex(name.c_str());
  if (index == 0 || if_indextoname(index, real.data()) == nullptr || name == real.data())
    return std::nullopt;
  return real.data();
}

Link interface_link(const std::string& name) {
  ifreq request{};
  if (!ask(name, SIOCGIFFLAGS, request)) return Link::unknown;
  const auto flags = static_cast<unsigned>(request.ifr_flags);
  if ((flags & IFF_UP) == 0) return Link::down;
  return (flags & IFF_RUNNING) != 0 ? Link::up : Link::no_carrier;
}

bool is_bridge(const std::string& name) {
  ethtool_drvinfo driver{};
  driver.cmd = ETHTOOL_GDRVINFO;
  ifreq request{};
  request.ifr_data = reinterpret_cast<char*>(&driver);
  return ask(name, SIOCETHTOOL, request) && std::string_view(driver.driver) == "bridge";
}

std::optional<std::uint32_t> interface_mtu(const std::string& name) {
  ifreq request{};
  if (!ask(name, SIOCGIFMTU, request)) return std::nullopt;
  return static_cast<std::uint32_t>(request.ifr_mtu);
}

std::optional<HostAddresses> read_host_addresses() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return std::nullopt;
  const std::unique_ptr<ifaddrs, AddressesDeleter> owner(list);
  HostAddresses result{.own = {}, .broadcasts = broadcasts_of(list)};
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next)
    if (const auto address = read_address(entry->ifa_addr)) result.own.push_back(*address);
  for (auto* const addresses : {&result.own, &result.broadcasts}) {
    std::ranges::sort(*addresses);
    const auto twice = std::ranges::unique(*addresses);
    addresses->erase(twice.begin(), twice.end());
  }
  return result;
}

std::vector<wire::Address> broadcasts_of(const ifaddrs* list) {
  std::vector<wire::Address> result;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    // On a link without broadcasts the same field is the other end's address.
    if ((entry->ifa_flags & IFF_BROADCAST) == 0) continue;
    auto address = read_address(entry->ifa_addr);
    const auto mask = read_address(entry->ifa_netmask);
    if (!address || !mask || !address->is_ipv4() || !mask->is_ipv4()) continue;
    const std::uint32_t host_bits = ~wire::load_be32(mask->ipv4().data());
    if (host_bits <= 1) continue;  // /32; /31 has none (RFC 3021)
    std::uint8_t* const octets = address->bytes.data() + 12;
    wire::store_be32(octets, wire::load_be32(octets) | host_bits);
    result.push_back(*address);
    if (const auto given = read_address(entry->ifa_broadaddr)) result.push_back(*given);
  }
  return result;
}

bool has_route(const wire::Address& ipv4) {
  const Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!any.valid()) return true;  // not known to have none
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9);
  std::memcpy(&address.sin_addr, ipv4.ipv4().data(), 4);
  // A datagram socket that connects only looks for its route.
  return connect(any.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
         (errno != ENETUNREACH && errno != EHOSTUNREACH);
}

}  // namespace synward::io
