// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/handshake/offers.h"

#include <gtest/gtest.h>

namespace synward::handshake {
namespace {

ServiceOffer with_mss(std::uint16_t mss) {
  ServiceOffer offer;
  offer.mss = mss;
  return offer;
}

std::vector<std::uint16_t> tried(const OfferHistory& history, Epoch epoch) {
  std::vector<std::uint16_t> result;
  const OfferHistory::Tries tries = history.tries(epoch);
  for (const ServiceOffer& offer : tries.all()) result.push_back(offer.mss);
  return result;
}

using Masses = std::vector<std::uint16_t>;

TEST(OfferHistory, TheFirstOfferHoldsAlways) {
  const OfferHistory history(with_mss(1000));
  EXPECT_EQ(history.at(0).mss, 1000);
  EXPECT_EQ(history.at(5000).mss, 1000);
  EXPECT_EQ(tried(history, 7), Masses{1000});
}

TEST(OfferHistory, AnAnnouncedOfferBeginsWithItsEpoch) {
  OfferHistory history(with_mss(1000));
  history.announce(11, with_mss(2000));
  EXPECT_EQ(history.at(10).mss, 1000);
  EXPECT_EQ(history.at(11).mss, 2000);
}

TEST(OfferHistory, BothAreTriedWhileCookiesOfBothMayCome) {
  OfferHistory history(with_mss(1000));
  history.announce(11, with_mss(2000));
  EXPECT_EQ(tried(history, 10), (Masses{1000, 2000}));  // a node slightly ahead
  EXPECT_EQ(tried(history, 11), (Masses{2000, 1000}));  // the epoch before is accepted
  EXPECT_EQ(tried(history, 12), (Masses{2000, 1000}));  // a worker that heard of it late
  EXPECT_EQ(tried(history, 13), Masses{2000});
}

TEST(OfferHistory, AnOfferReplacedInsideAnEpochIsTriedAsLongAsItsCookiesLive) {
  OfferHistory history(with_mss(1000));
  history.begin(11, with_mss(2000));
  EXPECT_EQ(tried(history, 11), (Masses{2000, 1000}));
  EXPECT_EQ(tried(history, 12), (Masses{2000, 1000}));
  EXPECT_EQ(tried(history, 13), Masses{2000});
}

TEST(OfferHistory, SoIsEachOneOfAnEpochInWhichItChangedTwice) {
  OfferHistory history(with_mss(1000));
  history.begin(11, with_mss(2000));
  history.begin(11, with_mss(3000));
  history.announce(12, with_mss(4000));
  EXPECT_EQ(tried(history, 11), (Masses{3000, 2000, 1000, 4000}));
  EXPECT_EQ(tried(history, 12), (Masses{4000, 3000, 2000, 1000}));
  EXPECT_EQ(tried(history, 13), (Masses{4000, 3000}));
}

TEST(OfferHistory, AfterTheClockWasSteppedBackTheNewestHasToBeginAgain) {
  OfferHistory history(with_mss(1000));
  history.announce(500, with_mss(2000));
  EXPECT_TRUE(history.holds(500, with_mss(2000)));
  EXPECT_FALSE(history.holds(500, with_mss(1000)));
  EXPECT_FALSE(history.holds(11, with_mss(2000)));
  history.announce(11, with_mss(2000));
  EXPECT_TRUE(history.holds(11, with_mss(2000)));
  EXPECT_EQ(history.at(11).mss, 2000);
}

TEST(OfferHistory, WhatNeverBeganIsReplaced) {
  OfferHistory history(with_mss(1000));
  history.announce(11, with_mss(2000));
  history.announce(11, with_mss(3000));
  ASSERT_EQ(history.entries().size(), 2U);
  EXPECT_EQ(history.at(11).mss, 3000);
  EXPECT_EQ(history.at(10).mss, 1000);
  history.announce(5, with_mss(4000));  // the clock was stepped back
  EXPECT_EQ(history.at(11).mss, 4000);
  EXPECT_EQ(history.at(4).mss, 1000);
}

TEST(OfferHistory, AtStartAnOfferMayBeginInsideAnEpoch) {
  OfferHistory history(with_mss(1000));
  history.announce(11, with_mss(2000));
  history.begin(11, with_mss(3000));
  EXPECT_EQ(history.at(11).mss, 3000);
  EXPECT_EQ(tried(history, 11), (Masses{3000, 2000, 1000}));
  history.announce(12, with_mss(4000));
  history.begin(11, with_mss(5000));  // what was announced has not begun
  EXPECT_EQ(history.at(12).mss, 5000);
}

TEST(OfferHistory, WhatAnotherOneMadeIsTriedAsLongAsItsCookiesLive) {
  OfferHistory own(with_mss(1000));
  own.begin(11, with_mss(500));
  OfferHistory published(with_mss(1000));
  published.begin(11, with_mss(800));
  published.announce(12, with_mss(2000));
  published.remember(own, 11);
  EXPECT_EQ(published.at(11).mss, 800);
  EXPECT_EQ(tried(published, 11), (Masses{800, 500, 1000, 2000}));
  EXPECT_EQ(tried(published, 12), (Masses{2000, 800, 500, 1000}));
  EXPECT_EQ(tried(published, 13), (Masses{2000, 800}));
}

TEST(OfferHistory, WhatAnotherOneBeganLastHoldsUntilTheNextEpoch) {
  OfferHistory own(with_mss(1000));
  own.begin(11, with_mss(500));
  OfferHistory published(with_mss(1000));
  published.announce(12, with_mss(1000));
  published.remember(own, 11);
  EXPECT_EQ(published.at(11).mss, 500);
  EXPECT_EQ(published.at(12).mss, 1000);
  EXPECT_EQ(tried(published, 12), (Masses{1000, 500, 1000}));
}

TEST(OfferHistory, OfAnotherOneNothingIsTakenThatIsKnownOrOver) {
  OfferHistory own(with_mss(1000));
  own.announce(11, with_mss(2000));
  own.announce(21, with_mss(3000));
  own.announce(23, with_mss(4000));
  OfferHistory published({21, with_mss(3000)});
  published.remember(own, 22);
  EXPECT_EQ(published.entries().size(), 2U);  // 2000 was made until 21
  published.remember(own, 22);
  EXPECT_EQ(tried(published, 22), (Masses{3000, 2000}));
}

// Most cookies under way are of the one that was made before it all began.
TEST(OfferHistory, ManyChangesWithinAnEpochDoNotForgetTheOneBeforeThem) {
  OfferHistory history(with_mss(1000));
  for (std::uint16_t mss = 900; mss > 100; mss -= 100) history.begin(11, with_mss(mss));
  EXPECT_EQ(tried(history, 11), (Masses{200, 600, 700, 800, 900, 1000}));
  history.announce(12, with_mss(2000));
  EXPECT_EQ(history.at(11).mss, 200);
  EXPECT_EQ(tried(history, 12), (Masses{2000, 200, 700, 800, 900, 1000}));
}

TEST(OfferHistory, TheOldestIsForgotten) {
  OfferHistory history(with_mss(1000));
  history.announce(11, with_mss(2000));
  history.announce(12, with_mss(3000));
  history.announce(13, with_mss(4000));
  history.announce(14, with_mss(5000));
  history.announce(15, with_mss(6000));
  history.announce(16, with_mss(7000));
  ASSERT_EQ(history.entries().size(), 6U);
  EXPECT_EQ(history.newest().from, 16U);
  EXPECT_EQ(history.at(9).mss, 2000);
}

}  // namespace
}  // namespace synward::handshake
