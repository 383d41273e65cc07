// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flood/rate_budget.h"

#include <gtest/gtest.h>

namespace synward::flood {
namespace {

using namespace std::chrono_literals;
constexpr Instant boot{1h};

unsigned spent_at(RateBudget& budget, Instant now, unsigned wanted) {
  unsigned spent = 0;
  for (unsigned i = 0; i < wanted; ++i) spent += budget.spend(now) ? 1 : 0;
  return spent;
}

TEST(RateBudget, of_zero_allows_nothing) {
  RateBudget budget(0, boot);
  EXPECT_FALSE(budget.spend(boot + 1h));
}

TEST(RateBudget, allows_its_rate_and_no_more_than_a_tenth_of_it_at_once) {
  RateBudget budget(1000, boot);
  EXPECT_EQ(spent_at(budget, boot, 10'000), 100U);
  unsigned spent = 0;
  for (Instant now = boot + 10ms; now <= boot + 10s; now += 10ms)
    spent += spent_at(budget, now, 500);
  EXPECT_EQ(spent, 10'000U);
}

TEST(RateBudget, does_not_save_up_over_an_hour_of_calm) {
  RateBudget budget(1000, boot);
  EXPECT_EQ(spent_at(budget, boot + 1h, 10'000), 100U);
}

TEST(RateBudget, of_one_allows_one_per_second) {
  RateBudget budget(1, boot);
  EXPECT_TRUE(budget.spend(boot));
  EXPECT_FALSE(budget.spend(boot + 999ms));
  EXPECT_TRUE(budget.spend(boot + 1s));
}

TEST(RateBudget, larger_than_the_clock_can_divide_is_still_a_budget) {
  RateBudget budget(0xffffffff, boot);
  EXPECT_TRUE(budget.spend(boot));
}

}  // namespace
}  // namespace synward::flood
