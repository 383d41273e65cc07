// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/handshake/spent_cookies.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

namespace synward::handshake {
namespace {

using namespace std::chrono_literals;
using wire::SeqNumber;

CookieUse use(std::uint16_t port, std::uint32_t client_isn = 1000, std::uint32_t cookie = 7) {
  return {.client = {wire::parse_address("203.0.113.5").value(), port},
          .service = {wire::parse_address("198.51.100.10").value(), 80},
          .client_isn = SeqNumber(client_isn),
          .cookie = SeqNumber(cookie)};
}

class SpentCookiesTest : public ::testing::Test {
 protected:
  using Memory = std::vector<SpentCookies::Bucket>;
  static constexpr std::uint64_t room = 64;
  Memory memory = Memory(SpentCookies::buckets_for(room));
  SpentCookies spent{memory, {1, 2}};
  Instant now{1h};
};

TEST_F(SpentCookiesTest, RemembersUntilTheCookieExpires) {
  EXPECT_FALSE(spent.contains(use(1), now));
  EXPECT_TRUE(spent.add(use(1), now + 128s, now));
  EXPECT_TRUE(spent.contains(use(1), now));
  EXPECT_TRUE(spent.contains(use(1), now + 127s));
  EXPECT_FALSE(spent.contains(use(1), now + 129s));
}

TEST_F(SpentCookiesTest, TakesNoOtherForIt) {
  spent.add(use(1), now + 128s, now);
  CookieUse other_client = use(1), other_service = use(1), other_listen = use(1);
  other_client.client.address.bytes[15] ^= 1;
  other_service.service.address.bytes[15] ^= 1;
  other_listen.service.port ^= 1;
  for (const CookieUse& other :
       {use(2), use(1, 1001), use(1, 1000, 8), other_client, other_service, other_listen}) {
    EXPECT_FALSE(spent.contains(other, now));
  }
}

TEST_F(SpentCookiesTest, ForgetsTheSoonestExpiredWhereThereIsNoRoomAndSaysSo) {
  unsigned forgotten = 0;
  for (std::uint16_t port = 1; port <= 500; ++port) {
    if (!spent.add(use(port), now + 100s + 1ms * port, now)) ++forgotten;
  }
  EXPECT_GE(forgotten, 500U - room);
  EXPECT_TRUE(spent.contains(use(500), now));
}

TEST_F(SpentCookiesTest, ExpiredOnesMakeRoom) {
  for (std::uint16_t port = 1; port <= 500; ++port) spent.add(use(port), now + 100s, now);
  now += 101s;
  EXPECT_TRUE(spent.add(use(1000), now + 128s, now));
}

TEST_F(SpentCookiesTest, ForgetsNoneWhileThreeQuartersAreTaken) {
  Memory large(SpentCookies::buckets_for(1 << 16));
  SpentCookies many(large, {5, 6});
  unsigned forgotten = 0;
  for (std::uint32_t i = 0; i < 3U << 14; ++i) {
    if (!many.add(use(1, i), now + 128s, now)) ++forgotten;
  }
  EXPECT_EQ(forgotten, 0U);
}

// 15: heavy reuse of ports. Cookies of one pair of addresses and ports meet again and again in 24
// random bits (the other eight are the same for clients that are alike), but not with their ISNs.
TEST_F(SpentCookiesTest, BusyPortsAreNeverTakenForAReplay) {
  constexpr std::uint32_t connections = 2'000'000;
  constexpr std::uint16_t ports = 500;
  Memory large(SpentCookies::buckets_for(2 * connections));
  SpentCookies busy(large, {0x0123456789abcdefU, 0xfedcba9876543210U});
  std::mt19937 random(1);
  unsigned false_positives = 0;
  for (std::uint32_t i = 0; i < connections; ++i) {
    const CookieUse fresh = use(static_cast<std::uint16_t>(i % ports), random(), random() << 8);
    if (busy.contains(fresh, now)) ++false_positives;
    busy.add(fresh, now + 128s, now);
  }
  EXPECT_EQ(false_positives, 0U);
}

// What a process left is found by the next one, also by another thread.
TEST_F(SpentCookiesTest, AnotherTableInTheSameMemoryKnowsThem) {
  spent.add(use(1), now + 128s, now);
  const SpentCookies successor(memory, {1, 2});
  EXPECT_TRUE(successor.contains(use(1), now));
  EXPECT_FALSE(successor.contains(use(2), now));
}

TEST_F(SpentCookiesTest, ThreadsLoseNothingToEachOther) {
  Memory large(SpentCookies::buckets_for(1 << 16));
  SpentCookies shared(large, {5, 6});
  constexpr std::uint32_t each = 1 << 13;
  const auto fill = [&](std::uint16_t port) {
    for (std::uint32_t i = 0; i < each; ++i) shared.add(use(port, i), now + 128s, now);
  };
  {
    const std::jthread one(fill, std::uint16_t{1}), two(fill, std::uint16_t{2});
    fill(3);
  }
  for (std::uint16_t port = 1; port <= 3; ++port) {
    for (std::uint32_t i = 0; i < each; ++i) ASSERT_TRUE(shared.contains(use(port, i), now));
  }
}

}  // namespace
}  // namespace synward::handshake
