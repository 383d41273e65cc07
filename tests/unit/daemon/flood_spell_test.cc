// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/flood_spell.h"

#include <gtest/gtest.h>

namespace synward {
namespace {

using Change = FloodSpell::Change;
using std::chrono::milliseconds;
using std::chrono::seconds;

Change at(FloodSpell& spell, int second, std::uint64_t total, bool over) {
  EXPECT_TRUE(spell.look(Instant(seconds(second)), total));
  return spell.judge(over);
}

TEST(FloodSpell, TellsRateAndFigures) {
  FloodSpell spell;
  EXPECT_EQ(at(spell, 10, 700, false), Change::none);
  EXPECT_EQ(at(spell, 12, 900, true), Change::began);
  EXPECT_DOUBLE_EQ(spell.rate(), 100);
  EXPECT_EQ(at(spell, 13, 1200, true), Change::none);
  EXPECT_EQ(at(spell, 14, 1250, false), Change::none);
  EXPECT_TRUE(spell.active());
  EXPECT_EQ(at(spell, 18, 1260, false), Change::ended);
  EXPECT_FALSE(spell.active());
  EXPECT_EQ(spell.figures().packets, 500U);
  EXPECT_DOUBLE_EQ(spell.figures().rate_max, 300);
  EXPECT_EQ(spell.figures().lasted, seconds(3));
  EXPECT_EQ(at(spell, 19, 1270, true), Change::began);
  EXPECT_EQ(spell.figures().packets, 10U);
  EXPECT_EQ(spell.figures().lasted, seconds(1));
}

// What was counted before it was looked at first has no rate.
TEST(FloodSpell, FirstLookHasNoRate) {
  FloodSpell spell;
  EXPECT_EQ(at(spell, 1, 1'000'000, true), Change::began);
  EXPECT_DOUBLE_EQ(spell.rate(), 0);
  EXPECT_EQ(spell.figures().packets, 0U);
}

TEST(FloodSpell, LooksAreApart) {
  FloodSpell spell;
  EXPECT_TRUE(spell.look(Instant(seconds(1)), 0));
  EXPECT_FALSE(spell.look(Instant(milliseconds(1010)), 1000));
  EXPECT_TRUE(spell.look(Instant(seconds(2)), 1000));
  EXPECT_DOUBLE_EQ(spell.rate(), 1000);
}

}  // namespace
}  // namespace synward
