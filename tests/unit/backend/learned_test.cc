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
  EXPECT_TRUE(options.settled());
  EXPECT_EQ(options.mss, 1460);
  EXPECT_EQ(options.window_scale, 7);
  EXPECT_EQ(options.timestamps, Accepts::yes);
  EXPECT_EQ(options.ecn, Accepts::yes);
}

// Of a Linux server that answers a client without timestamps from a SYN cookie.
Answer cookie_answer() {
  Answer answer{.window = 64240, .options = {}};
  answer.options.mss = 1460;
  return answer;
}

Answer with_window(std::uint16_t window) {
  Answer answer = full_answer();
  answer.window = window;
  return answer;
}

TEST(Learn, WhatWasNotAskedStaysAsItWas) {
  const Asked without_timestamps{.timestamps = false};
  EXPECT_EQ(learn(full(), without_timestamps, cookie_answer()).timestamps, Accepts::yes);
  EXPECT_EQ(learn(full(), without_timestamps, cookie_answer()).ecn, Accepts::no);
  EXPECT_EQ(learn({}, without_timestamps, cookie_answer()).sack, Accepts::no);
  EXPECT_EQ(learn({}, without_timestamps, cookie_answer()).timestamps, Accepts::unknown);
  EXPECT_FALSE(learn({}, without_timestamps, full_answer()).settled());
}

TEST(Learn, ScalingAndSackAreTakenBackByALearningSynAlone) {
  const LearnedOptions after = learn(full(), {}, cookie_answer());
  EXPECT_EQ(after.scaling, Accepts::yes);
  EXPECT_EQ(after.sack, Accepts::yes);
  EXPECT_EQ(after.window_scale, 7);
  EXPECT_EQ(after.timestamps, Accepts::no);  // W2: at once
  EXPECT_EQ(learn_anew(full(), cookie_answer()).scaling, Accepts::no);
  EXPECT_EQ(learn_anew(full(), cookie_answer()).sack, Accepts::no);
}

TEST(Learn, WhatWasRefusedOnceIsAskedAgainAndCorrected) {
  const LearnedOptions refused = learn({}, {}, cookie_answer());
  EXPECT_FALSE(refused.settled());
  EXPECT_TRUE(learn_anew(refused, full_answer()).settled());
}

// Two servers behind one address: the one that the learning SYN meets has timestamps, another one
// has not, and each client of it that was promised them is reset (W2).
TEST(Learn, TimestampsThatAClientWasRefusedAreNotSoonAskedForAgain) {
  Answer without = full_answer();
  without.options.timestamps.reset();
  EXPECT_TRUE(learn(full(), {}, without).settled());
}

// A firewall may keep our own SYNs from a server that answers its clients.
TEST(Learn, AWindowThatWasSmallOnceIsForgottenAlsoWithoutAnAnswer) {
  LearnedOptions options = learn(full(), {}, with_window(600));
  EXPECT_EQ(options.window, 600);
  options = learn(asked(options), {}, full_answer());
  EXPECT_EQ(options.window, 600);
  options = learn(asked(options), {}, full_answer());
  EXPECT_EQ(options.window, 65160);
  EXPECT_EQ(asked(asked(options)).window, 65160);  // nobody came meanwhile
}

TEST(Learn, TheWindowIsTheSmallestOfThoseThatClientsSee) {
  LearnedOptions options = learn_anew({}, with_window(65160));
  options = learn(options, {}, with_window(64240));
  EXPECT_EQ(learn(options, {}, with_window(65160)).window, 64240);
  options = learn_anew(asked(options), with_window(65160));
  EXPECT_EQ(options.window, 64240);  // of the clients since the learning SYN before
  EXPECT_EQ(learn_anew(asked(options), with_window(65160)).window, 65160);
  EXPECT_EQ(learn(options, {}, with_window(0)).window, 64240);
}

TEST(Learn, ASynAckWithoutMssMeansTheDefault) {
  Answer answer;
  EXPECT_EQ(learn({}, {}, answer).mss, 536);
  answer.ipv4 = false;
  EXPECT_EQ(learn({}, {}, answer).mss, 1220);
}

TEST(Learn, NoServersMssIsSmallerThanWhatEveryHostTakes) {
  Answer answer = full_answer();
  answer.options.mss = 1;
  EXPECT_EQ(learn_anew({}, answer).mss, 536);
  answer.ipv4 = false;
  EXPECT_EQ(learn_anew({}, answer).mss, 1220);
}

// Each client hears another, as its path's MTU is known to the server.
TEST(Learn, TheMssIsTheLargestThatClientsHearSinceTheLearningSyn) {
  Answer small = full_answer();
  small.options.mss = 600;
  EXPECT_EQ(learn(full(), {}, small).mss, 1460);
  EXPECT_EQ(learn(learn({}, {}, small), {}, full_answer()).mss, 1460);
  EXPECT_EQ(learn_anew(full(), small).mss, 600);
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

TEST(OfferFor, W2ABackendThatWasNotHeardKeepsTimestampsAndEcnBack) {
  const std::array<LearnedOptions, 2> both{full(), LearnedOptions{}};
  const auto offer = offer_for(unlearned(), both);
  EXPECT_FALSE(offer.timestamps);
  EXPECT_FALSE(offer.ecn);
  EXPECT_TRUE(offer.sack);
  EXPECT_EQ(offer.window_scale, 7);
  EXPECT_EQ(offer.mss, 1460);
  const LearnedOptions silent;
  EXPECT_EQ(offer_for(unlearned(), {&silent, 1}), unlearned());
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
  board.learn_anew(1, 1, cookie_answer());
  EXPECT_EQ(*board.find(1, 1), learn_anew(full(), cookie_answer()));
  EXPECT_FALSE(board.find(1, 0).has_value());
  Answer silent;
  board.learn(0, 0, {}, silent);
  ASSERT_TRUE(board.find(0, 0).has_value());
  EXPECT_EQ(board.find(0, 0)->timestamps, Accepts::no);
}

}  // namespace
}  // namespace synward::backend
