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

TEST(Deficit, JudgesTheFewTogether) {
  Deficit deficit;
  EXPECT_FALSE(deficit.turn(3, 0));
  const auto judged = deficit.turn(6, 0);
  ASSERT_TRUE(judged);
  EXPECT_EQ(judged->due, 6U);
  EXPECT_EQ(judged->missing, 6U);
  EXPECT_TRUE(judged->blocked());
}

TEST(Deficit, IsBlockedWhenMoreThanHalfIsMissing) {
  for (const auto& [passed, blocked] : {std::pair(4U, true), std::pair(5U, false)}) {
    Deficit deficit;
    const auto judged = deficit.turn(10, passed);
    ASSERT_TRUE(judged);
    EXPECT_EQ(judged->blocked(), blocked) << passed;
  }
}

TEST(Deficit, TellsALossOnce) {
  Deficit deficit;
  EXPECT_TRUE(deficit.turn(10, 0)->blocked());
  EXPECT_EQ(deficit.turn(30, 20)->missing, 0U);
}

TEST(Deficit, TakesWhatPassedEarlyForTheTurnThatItBelongsTo) {
  Deficit deficit;
  EXPECT_EQ(deficit.turn(10, 74)->missing, 0U);  // a batch was on its way between the readings
  EXPECT_EQ(deficit.turn(74, 74)->missing, 0U);
  EXPECT_EQ(deficit.turn(84, 74)->missing, 10U);
}

TEST(Deficit, OldLossesAreNotHeldAgainstALaterTurn) {
  Deficit deficit;
  std::uint64_t let_on = 0, passed = 0;
  const auto turn = [&](unsigned more, unsigned lost) {
    let_on += more;
    passed += more - lost;
    return deficit.turn(let_on, passed);
  };
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(turn(100, 1)->blocked());
  EXPECT_EQ(turn(40, 0)->missing, 0U);
  EXPECT_EQ(turn(4, 0)->missing, 0U);
  EXPECT_EQ(turn(100, 60)->missing, 60U);
  EXPECT_EQ(turn(100, 0)->missing, 0U);
}

// As a socket of somebody else with our mark would do.
TEST(Deficit, MoreThatPassesAllTheTimeHidesABlockadeForAMomentOnly) {
  Deficit deficit;
  std::uint64_t let_on = 0, passed = 0;
  for (int i = 0; i < 100; ++i) deficit.turn(let_on += 10, passed += 20);
  bool blocked = false;
  for (int i = 0; i < 10; ++i) blocked = deficit.turn(let_on += 10, passed)->blocked() || blocked;
  EXPECT_TRUE(blocked);
}

}  // namespace
}  // namespace synward
