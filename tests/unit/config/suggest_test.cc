// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/suggest.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace synward::config {
namespace {

constexpr std::array<std::string_view, 5> words{"off", "drop", "reset", "backlog",
                                                "synack_timeout"};

TEST(ConfigSuggest, FindsTheNearestWord) {
  EXPECT_EQ(nearest("of", words), "off");
  EXPECT_EQ(nearest("dorp", words), "drop");  // two letters swapped are one slip
  EXPECT_EQ(nearest("resett", words), "reset");
  EXPECT_EQ(nearest("Backlog", words), "backlog");
  EXPECT_EQ(nearest("synack-timout", words), "synack_timeout");
}

TEST(ConfigSuggest, KeepsQuietWhereNothingIsNear) {
  EXPECT_EQ(nearest("on", words), std::nullopt);
  EXPECT_EQ(nearest("", words), std::nullopt);
  EXPECT_EQ(nearest("colour", words), std::nullopt);
  EXPECT_EQ(nearest(std::string(100'000, 'x'), words), std::nullopt);
  EXPECT_EQ(nearest("off", {}), std::nullopt);
}

TEST(ConfigSuggest, ReadsAsTheEndOfASentence) {
  EXPECT_EQ(did_you_mean("off"), "; did you mean 'off'?");
  EXPECT_EQ(did_you_mean(std::nullopt), "");
}

}  // namespace
}  // namespace synward::config
