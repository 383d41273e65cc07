// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/nft_objects.h"

#include <gtest/gtest.h>
#include <linux/netfilter.h>

namespace synward::io {
namespace {

std::vector<wire::Endpoint> endpoints(std::initializer_list<const char*> texts) {
  std::vector<wire::Endpoint> result;
  for (const char* text : texts) result.push_back(*wire::parse_endpoint(text));
  return result;
}

TEST(NftKeys, an_endpoint_is_the_address_the_port_and_two_zeros) {
  const auto keys = endpoint_keys(endpoints({"203.0.113.10:443"}), NFPROTO_IPV4);
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys[0], (NftKey{.bytes = {203, 0, 113, 10, 1, 0xbb, 0, 0}, .length = 8}));
  const auto ipv6 = endpoint_keys(endpoints({"[2001:db8::1]:80"}), NFPROTO_IPV6);
  ASSERT_EQ(ipv6.size(), 1U);
  EXPECT_EQ(ipv6[0].length, 20U);
  EXPECT_EQ(ipv6[0].bytes[17], 80);
}

TEST(NftKeys, families_are_kept_apart_and_duplicates_removed) {
  const auto all =
      endpoints({"203.0.113.10:443", "203.0.113.10:80", "[2001:db8::1]:443", "203.0.113.10:443"});
  EXPECT_EQ(endpoint_keys(all, NFPROTO_IPV4).size(), 2U);
  EXPECT_EQ(address_keys(all, NFPROTO_IPV4).size(), 1U);
  EXPECT_EQ(address_keys(all, NFPROTO_IPV6).size(), 1U);
}

TEST(NftKeys, an_interface_is_padded_to_sixteen_bytes) {
  const auto keys = interface_keys({"eth1", "eth0", "eth1"});
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0], (NftKey{.bytes = {'e', 't', 'h', '0'}, .length = 16}));
}

TEST(NftKeys, icmp_errors_are_those_that_path_mtu_discovery_and_failover_live_on) {
  EXPECT_EQ(icmp_error_keys(NFPROTO_IPV4).size(), 3U);
  ASSERT_EQ(icmp_error_keys(NFPROTO_IPV6).size(), 4U);
  EXPECT_EQ(icmp_error_keys(NFPROTO_IPV6)[1], (NftKey{.bytes = {2}, .length = 1}));
}

}  // namespace
}  // namespace synward::io
