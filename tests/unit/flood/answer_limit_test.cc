// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flood/answer_limit.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/flow/support.h"

namespace synward::flood {
namespace {

using namespace std::chrono_literals;
using flow::boot;
using flow::spread_key;

std::uint32_t answered(AnswerLimit& limit, Instant now, std::uint32_t first = 0) {
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    count += limit.spend(spread_key(first + i), Side::client, now) ? 1 : 0;
  }
  return count;
}

TEST(AnswerLimit, a_connection_is_answered_once_in_half_a_second) {
  Instant last{};
  EXPECT_TRUE(may_answer(last, boot));
  EXPECT_FALSE(may_answer(last, boot + 499ms));
  EXPECT_TRUE(may_answer(last, boot + 500ms));
}

TEST(AnswerLimit, the_bound_is_another_in_each_second_and_under_each_secret) {
  AnswerLimit one(flow::test_hash_key), other({1, 2});
  std::set<std::uint32_t> bounds;
  for (int second = 0; second < 20; ++second) {
    for (AnswerLimit* const limit : {&one, &other}) {
      const std::uint32_t bound = answered(*limit, boot + std::chrono::seconds(second));
      EXPECT_GE(bound, AnswerLimit::per_second_min);
      EXPECT_LE(bound, AnswerLimit::per_second_max);
      bounds.insert(bound);
    }
  }
  EXPECT_GT(bounds.size(), 30U);
}

TEST(AnswerLimit, a_second_has_no_more_than_its_bound) {
  AnswerLimit limit(flow::test_hash_key);
  const std::uint32_t first = answered(limit, boot);
  EXPECT_EQ(answered(limit, boot + 999ms, 10'000), 0U);
  EXPECT_GE(first, AnswerLimit::per_second_min);
}

TEST(AnswerLimit, one_port_gets_one_in_half_a_second_on_each_side) {
  AnswerLimit limit(flow::test_hash_key);
  EXPECT_TRUE(limit.spend(spread_key(1), Side::client, boot));
  EXPECT_TRUE(limit.spend(spread_key(1), Side::backend, boot));
  EXPECT_FALSE(limit.spend(spread_key(1), Side::client, boot + 499ms));
  EXPECT_TRUE(limit.spend(spread_key(1), Side::client, boot + 500ms));
}

}  // namespace
}  // namespace synward::flood
