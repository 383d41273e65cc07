// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/handshake/spent_cookies.h"

#include <gtest/gtest.h>

namespace synward::handshake {
namespace {

using namespace std::chrono_literals;

flow::ConnectionKey client(std::uint16_t port) {
  return {.client = wire::parse_address("203.0.113.5").value(), .client_port = port, .listen = 0};
}

class SpentCookiesTest : public ::testing::Test {
 protected:
  SpentCookies spent{64, {1, 2}};
  Instant now{1h};
};

TEST_F(SpentCookiesTest, RemembersUntilTheCookieExpires) {
  EXPECT_FALSE(spent.contains(client(1), wire::SeqNumber(7), now));
  EXPECT_TRUE(spent.add(client(1), wire::SeqNumber(7), now + 128s, now));
  EXPECT_TRUE(spent.contains(client(1), wire::SeqNumber(7), now));
  EXPECT_TRUE(spent.contains(client(1), wire::SeqNumber(7), now + 127s));
  EXPECT_FALSE(spent.contains(client(1), wire::SeqNumber(7), now + 129s));
}

TEST_F(SpentCookiesTest, TakesNoOtherForIt) {
  spent.add(client(1), wire::SeqNumber(7), now + 128s, now);
  EXPECT_FALSE(spent.contains(client(2), wire::SeqNumber(7), now));
  EXPECT_FALSE(spent.contains(client(1), wire::SeqNumber(8), now));
}

TEST_F(SpentCookiesTest, ForgetsTheSoonestExpiredWhereThereIsNoRoomAndSaysSo) {
  unsigned forgotten = 0;
  for (std::uint16_t port = 1; port <= 500; ++port) {
    if (!spent.add(client(port), wire::SeqNumber(7), now + 100s + 1ms * port, now)) ++forgotten;
  }
  EXPECT_GE(forgotten, 500U - 64U);
  EXPECT_TRUE(spent.contains(client(500), wire::SeqNumber(7), now));
}

TEST_F(SpentCookiesTest, ExpiredOnesMakeRoom) {
  for (std::uint16_t port = 1; port <= 500; ++port) {
    spent.add(client(port), wire::SeqNumber(7), now + 100s, now);
  }
  now += 101s;
  EXPECT_TRUE(spent.add(client(1000), wire::SeqNumber(7), now + 128s, now));
}

}  // namespace
}  // namespace synward::handshake
