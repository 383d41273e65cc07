// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flood/prefix_limit.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/flow/support.h"

namespace synward::flood {
namespace {

using namespace std::chrono_literals;
using flow::boot;
using flow::ipv4_client;
using flow::spread_key;

struct PrefixLimitTest : testing::Test {
  PrefixLimit limit{flow::test_hash_key};

  PrefixLimitTest() { limit.set_rate(1000); }
  bool spend(const wire::Address& client, Instant now) {
    if (!limit.allows(client, now)) return false;
    limit.spend(client, now);
    return true;
  }
  unsigned spend(const wire::Address& client, Instant now, unsigned wanted) {
    unsigned spent = 0;
    for (unsigned i = 0; i < wanted; ++i) spent += spend(client, now) ? 1 : 0;
    return spent;
  }
};

TEST_F(PrefixLimitTest, a_network_gets_its_rate_and_a_quarter_of_it_at_once) {
  EXPECT_EQ(spend(ipv4_client(1), boot, 5000), 250U);
  unsigned spent = 0;
  for (Instant now = boot + 10ms; now <= boot + 10s; now += 10ms) {
    spent += spend(ipv4_client(2), now, 200);  // another address of it
  }
  EXPECT_EQ(spent, 10'000U);
}

TEST_F(PrefixLimitTest, a_64_is_one_network_and_its_neighbour_another) {
  const auto address = [](const char* text) { return wire::parse_address(text).value(); };
  EXPECT_EQ(spend(address("2001:db8:f:1::1"), boot, 5000), 250U);
  EXPECT_EQ(spend(address("2001:db8:f:1:ffff::2"), boot, 5000), 0U);
  EXPECT_EQ(spend(address("2001:db8:f:2::1"), boot, 5000), 250U);
}

TEST_F(PrefixLimitTest, what_is_given_back_can_be_spent_again) {
  EXPECT_EQ(spend(ipv4_client(1), boot, 5000), 250U);
  for (int i = 0; i < 100; ++i) limit.give_back(ipv4_client(1));
  EXPECT_EQ(spend(ipv4_client(1), boot, 5000), 100U);
}

TEST_F(PrefixLimitTest, giving_back_in_calm_saves_nothing_up) {
  for (int i = 0; i < 10'000; ++i) limit.give_back(ipv4_client(1));
  EXPECT_EQ(spend(ipv4_client(1), boot, 5000), 250U);
}

TEST_F(PrefixLimitTest, of_zero_is_none) {
  limit.set_rate(0);
  EXPECT_EQ(spend(ipv4_client(1), boot, 5000), 5000U);
}

// With one row, six of a thousand others would meet one of two hundred victims.
TEST_F(PrefixLimitTest, networks_at_their_limit_do_not_limit_others) {
  for (std::uint32_t victim = 0; victim < 200; ++victim) {
    EXPECT_EQ(spend(spread_key(victim).client, boot, 300), 250U);
  }
  for (std::uint32_t other = 1000; other < 2000; ++other) {
    EXPECT_TRUE(spend(spread_key(other).client, boot)) << other;
  }
}

TEST_F(PrefixLimitTest, a_million_spread_sources_in_a_second_limit_nobody_else) {
  std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same flood every time
  unsigned refused = 0;
  for (Instant now = boot; now < boot + 1s; now += 1us) {
    refused += spend(spread_key(random() & 0xffffff).client, now) ? 0 : 1;
  }
  EXPECT_EQ(refused, 0U);
  for (std::uint32_t other = 0; other < 1000; ++other) {
    EXPECT_GE(spend(spread_key(other).client, boot + 1s, 300), 200U) << other;
  }
}

// A bucket that others keep full is not the fuller for it: an hour of it is over in a moment.
TEST_F(PrefixLimitTest, is_over_as_soon_as_the_flood_is) {
  for (Instant now = boot; now < boot + 60s; now += 100us) spend(ipv4_client(1), now);
  EXPECT_TRUE(spend(ipv4_client(1), boot + 60s + 2ms));
  EXPECT_EQ(spend(ipv4_client(1), boot + 61s, 5000), 250U);
}

}  // namespace
}  // namespace synward::flood
