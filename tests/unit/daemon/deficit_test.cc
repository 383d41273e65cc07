// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/deficit.h"

#include <gtest/gtest.h>

namespace synward {
namespace {

TEST(Deficit, SaysNothingOfTooFew) {
  Deficit deficit;
  EXPECT_FALSE(deficit.turn(3, 0));
  EXPECT_FALSE(deficit.turn(3, 0));
}

TEST(Deficit, JudgesAtTheNextTurnWhatWasLetOnBefore) {
  Deficit deficit;
  EXPECT_FALSE(deficit.turn(10, 0));  // under way
  const auto judged = deficit.turn(10, 10);
  ASSERT_TRUE(judged);
  EXPECT_EQ(judged->due, 10U);
  EXPECT_EQ(judged->missing, 0U);
  EXPECT_FALSE(judged->blocked());
}

TEST(Deficit, IsBlockedWhenMoreThanHalfIsMissing) {
  for (const auto& [passed, blocked] : {std::pair(4U, true), std::pair(5U, false)}) {
    Deficit deficit;
    deficit.turn(10, 0);
    const auto judged = deficit.turn(10, passed);
    ASSERT_TRUE(judged);
    EXPECT_EQ(judged->blocked(), blocked) << passed;
  }
}

TEST(Deficit, DoesNotTakeWhatPassesLaterForWhatIsMissingNow) {
  Deficit deficit;
  deficit.turn(10, 0);
  EXPECT_TRUE(deficit.turn(30, 0)->blocked());
  // The next twenty passed; that none of the first ten did is told once.
  EXPECT_FALSE(deficit.turn(30, 20)->blocked());
}

TEST(Deficit, CountsWhatPassedEarlyForTheTurnThatItBelongsTo) {
  Deficit deficit;
  deficit.turn(10, 0);
  EXPECT_FALSE(deficit.turn(20, 20)->blocked());
  EXPECT_FALSE(deficit.turn(20, 20)->blocked());
}

}  // namespace
}  // namespace synward
