// SPDX-License-Identifier: GPL-2.0-or-later
//
// T4: how long a connection may be silent, and who gives way when the table fills.
#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

using std::chrono::minutes;

class Capacity : public ::testing::Test, public Harness {
 protected:
  Capacity() {
    settings.connections = 256;
    settings.backlog = 4096;
    settings.idle = minutes(130);
  }
  static constexpr int bound = 252;  // a 64th less than the table

  static wire::Address address(int network, int host) {
    const std::array<std::uint8_t, 4> octets{10, 0, static_cast<std::uint8_t>(network),
                                             static_cast<std::uint8_t>(host)};
    return wire::Address::from_ipv4(octets);
  }
  // The server closes, the client acknowledges that and says no more: CLOSE_WAIT.
  void close_by_server(std::uint32_t cookie) {
    SegmentToSend fin = from_backend_segment(777001, 1001);
    fin.flags |= wire::flag_fin;
    ASSERT_EQ(from_backend(fin), Verdict::forward);
    ASSERT_EQ(from_client(from_client_segment(1001, cookie + 2)), Verdict::forward);
  }
  // Of one network, as fast as can be.
  void fill_half_closed(int network, int count) {
    for (int i = 0; i < count; ++i) {
      client = {address(network, 1 + i % 250), static_cast<std::uint16_t>(30'000 + i)};
      close_by_server(connect());
    }
  }
  void fill(int network, int count) {
    for (int i = 0; i < count; ++i) {
      client = {address(network, 1 + i % 250), static_cast<std::uint16_t>(30'000 + i)};
      connect();
    }
  }
  // Who comes now: whether the SYN is answered and the connection had.
  bool connects(int network, std::uint16_t port = 50'000) {
    client = {address(network, 251), port};
    if (from_client(syn()) != Verdict::reply) return false;
    const std::uint32_t cookie = left.front().segment.seq.value();
    if (from_client(from_client_segment(1001, cookie + 1)) != Verdict::consume) return false;
    return from_backend(syn_ack(777000, 1001)) == Verdict::consume;
  }
  // How many of so many who come from many networks do.
  int connect_of(int all) {
    int had = 0;
    for (int i = 0; i < all; ++i) {
      had += connects(20 + i % 100, static_cast<std::uint16_t>(50'000 + i)) ? 1 : 0;
    }
    return had;
  }
  std::uint64_t closed(CloseReason reason) {
    return counters().connections_closed[static_cast<std::size_t>(reason)].value();
  }
  std::uint64_t gave_way(GaveWay cause) {
    return counters().connections_gave_way[static_cast<std::size_t>(cause)].value();
  }
};

TEST_F(Capacity, HalfClosedAndSilentHasATimeoutOfItsOwn) {
  const std::uint32_t cookie = connect();
  pass(minutes(30));
  close_by_server(cookie);
  pass(minutes(10) - seconds(1));
  EXPECT_EQ(closed(CloseReason::idle), 0U);
  pass(seconds(2));
  EXPECT_EQ(closed(CloseReason::idle), 1U);
  EXPECT_EQ(left.size(), 2U) << "a RST to each side";
  EXPECT_EQ(gave_way(GaveWay::silence), 0U) << "its time was over";
}

TEST_F(Capacity, HalfClosedAndSpeakingLives) {
  const std::uint32_t cookie = connect();
  close_by_server(cookie);
  for (int i = 0; i < 10; ++i) {
    pass(minutes(9));
    EXPECT_EQ(from_client(from_client_segment(1001, cookie + 2)), Verdict::forward);
  }
  EXPECT_EQ(closed(CloseReason::idle), 0U);
}

// From a timer that was armed for two hours.
TEST_F(Capacity, AShortTimeoutOfHalfClosedHoldsFromTheFinOn) {
  settings.half_closed_idle = seconds(5);
  close_by_server(connect());
  pass(seconds(6));
  EXPECT_EQ(closed(CloseReason::idle), 1U);
}

// RFC 5382 REQ-5.
TEST_F(Capacity, UpToThreeQuartersNobodyIsEndedBeforeTwoHoursAndFourMinutes) {
  fill(1, 192);
  pass(minutes(124));
  EXPECT_EQ(closed(CloseReason::idle), 0U);
}

TEST_F(Capacity, TimeoutsShrinkInALine) {
  settings.half_closed_idle = minutes(61);
  fill_half_closed(1, 222);  // half-way from 192 to 252: one minute, and half of sixty
  pass(minutes(30));
  EXPECT_EQ(closed(CloseReason::idle), 0U);
  pass(minutes(2));
  EXPECT_GE(closed(CloseReason::idle), 1U);
  EXPECT_EQ(gave_way(GaveWay::silence), closed(CloseReason::idle));
}

// As it was found: for 2 h 10 min no client of any service connected.
TEST_F(Capacity, SilentClientsDoNotLockOthersOut) {
  fill_half_closed(1, bound);
  EXPECT_FALSE(connects(1)) << "nobody of their own network yet";
  pass(seconds(61));
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(connects(1, static_cast<std::uint16_t>(50'000 + i))) << i;
  }
  EXPECT_GE(gave_way(GaveWay::silence), 96U);
  EXPECT_EQ(closed(CloseReason::idle), gave_way(GaveWay::silence));
}

// As it was found: clients that came a little later stood before those who had been silent longest,
// and of those who wanted in together some were reset.
TEST_F(Capacity, ManyWhoWantInTogetherFindAPlace) {
  for (int i = 0; i < bound - 6; ++i) {  // in two seconds
    client = {address(1, 1 + i % 250), static_cast<std::uint16_t>(30'000 + i)};
    const std::uint32_t cookie = connect();
    pass(milliseconds(8));
    close_by_server(cookie);
  }
  pass(seconds(2));
  fill(2, 6);
  pass(seconds(59));
  std::vector<std::pair<Endpoint, std::uint32_t>> challenged;
  for (std::uint16_t i = 0; i < 60; ++i) {
    client = {address(1, 251), static_cast<std::uint16_t>(50'000 + i)};
    ASSERT_EQ(from_client(syn()), Verdict::reply) << i;
    challenged.emplace_back(client, left.front().segment.seq.value());
  }
  for (const auto& [who, cookie] : challenged) {
    client = who;
    EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
  }
}

TEST_F(Capacity, TheOneThatIsSilentLongestGivesWay) {
  client = {address(1, 200), 20'000};
  const std::uint32_t cookie = connect();
  const Endpoint speaks = client;
  ++client.port;
  connect();
  const Endpoint silent = client;
  pass(seconds(1));
  fill(1, bound - 2);
  pass(seconds(40));
  client = speaks;
  EXPECT_EQ(from_client(from_client_segment(1000, cookie + 1)), Verdict::forward);
  EXPECT_FALSE(connects(1));
  pass(seconds(20) - milliseconds(500));  // its minute is over
  EXPECT_EQ(gave_way(GaveWay::silence), 1U) << "and the table is below its bound again";
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[0].segment.destination, silent);
  pass(milliseconds(500));
  EXPECT_TRUE(connects(1));
  EXPECT_TRUE(connects(1, 50'001));
  EXPECT_EQ(gave_way(GaveWay::silence), 2U);
  for (const Left& each : left) EXPECT_NE(each.segment.destination, speaks);
}

TEST_F(Capacity, WhoSpeaksDoesNotGiveWayToHisOwnNetwork) {
  std::vector<std::uint32_t> cookies;
  for (int i = 0; i < bound; ++i) {
    client = {address(1, 1 + i % 250), static_cast<std::uint16_t>(30'000 + i)};
    cookies.push_back(connect());
  }
  for (int round = 0; round < 5; ++round) {
    pass(seconds(30));
    for (int i = 0; i < bound; ++i) {
      client = {address(1, 1 + i % 250), static_cast<std::uint16_t>(30'000 + i)};
      ASSERT_EQ(from_client(from_client_segment(1000, cookies[static_cast<std::size_t>(i)] + 1)),
                Verdict::forward);
    }
    for (std::uint16_t i = 0; i < 40; ++i) {
      EXPECT_FALSE(connects(1, static_cast<std::uint16_t>(50'000 + i)));
    }
  }
  EXPECT_EQ(closed(CloseReason::idle), 0U);
}

TEST_F(Capacity, ANetworkHoldsAnEighthWhileOthersWantIn) {
  fill_half_closed(1, bound);
  for (int i = 0; i < 32; ++i) {
    EXPECT_TRUE(connects(2, static_cast<std::uint16_t>(50'000 + i))) << i;
  }
  EXPECT_FALSE(connects(2, 60'000)) << "that is an eighth of the table";
  for (int network = 3; network < 8; ++network) {
    for (int i = 0; i < 32; ++i) {
      EXPECT_TRUE(connects(network, static_cast<std::uint16_t>(50'000 + i))) << network;
    }
  }
  EXPECT_EQ(closed(CloseReason::displaced), gave_way(GaveWay::share));
  EXPECT_EQ(gave_way(GaveWay::share), 6U * 32U);
}

TEST_F(Capacity, WhatHasEndedGoesFirst) {
  fill(1, bound - 1);
  client = {address(1, 100), 60'000};
  const std::uint32_t cookie = connect();
  SegmentToSend reset = from_client_segment(1001, cookie + 1);
  reset.flags = wire::flag_rst | wire::flag_ack;
  EXPECT_EQ(from_client(reset), Verdict::forward);
  EXPECT_TRUE(connects(2));
  EXPECT_EQ(gave_way(GaveWay::share), 0U);
}

// Anybody can forge a SYN.
TEST_F(Capacity, NobodyGivesWayToSpoofedSyns) {
  fill(1, bound);
  for (int i = 0; i < 2000; ++i) {
    client = {address(2 + i % 200, 1 + i / 200), 40'000};
    from_client(syn());
  }
  EXPECT_EQ(gave_way(GaveWay::share), 0U);
  EXPECT_TRUE(connects(250));
  EXPECT_EQ(gave_way(GaveWay::share), 1U);
}

TEST_F(Capacity, ASynOverItsLimitIsSaidToBeThat) {
  settings.services[0].synacks_per_prefix = 1;
  fill(1, bound);
  for (std::uint16_t i = 0; i < 100; ++i) {
    client = {address(1, 251), static_cast<std::uint16_t>(50'000 + i)};
    EXPECT_EQ(from_client(syn()), Verdict::drop);
    client.address = address(2, 251);
    from_client(syn());
  }
  EXPECT_GT(dropped(synward_reason_synack_limit), 0U);
  EXPECT_EQ(gave_way(GaveWay::share), 0U);
}

class TwoServices : public Capacity {
 protected:
  const Endpoint other = endpoint("198.51.100.11:22");
  TwoServices() {
    settings.services = {{.listens = {service}, .backends = {}},
                         {.listens = {other}, .backends = {}}};
    settings.offers = {2, handshake::OfferHistory(handshake::ServiceOffer{.mss = 1460})};
  }
};

// Of no network above its share; of a service that has all of it.
TEST_F(TwoServices, AServiceHoldsItsShareWhileOthersWantIn) {
  for (int network = 1; network <= 9; ++network) fill(network, 28);
  EXPECT_FALSE(connects(9)) << "of the same service";
  service = backend = other;
  for (int i = 0; i < 30; ++i) {
    EXPECT_TRUE(connects(20 + i, static_cast<std::uint16_t>(50'000 + i))) << i;
  }
  EXPECT_GE(gave_way(GaveWay::share), 26U);
  EXPECT_EQ(all_counters().services[1].connections_gave_way[1].value(), 0U);
}

TEST_F(TwoServices, ANetworkAboveItsShareTakesNothingInTheNameOfAQuietService) {
  for (int network = 1; network <= 8; ++network) fill(network, 28);
  service = backend = other;
  fill(30, 28);
  int had = 0;
  for (std::uint16_t i = 0; i < 100; ++i) {
    had += connects(30, static_cast<std::uint16_t>(50'000 + i)) ? 1 : 0;
  }
  EXPECT_EQ(had, 4) << "then it has its eighth";
  EXPECT_EQ(gave_way(GaveWay::share), 4U);
}

// One that wants in for good followed by one of the service that has too much, again and again.
TEST_F(TwoServices, NobodyGivesWayToSpoofedSynsOfAnotherService) {
  for (int network = 1; network <= 9; ++network) fill(network, 28);
  const Endpoint first = service;
  for (int i = 0; i < 50; ++i) {
    service = backend = other;
    client = {address(20 + i, 1), 40'000};
    from_client(syn());
    service = backend = first;
    connects(9, static_cast<std::uint16_t>(50'000 + i));
  }
  EXPECT_EQ(gave_way(GaveWay::share), 0U);
}

TEST_F(TwoServices, OneClientOfOneServiceLeavesTheOtherOneOpenToItself) {
  fill(1, bound);
  service = backend = other;
  EXPECT_TRUE(connects(1)) << "the network has its share, the service has not";
}

// T6: it may be of a connection past us, which goes on.
TEST_F(Capacity, AGuessGivesWayAndNobodyIsTold) {
  settings.adopt_until = now + minutes(10);
  for (int i = 0; i < 64; ++i) {
    client = {address(1, 1 + i), 30'000};
    ASSERT_EQ(from_backend(from_backend_segment(9000, 5000)), Verdict::forward);
  }
  fill(2, 28);
  for (int network = 3; network < 11; ++network) fill(network, 22);
  ASSERT_TRUE(connects(20));
  ASSERT_TRUE(connects(21));
  for (const Left& each : left) EXPECT_FALSE(each.segment.has(wire::flag_rst));
  EXPECT_EQ(gave_way(GaveWay::share), 0U);
  EXPECT_EQ(closed(CloseReason::displaced), 0U);
}

// Whoever forges one counts against the network that he forges it of.
TEST_F(Capacity, GuessesAreInNobodysShareAndGiveWayFirst) {
  settings.adopt_until = now + minutes(10);
  fill(1, 20);
  for (int i = 0; i < 40; ++i) {
    client = {address(1, 100 + i), 30'000};
    ASSERT_EQ(from_client(from_client_segment(5000, 9000)), Verdict::forward);
  }
  for (int network = 2; network < 10; ++network) fill(network, 24);
  EXPECT_EQ(connect_of(500), 40) << "as many as there are guesses";
  EXPECT_EQ(gave_way(GaveWay::share), 0U);
  EXPECT_EQ(closed(CloseReason::displaced), 0U);
}

// Nor do they fill the table for those that are silent.
TEST_F(Capacity, GuessesShortenNobodysTimeout) {
  settings.adopt_until = now + minutes(10);
  for (int network = 1; network < 10; ++network) fill(network, 21);
  pass(seconds(40));
  for (int i = 0; i < 64; ++i) {
    client = {address(200, 1 + i), 30'000};
    ASSERT_EQ(from_client(from_client_segment(5000, 9000)), Verdict::forward);
  }
  pass(seconds(25));
  EXPECT_TRUE(connects(20));
  EXPECT_EQ(closed(CloseReason::idle), 0U);
  EXPECT_EQ(gave_way(GaveWay::silence), 0U);
}

class LargeTable : public Capacity {
 protected:
  LargeTable() { settings.connections = 4096; }
};

// Those above their share may all be beside each other, and far from where they are looked for.
TEST_F(LargeTable, WhoIsAboveItsShareIsFoundWhereverItIs) {
  for (int network = 30; network < 45; ++network) fill(network, 67);
  fill(1, 2000);
  for (int network = 45; network < 60; ++network) fill(network, 67);
  int had = 0, tried = 0;
  for (; had < 500 && tried < 1000; ++tried) {
    had += connects(100 + tried % 100, static_cast<std::uint16_t>(50'000 + tried)) ? 1 : 0;
    pass(milliseconds(8));
  }
  EXPECT_EQ(had, 500);
  EXPECT_LE(tried, 500 + 5) << "while the ticks look for the first of them";
  EXPECT_EQ(gave_way(GaveWay::share), 500U - (4032 - 4010));
}

TEST_F(Capacity, AConfirmedGuessIsInItsNetworksShare) {
  settings.adopt_until = now + minutes(10);
  for (int i = 0; i < 40; ++i) {
    client = {address(1, 100 + i), 30'000};
    ASSERT_EQ(from_client(from_client_segment(5000, 9000)), Verdict::forward);
    ASSERT_EQ(from_backend(from_backend_segment(9000, 5000)), Verdict::forward);
  }
  for (int network = 2; network < 12; ++network) fill(network, network == 11 ? 14 : 22);
  EXPECT_EQ(connect_of(500), 8) << "then it has its eighth";
  EXPECT_EQ(closed(CloseReason::displaced), 8U);
}

}  // namespace
}  // namespace synward::engine
