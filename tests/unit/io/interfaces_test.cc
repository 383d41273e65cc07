// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/interfaces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cstring>

namespace synward::io {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

sockaddr_in socket_address(const char* text) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  const wire::Address address = wire::parse_address(text).value_or(wire::Address{});
  std::memcpy(&result.sin_addr, address.ipv4().data(), 4);
  return result;
}

struct Assigned {
  const char* address;
  const char* mask;
  const char* broadcast = nullptr;
  unsigned flags = IFF_UP | IFF_BROADCAST;
};

// As getifaddrs(3) would tell it.
std::vector<std::string> broadcasts(const Assigned& assigned) {
  sockaddr_in address = socket_address(assigned.address);
  sockaddr_in mask = socket_address(assigned.mask);
  sockaddr_in other =
      socket_address(assigned.broadcast != nullptr ? assigned.broadcast : "0.0.0.0");
  ifaddrs entry{};
  entry.ifa_flags = assigned.flags;
  entry.ifa_addr = reinterpret_cast<sockaddr*>(&address);
  entry.ifa_netmask = reinterpret_cast<sockaddr*>(&mask);
  if (assigned.broadcast != nullptr) entry.ifa_broadaddr = reinterpret_cast<sockaddr*>(&other);
  std::vector<std::string> result;
  for (const wire::Address& each : broadcasts_of(&entry)) result.push_back(wire::to_string(each));
  return result;
}

TEST(BroadcastsOf, ANetworkHasOneWhetherItWasGivenOrNot) {
  EXPECT_THAT(broadcasts({"192.0.2.1", "255.255.255.128"}), ElementsAre("192.0.2.127"));
  EXPECT_THAT(broadcasts({"192.0.2.1", "255.255.255.0", "192.0.2.200"}),
              ElementsAre("192.0.2.255", "192.0.2.200"));
}

TEST(BroadcastsOf, LinksWithoutThemHaveNone) {
  EXPECT_THAT(broadcasts({"192.0.2.1", "255.255.255.255", "192.0.2.1"}), IsEmpty());
  EXPECT_THAT(broadcasts({"192.0.2.0", "255.255.255.254"}), IsEmpty());
  EXPECT_THAT(broadcasts({"192.0.2.1", "255.255.255.0", "192.0.2.2", IFF_UP | IFF_POINTOPOINT}),
              IsEmpty());
}

}  // namespace
}  // namespace synward::io
