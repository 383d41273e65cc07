// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/seq.h"

#include <gtest/gtest.h>

namespace synward::wire {
namespace {

constexpr SeqNumber last(0xffffffff);

TEST(SeqNumber, ComparesAcrossTheWrap) {
  EXPECT_LT(last, SeqNumber(0));
  EXPECT_GT(SeqNumber(5), last);
  EXPECT_LE(last, last);
  EXPECT_GE(SeqNumber(0), last);
}

TEST(SeqNumber, AddsAndSubtractsLengthsAcrossTheWrap) {
  EXPECT_EQ(last + 1, SeqNumber(0));
  EXPECT_EQ(SeqNumber(3) - 5, SeqNumber(0xfffffffe));
  SeqNumber seq(0xfffffff0);
  seq += 0x20;
  EXPECT_EQ(seq, SeqNumber(0x10));
}

TEST(SeqNumber, DistanceIsSigned) {
  EXPECT_EQ(SeqNumber(9) - last, 10);
  EXPECT_EQ(last - SeqNumber(9), -10);
}

TEST(SeqNumber, OrderHoldsUpToHalfTheCircle) {
  EXPECT_GT(SeqNumber(7) + 0x7fffffff, SeqNumber(7));
  EXPECT_LT(SeqNumber(7) + 0x80000001, SeqNumber(7));
}

}  // namespace
}  // namespace synward::wire
