// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/host.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace synward {
namespace {

void add(std::vector<wire::Address>& addresses, const sockaddr* address) {
  if (address == nullptr) return;
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    std::array<std::uint8_t, 4> octets{};
    std::memcpy(octets.data(), &v4.sin_addr, 4);
    addresses.push_back(wire::Address::from_ipv4(octets));
  } else if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof v6);
    std::array<std::uint8_t, 16> octets{};
    std::memcpy(octets.data(), &v6.sin6_addr, 16);
    addresses.push_back(wire::Address::from_ipv6(octets));
  }
}

}  // namespace

std::uint32_t smallest_mtu(const std::vector<std::string>& interfaces) {
  std::uint32_t smallest = 65535;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (const std::string& name : interfaces) {
    ifreq request{};
    std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
    if (ioctl(fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0) {
      smallest = std::min(smallest, static_cast<std::uint32_t>(request.ifr_mtu));
    }
  }
  close(fd);
  return smallest;
}

std::vector<wire::Address> own_addresses() {
  std::vector<wire::Address> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return addresses;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    add(addresses, entry->ifa_addr);
    if ((entry->ifa_flags & IFF_BROADCAST) != 0) add(addresses, entry->ifa_broadaddr);
  }
  return addresses;
}

std::expected<void, std::string> check_host(const config::Settings&) { return {}; }
std::vector<std::string> host_warnings(const config::Settings&) { return {}; }
std::vector<std::string> reply_in_place_obstacles(const config::Settings&) { return {}; }

}  // namespace synward
