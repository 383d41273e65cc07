// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/backend/learned.h"

#include <gtest/gtest.h>

namespace synward::backend {
namespace {

Answer full_answer() {
  Answer answer{.window = 65160, .options = {}, .ecn_echo = true};
  answer.options.mss = 1460;
  answer.options.window_scale = 7;
  answer.options.sack_permitted = true;
  answer.options.timestamps = wire::Timestamps{1, 1};
  return answer;
}

LearnedOptions full() {
  return learn({}, {}, full_answer());
}

handshake::ServiceOffer unlearned() {
  handshake::ServiceOffer offer;
  offer.mss = 1460;
  offer.window = 16384;
  return offer;
}

TEST(Learn, AFullSynTeachesEverything) {
  const LearnedOptions options = full();
  EXPECT_TRUE(options.complete());
  EXPECT_EQ(options.mss, 1460);
  EXPECT_EQ(options.window_scale, 7);
  EXPECT_EQ(options.timestamps, Accepts::yes);
  EXPECT_EQ(options.ecn, Accepts::yes);
}

TEST(Learn, WhatWasNotAskedStaysAsItWas) {
  Answer answer = full_answer();
  answer.options.timestamps.reset();
  answer.options.sack_permitted = false;
  const Asked without_timestamps{.timestamps = false};
  EXPECT_EQ(learn(full(), without_timestamps, answer).timestamps, Accepts::yes);
  EXPECT_EQ(learn(full(), without_timestamps, answer).sack, Accepts::no);
  EXPECT_EQ(learn({}, without_timestamps, answer).timestamps, Accepts::unknown);
  EXPECT_FALSE(learn({}, without_timestamps, answer).complete());
}

TEST(OfferFor, NothingLearnedPromisesNoTimestamps) {
  const auto offer = offer_for(unlearned(), {});
  EXPECT_EQ(offer, unlearned());
  EXPECT_FALSE(offer.timestamps);
}

TEST(OfferFor, OneBackendThatAcceptsAll) {
  const LearnedOptions options = full();
  const auto offer = offer_for(unlearned(), {&options, 1});
  EXPECT_TRUE(offer.timestamps);
  EXPECT_TRUE(offer.ecn);
  EXPECT_TRUE(offer.sack);
  EXPECT_EQ(offer.window_scale, 7);
  EXPECT_EQ(offer.window, 16384);
}

TEST(OfferFor, TheWeakestBackendDecidesWhatCannotBeTranslated) {
  LearnedOptions weak = full();
  weak.timestamps = weak.sack = weak.ecn = Accepts::no;
  weak.mss = 536;
  weak.window = 8000;
  const std::array<LearnedOptions, 2> both{full(), weak};
  const auto offer = offer_for(unlearned(), both);
  EXPECT_FALSE(offer.timestamps);
  EXPECT_FALSE(offer.sack);
  EXPECT_FALSE(offer.ecn);
  EXPECT_EQ(offer.mss, 536);
  EXPECT_EQ(offer.window, 8000);
}

TEST(OfferFor, TheLargestScaleIsPromisedAndNoneWhereNoneScales) {
  LearnedOptions large = full();
  LearnedOptions none = full();
  large.window_scale = 14;
  none.scaling = Accepts::no;
  const std::array<LearnedOptions, 3> mixed{full(), large, none};
  EXPECT_EQ(offer_for(unlearned(), mixed).window_scale, 14);
  EXPECT_EQ(offer_for(unlearned(), {&none, 1}).window_scale, SYNWARD_WINDOW_SCALE_ABSENT);
  LearnedOptions zero = full();
  zero.window_scale = 0;
  EXPECT_EQ(offer_for(unlearned(), {&zero, 1}).window_scale, 0);
}

TEST(OfferFor, AWindowTooSmallForASegmentIsNotPassedOn) {
  LearnedOptions closed = full();
  closed.window = 0;
  EXPECT_EQ(offer_for(unlearned(), {&closed, 1}).window, 16384);
}

TEST(LearnedBoard, KeepsWhatWasLearned) {
  LearnedBoard board({1, 2});
  EXPECT_FALSE(board.find(1, 1).has_value());
  board.learn(1, 1, {}, full_answer());
  ASSERT_TRUE(board.find(1, 1).has_value());
  EXPECT_EQ(*board.find(1, 1), full());
  EXPECT_FALSE(board.find(1, 0).has_value());
  Answer silent;
  board.learn(0, 0, {}, silent);
  ASSERT_TRUE(board.find(0, 0).has_value());
  EXPECT_EQ(board.find(0, 0)->timestamps, Accepts::no);
}

}  // namespace
}  // namespace synward::backend
