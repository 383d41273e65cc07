// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/source.h"

#include <gtest/gtest.h>

namespace synward::config {
namespace {

TEST(ConfigSource, FindsLines) {
  EXPECT_EQ(line_of("a\nb\n", 1), "a");
  EXPECT_EQ(line_of("a\nb\n", 2), "b");
  EXPECT_EQ(line_of("a\nb\n", 4), "");
}

TEST(ConfigSource, KnowsAnEndpointThatShouldBeQuoted) {
  for (const auto* const line :
       {"listen: [2001:db8::1]:80", "  - [::1]:80", "[\"a:1\", [2001:db8::1]:80]",
        "['[2001:db8::1]:80', [2001:db8::2]:80]"})
    EXPECT_FALSE(endpoint_hint(line).empty()) << line;
  for (const auto* const line : {"", "a: [b]: c", "listen: \"[2001:db8::1]:80\"",
                                 "['[2001:db8::1]:80']", "[80]:", "]:", "[2001:db8::1]"})
    EXPECT_TRUE(endpoint_hint(line).empty()) << line;
}

TEST(ConfigSource, FindsDirectives) {
  EXPECT_EQ(find_directive("%YAML 1.2\n"), 1);
  EXPECT_EQ(find_directive("a: 1\nb: 1\n%c: 1\n"), 3);
  EXPECT_EQ(find_directive("a: 1%\n #%\n"), std::nullopt);
}

TEST(ConfigSource, KnowsHowQuotesAreClosed) {
  for (const auto* const text : {"", "a", R"(a")", R"("")", R"("a"b)", R"("\"")", R"("\\")",
                                 R"("'")", "''", "'a'", "'''a'", R"('\')", R"('"')", "'\n'"}) {
    EXPECT_FALSE(is_unclosed_quote(text)) << text;
  }
  for (const auto* const text : {R"(")", R"("a)", R"("\")", R"("\\\")", R"("\)", R"("')", "'",
                                 "'''", "'a''", "'''''", R"('")"}) {
    EXPECT_TRUE(is_unclosed_quote(text)) << text;
  }
}

TEST(ConfigSource, FindsTheDashOfAnEmptyItem) {
  EXPECT_EQ(dash_before("a:\n  -\n", {3, 1}), (Place{2, 3}));
  EXPECT_EQ(dash_before("- - # - c\n\n# - c\n  ", {4, 3}), (Place{1, 3}));
  EXPECT_EQ(dash_before("- x\n- ", {2, 3}), (Place{2, 1}));
  EXPECT_EQ(dash_before("", {1, 1}), (Place{1, 1}));
  EXPECT_EQ(dash_before("a\n", {9, 2}), (Place{9, 2}));
}

}  // namespace
}  // namespace synward::config
