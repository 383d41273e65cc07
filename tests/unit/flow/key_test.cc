// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flow/key.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/flow/support.h"

namespace synward::flow {
namespace {

wire::Address address(const char* text) {
  return wire::parse_address(text).value_or(wire::Address{});
}

TEST(SourcePrefix, is_24_bits_of_ipv4_and_64_of_ipv6) {
  EXPECT_EQ(source_prefix(address("198.51.100.7")), address("198.51.100.0"));
  EXPECT_EQ(source_prefix(address("2001:db8:1:2:3:4:5:6")), address("2001:db8:1:2::"));
}

// ::/64 holds no ordinary address, yet the mapped IPv4 ones lie in it.
TEST(SourcePrefix, of_ipv4_does_not_fall_together_in_one_ipv6_prefix) {
  EXPECT_NE(source_prefix(address("198.51.100.7")), source_prefix(address("198.51.101.7")));
}

TEST(KeyedHash, depends_on_every_part_of_the_key_and_on_the_secret) {
  const ConnectionKey key{.client = address("192.0.2.1"), .client_port = 1, .listen = 2};
  ConnectionKey other_client = key, other_port = key, other_listen = key;
  other_client.client = address("192.0.2.2");
  other_port.client_port = 2;
  other_listen.listen = 1;
  const std::set<std::uint64_t> hashes{
      keyed_hash(test_hash_key, key), keyed_hash(test_hash_key, other_client),
      keyed_hash(test_hash_key, other_port), keyed_hash(test_hash_key, other_listen),
      keyed_hash({1, 2}, key)};
  EXPECT_EQ(hashes.size(), 5U);
}

TEST(KeyedHash, depends_on_both_ends_of_a_connection_with_a_backend) {
  const BackendTuple tuple{.client = {address("192.0.2.1"), 1},
                           .backend = {address("192.0.2.9"), 2}};
  BackendTuple client = tuple, client_port = tuple, backend = tuple, backend_port = tuple;
  client.client.address = address("192.0.2.2");
  client_port.client.port = 3;
  backend.backend.address = address("192.0.2.8");
  backend_port.backend.port = 3;
  std::set<std::uint64_t> hashes{keyed_hash({1, 2}, tuple)};
  for (const auto& each : {tuple, client, client_port, backend, backend_port}) {
    hashes.insert(keyed_hash(test_hash_key, each));
  }
  EXPECT_EQ(hashes.size(), 6U);
}

}  // namespace
}  // namespace synward::flow
