// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/directive.h"

#include <gtest/gtest.h>

#include <vector>

namespace synward {
namespace {

TEST(Directive, IsTakenOnce) {
  Directive<std::vector<int>> directive;
  Directive<std::vector<int>>::Copy copy;
  EXPECT_FALSE(directive.take(copy));
  directive.give({1});
  directive.give({2, 3});
  EXPECT_TRUE(directive.take(copy));
  EXPECT_EQ(copy.value, (std::vector{2, 3}));
  EXPECT_FALSE(directive.take(copy));
}

struct Large {
  Large() = default;
  explicit Large(int text) : number(text) {}
  Large(const Large& other) : number(other.number) {
    if (no_memory) throw std::bad_alloc();
  }
  Large(Large&&) = default;
  Large& operator=(const Large&) = default;
  Large& operator=(Large&&) = default;
  ~Large() = default;
  int number = 0;
  static inline bool no_memory = false;
};

// A worker that has no memory for it goes on by what it had: nothing may end its thread.
TEST(Directive, IsTakenLaterWhereThereIsNoMemory) {
  Directive<Large> directive;
  Directive<Large>::Copy copy;
  directive.give(Large(1));
  ASSERT_TRUE(directive.take(copy));
  directive.give(Large(2));
  Large::no_memory = true;
  EXPECT_FALSE(directive.take(copy));
  EXPECT_EQ(copy.value.number, 1);
  Large::no_memory = false;
  EXPECT_TRUE(directive.take(copy));
  EXPECT_EQ(copy.value.number, 2);
}

}  // namespace
}  // namespace synward
