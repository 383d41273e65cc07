// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/backend/choice.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace synward::backend {
namespace {

using std::chrono::seconds;

constexpr flow::HashKey key{1, 2};
constexpr int connections = 20'000;
constexpr Instant start{seconds(100)};

wire::Endpoint endpoint(const std::string& text) {
  return *wire::parse_endpoint(text);
}

ServicePlan plan(const std::vector<std::uint32_t>& weights) {
  ServicePlan result{.listens = {endpoint("203.0.113.10:443")}, .backends = {}, .weights = weights};
  for (std::size_t i = 0; i < weights.size(); ++i) {
    result.backends.push_back(endpoint("198.51.100." + std::to_string(i + 1) + ":443"));
  }
  return result;
}

flow::ConnectionKey connection(int number) {
  flow::ConnectionKey result{};
  result.client = *wire::parse_address("192.0.2.1");
  result.client.bytes[14] = static_cast<std::uint8_t>(number >> 14);
  result.client_port = static_cast<std::uint16_t>(1024 + (number & 0x3fff));
  return result;
}

// Where each connection goes.
std::vector<int> chosen(const std::vector<std::uint32_t>& weights) {
  const Directory directory({plan(weights)});
  const Choice choice(directory, key);
  std::vector<int> result;
  result.reserve(connections);
  for (int i = 0; i < connections; ++i) {
    result.push_back(choice.next(connection(i), 0, start).value_or(-1));
  }
  return result;
}

double share(const std::vector<int>& choices, int position) {
  return static_cast<double>(std::ranges::count(choices, position)) / connections;
}

TEST(Choice, SharesFollowTheWeights) {
  const auto equal = chosen({1, 1, 1, 1});
  const auto weighted = chosen({1, 2, 5});
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(share(equal, i), 0.25, 0.02) << i;
  EXPECT_NEAR(share(weighted, 0), 0.125, 0.02);
  EXPECT_NEAR(share(weighted, 1), 0.25, 0.02);
  EXPECT_NEAR(share(weighted, 2), 0.625, 0.02);
}

TEST(Choice, OnlyTheSameWeightsInProportionMatter) {
  EXPECT_EQ(chosen({1, 2, 5}), chosen({10, 20, 50}));
}

// Who moves, moves to the new backend.
TEST(Choice, ANewBackendTakesOnlyItsOwnShare) {
  const auto before = chosen({1, 1, 1});
  const auto after = chosen({1, 1, 1, 1});
  for (int i = 0; i < connections; ++i) {
    if (after[i] == 3) continue;
    ASSERT_EQ(after[i], before[i]) << i;
  }
  EXPECT_NEAR(share(after, 3), 0.25, 0.02);
}

TEST(Choice, AWeightThatGrowsTakesOnlyWhatItGains) {
  const auto before = chosen({1, 1, 1});
  const auto after = chosen({1, 3, 1});
  for (int i = 0; i < connections; ++i) {
    if (after[i] == 1) continue;
    ASSERT_EQ(after[i], before[i]) << i;
  }
  EXPECT_NEAR(share(after, 1), 0.6, 0.02);
}

TEST(Choice, EachIsTriedOnceThenNone) {
  const Directory directory({plan({1, 200, 3})});
  const Choice choice(directory, key);
  std::uint64_t tried = 0;
  for (int i = 0; i < 3; ++i) {
    const auto next = choice.next(connection(7), tried, start);
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(tried & choice.tried_bit(0, *next), 0U);
    tried |= choice.tried_bit(0, *next);
  }
  EXPECT_EQ(choice.next(connection(7), tried, start), std::nullopt);
}

// After reloads there are more positions than bits.
TEST(Choice, PositionsFarApartAreTriedEach) {
  Directory directory({plan(std::vector<std::uint32_t>(64, 1))});
  ServicePlan changed = plan({1});
  changed.backends.push_back(endpoint("198.51.100.65:443"));
  directory.apply({changed});
  ASSERT_EQ(directory.candidates(0)[1], 64);
  const Choice choice(directory, key);
  const std::uint16_t first = choice.next(connection(7), 0, start).value();
  EXPECT_EQ(choice.next(connection(7), choice.tried_bit(0, first), start), 64 - first);
}

TEST(Choice, OneThatFailedIsPassedOverForAWhileUnlessNoOtherIsLeft) {
  const Directory directory({plan({1, 1})});
  Choice choice(directory, key);
  const std::uint16_t first = choice.next(connection(7), 0, start).value();
  choice.failed({.service = 0, .position = first, .asked = start}, start);
  EXPECT_NE(choice.next(connection(7), 0, start + passed_over - seconds(1)), first);
  EXPECT_EQ(choice.next(connection(7), 0, start + passed_over), first);
  const auto other = static_cast<std::uint16_t>(1 - first);
  choice.failed({.service = 0, .position = other, .asked = start}, start);
  EXPECT_EQ(choice.next(connection(7), 0, start), first);
}

TEST(Choice, OneThatHasAnsweredSinceItWasAskedDidNotFail) {
  const Directory directory({plan({1, 1})});
  Choice choice(directory, key);
  choice.answered(0, 0, start);
  choice.failed({.service = 0, .position = 0, .asked = start - seconds(1)}, start + seconds(1));
  choice.failed({.service = 0, .position = 0, .asked = start}, start + seconds(1));
  EXPECT_TRUE(choice.is_well(0, 0, start + seconds(1)));
  choice.failed({.service = 0, .position = 0, .asked = start + seconds(1)}, start + seconds(1));
  EXPECT_FALSE(choice.is_well(0, 0, start + seconds(1)));
  EXPECT_TRUE(choice.is_well(0, 1, start + seconds(1)));
}

// A reload: positions stay, weights change, also of a backend that had left.
TEST(Choice, WeightsFollowTheDirectory) {
  Directory directory({plan({1, 1})});
  Choice choice(directory, key);
  directory.apply({plan({1})});
  EXPECT_EQ(choice.next(connection(7), 0, start), 0);
  directory.apply({plan({1, 256})});
  choice.grow();
  EXPECT_EQ(directory.weight(0, 1), 256U);
  EXPECT_EQ(directory.weight(0, 0), 1U);
}

}  // namespace
}  // namespace synward::backend
