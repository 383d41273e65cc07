// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/handshake/keyring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace synward::handshake {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

constexpr MasterKey master{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
// Epoch 1000 begins `boot` after boot.
constexpr auto boot = 3600s;
constexpr Duration offset = 64000s - boot;

Instant at(Duration since_epoch_1000) {
  return Instant(boot + since_epoch_1000);
}

wire::Address ipv4(std::uint8_t last) {
  return wire::Address::from_ipv4(std::array<std::uint8_t, 4>{198, 51, 100, last});
}

TEST(Keyring, CountsEpochsOf64SecondsOfTheWallClock) {
  const Keyring keys(master, offset);
  EXPECT_EQ(keys.epoch(at(0s)), 1000U);
  EXPECT_EQ(keys.epoch(at(64s - 1ns)), 1000U);
  EXPECT_EQ(keys.epoch(at(64s)), 1001U);
  EXPECT_EQ(keys.epoch(at(-1ns)), 999U);
}

TEST(Keyring, RoundsEpochsDownBeforeTheUnixEpochToo) {
  const Keyring keys(master, Duration(-100s));
  EXPECT_EQ(keys.epoch(Instant(99s)) + 1, keys.epoch(Instant(101s)));
}

TEST(Keyring, DerivesTheSameKeysOnEveryNodeWithTheSameMasterKey) {
  Keyring one(master, offset);
  Keyring other(master, Duration(64000s));  // booted an hour later
  EXPECT_EQ(one.epoch(at(5s)), other.epoch(Instant(5s)));
  EXPECT_EQ(one.key(1000).k0, other.key(1000).k0);
  EXPECT_EQ(one.key(1000).k1, other.key(1000).k1);
}

TEST(Keyring, DerivesDifferentKeysForEveryEpochAndMaster) {
  MasterKey other_master = master;
  other_master[15] ^= 1;
  Keyring keys(master, offset);
  Keyring other(other_master, offset);
  std::set<std::uint64_t> seen;
  for (Epoch epoch = 1000; epoch < 1100; ++epoch) {
    for (Keyring* ring : {&keys, &other}) {
      seen.insert(ring->key(epoch).k0);
      seen.insert(ring->key(epoch).k1);
    }
  }
  EXPECT_EQ(seen.size(), 400U);
}

TEST(Keyring, DerivesAKeyAgainAfterAnotherEpochTookItsPlace) {
  Keyring keys(master, offset);
  const synward_cookie_key first = keys.key(1000);
  for (Epoch epoch = 0; epoch < 64; ++epoch) keys.key(epoch);
  EXPECT_EQ(keys.key(1000).k0, first.k0);
  EXPECT_EQ(keys.key(1000).k1, first.k1);
}

// With LayoutHasNotChanged, what a successor or another version must be able to derive.
TEST(Keyring, DerivationHasNotChanged) {
  Keyring keys(master, offset);
  EXPECT_EQ(keys.key(1000).k0, 10435963058470474765U);
  EXPECT_EQ(keys.key(1000).k1, 894316036612369543U);
  EXPECT_EQ(keys.timestamp_clock(Instant(1000ms), ipv4(1), ipv4(2)), 2526371387U);
}

TEST(KeyringCandidates, AreTheCurrentOrThePreviousEpochByParity) {
  const Keyring keys(master, offset);
  for (const Duration now : {0s, 30s, 59s}) {
    EXPECT_THAT(keys.candidates(at(now), 0).all(), ElementsAre(1000));
    EXPECT_THAT(keys.candidates(at(now), 1).all(), ElementsAre(999));
    EXPECT_THAT(keys.candidates(at(64s + now), 0).all(), ElementsAre(1000));
    EXPECT_THAT(keys.candidates(at(64s + now), 1).all(), ElementsAre(1001));
  }
}

TEST(KeyringCandidates, IncludeTheNextEpochInTheLastFourSeconds) {
  const Keyring keys(master, offset);
  EXPECT_THAT(keys.candidates(at(60s - 1ns), 1).all(), ElementsAre(999));
  EXPECT_THAT(keys.candidates(at(60s), 1).all(), ElementsAre(999, 1001));
  EXPECT_THAT(keys.candidates(at(64s - 1ns), 1).all(), ElementsAre(999, 1001));
  EXPECT_THAT(keys.candidates(at(62s), 0).all(), ElementsAre(1000));
}

TEST(KeyringCandidates, IncludeThoseOfTheOldAnchorFor128Seconds) {
  Keyring keys(master, offset);
  keys.re_anchor(offset + 640s, at(10s));
  EXPECT_EQ(keys.epoch(at(10s)), 1010U);
  EXPECT_THAT(keys.candidates(at(10s), 0).all(), ElementsAre(1010, 1000));
  EXPECT_THAT(keys.candidates(at(10s), 1).all(), ElementsAre(1009, 999));
  EXPECT_THAT(keys.candidates(at(62s), 1).all(), ElementsAre(1009, 1011, 999, 1001));
  EXPECT_THAT(keys.candidates(at(138s - 1ns), 0).all(), ElementsAre(1012, 1002));
  EXPECT_THAT(keys.candidates(at(138s), 0).all(), ElementsAre(1012));
}

TEST(KeyringCandidates, AreNamedOnceWhereTheAnchorsAgree) {
  Keyring keys(master, offset);
  keys.re_anchor(offset + 3s, at(10s));
  EXPECT_THAT(keys.candidates(at(20s), 0).all(), ElementsAre(1000));
  EXPECT_THAT(keys.candidates(at(20s), 1).all(), ElementsAre(999));
}

TEST(KeyringCandidates, AreAtMostFourForAnyStepAtAnyTime) {
  for (int step = -200; step <= 200; ++step) {
    Keyring keys(master, offset);
    keys.re_anchor(offset + std::chrono::seconds(step), at(0s));
    for (int second = 0; second < 200; ++second) {
      for (const unsigned parity : {0U, 1U}) {
        const Keyring::Candidates candidates = keys.candidates(at(second * 1s), parity);
        ASSERT_THAT(candidates.all().size(), testing::AllOf(testing::Ge(1U), testing::Le(4U)));
        for (const Epoch epoch : candidates.all()) ASSERT_EQ(epoch & 1, parity);
      }
    }
  }
}

TEST(KeyringTimestampClock, CountsMilliseconds) {
  const Keyring keys(master, offset);
  const std::uint32_t start = keys.timestamp_clock(at(0s), ipv4(1), ipv4(2));
  EXPECT_EQ(keys.timestamp_clock(at(1ms), ipv4(1), ipv4(2)), start + 1);
  EXPECT_EQ(keys.timestamp_clock(at(24h * 60), ipv4(1), ipv4(2)), start + 60U * 86400000U);
}

TEST(KeyringTimestampClock, IsNotMovedByAStepOfTheWallClock) {
  Keyring keys(master, offset);
  const std::uint32_t before = keys.timestamp_clock(at(0s), ipv4(1), ipv4(2));
  keys.re_anchor(offset - 3600s, at(0s));
  EXPECT_EQ(keys.timestamp_clock(at(0s), ipv4(1), ipv4(2)), before);
}

TEST(KeyringTimestampClock, HasAnOffsetOfItsOwnForEveryPair) {
  const Keyring keys(master, offset);
  std::set<std::uint32_t> seen;
  for (std::uint8_t last = 0; last < 100; ++last) {
    seen.insert(keys.timestamp_clock(at(0s), ipv4(last), ipv4(200)));
    seen.insert(keys.timestamp_clock(at(0s), ipv4(200), ipv4(last)));
  }
  EXPECT_EQ(seen.size(), 200U);
}

}  // namespace
}  // namespace synward::handshake
