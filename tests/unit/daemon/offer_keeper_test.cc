// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/offer_keeper.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "daemon/io/clock.h"
#include "tests/support/growth.h"
#include "tests/support/temporary_directory.h"

namespace synward {
namespace {

using handshake::Epoch;

wire::Endpoint endpoint(const char* text) {
  return wire::parse_endpoint(text).value_or(wire::Endpoint{});
}

backend::Answer full_answer() {
  backend::Answer answer{.window = 65160, .options = {}, .ecn_echo = true};
  answer.options.mss = 1460;
  answer.options.window_scale = 7;
  answer.options.sack_permitted = true;
  answer.options.timestamps = wire::Timestamps{1, 1};
  return answer;
}

// Nobody is asked here: that is due after ten seconds at the earliest.
class Offers : public ::testing::Test {
 protected:
  Offers() {
    settings_.cookies.key_file = directory_.path() / "cookie.key";
    settings_.splice.early_data.per_connection_bytes = 65535;
    settings_.services = {
        {.name = "web",
         .listen = {endpoint("203.0.113.10:443")},
         .backends = {{endpoint("198.51.100.1:443")}, {endpoint("198.51.100.2:443")}}}};
  }
  OfferKeeper started(Epoch present) {
    OfferKeeper keeper(settings_, ServiceLayout(settings_.services), HostFacts{});
    keeper.begin(present);
    return keeper;
  }
  static void learn(const OfferKeeper& keeper, const backend::Answer& answer) {
    keeper.board()->learn_anew(0, 0, answer);
    keeper.board()->learn_anew(0, 1, answer);
  }
  // As the daemon does it.
  static bool turn(OfferKeeper& keeper, Epoch present) {
    const bool changed = keeper.turn(io::now(), present);
    if (changed) keeper.published();
    return changed;
  }
  static const handshake::ServiceOffer& offer(const OfferKeeper& keeper, Epoch epoch) {
    return keeper.histories().at(0).at(epoch);
  }

  const test::TemporaryDirectory directory_;
  config::Settings settings_;
};

TEST_F(Offers, W2TimestampsWaitForTheLastBackend) {
  OfferKeeper keeper = started(10);
  keeper.board()->learn_anew(0, 0, full_answer());
  turn(keeper, 10);
  EXPECT_FALSE(offer(keeper, 11).timestamps);
  EXPECT_FALSE(offer(keeper, 11).ecn);
  keeper.board()->learn_anew(0, 1, full_answer());
  EXPECT_TRUE(turn(keeper, 11));
  EXPECT_FALSE(offer(keeper, 11).timestamps);
  EXPECT_TRUE(offer(keeper, 12).timestamps);
}

// For want of memory, say.
TEST_F(Offers, ThatWereNotPublishedAreSoAtTheNextTurn) {
  OfferKeeper keeper = started(10);
  learn(keeper, full_answer());
  EXPECT_TRUE(keeper.turn(io::now(), 10));
  EXPECT_TRUE(keeper.turn(io::now(), 10));
  keeper.published();
  EXPECT_FALSE(keeper.turn(io::now(), 10));
}

TEST_F(Offers, W2ShrinkAtOnceAndGrowWithTheNextEpoch) {
  OfferKeeper keeper = started(10);
  learn(keeper, full_answer());
  ASSERT_TRUE(turn(keeper, 10));
  ASSERT_TRUE(offer(keeper, 11).timestamps);
  backend::Answer less = full_answer();
  less.options.timestamps.reset();
  keeper.board()->learn(0, 1, {}, less);
  EXPECT_TRUE(turn(keeper, 11));
  EXPECT_FALSE(offer(keeper, 11).timestamps);
  EXPECT_TRUE(offer(keeper, 11).ecn);
  EXPECT_FALSE(turn(keeper, 11));
  const auto tries = keeper.histories().at(0).tries(11);
  EXPECT_TRUE(std::ranges::any_of(tries.all(), [](const auto& each) { return each.timestamps; }));
  keeper.board()->learn_anew(0, 1, full_answer());
  EXPECT_TRUE(turn(keeper, 11));
  EXPECT_FALSE(offer(keeper, 11).timestamps);
  EXPECT_TRUE(offer(keeper, 12).timestamps);
}

TEST_F(Offers, FollowTheMssThatALearningSynIsToldWithTheNextEpoch) {
  OfferKeeper keeper = started(10);
  learn(keeper, full_answer());
  turn(keeper, 10);
  backend::Answer small = full_answer();
  small.options.mss = 1400;
  keeper.board()->learn(0, 1, {}, small);
  EXPECT_FALSE(turn(keeper, 11)) << "one client's path";
  keeper.board()->learn_anew(0, 1, small);
  EXPECT_TRUE(turn(keeper, 11));
  EXPECT_EQ(offer(keeper, 11).mss, 1460);
  EXPECT_EQ(offer(keeper, 12).mss, 1400);
}

TEST_F(Offers, AreNotToldAgainForWhatWasLearnedBeforeTheStart) {
  OfferKeeper keeper(settings_, ServiceLayout(settings_.services), HostFacts{});
  backend::Answer less = full_answer();
  less.ecn_echo = false;
  learn(keeper, less);
  keeper.begin(10);
  EXPECT_FALSE(turn(keeper, 10));
}

// A worker has shrunk its own, and nobody else would tell it that the loss is over.
TEST_F(Offers, W2AreToldAgainWhereALossWasOverBeforeAnybodyLooked) {
  OfferKeeper keeper = started(10);
  learn(keeper, full_answer());
  ASSERT_TRUE(turn(keeper, 10));
  ASSERT_FALSE(turn(keeper, 12));
  backend::Answer less = full_answer();
  less.options.timestamps.reset();
  keeper.board()->learn(0, 1, {}, less);
  keeper.board()->learn(0, 1, {}, full_answer());
  EXPECT_TRUE(turn(keeper, 12));
  EXPECT_EQ(keeper.histories().at(0).newest().from, 13U);
  EXPECT_TRUE(offer(keeper, 13).timestamps);
  EXPECT_FALSE(turn(keeper, 12));
}

TEST_F(Offers, FollowNotEachWindowThatABackendAnswers) {
  OfferKeeper keeper = started(10);
  learn(keeper, full_answer());
  backend::Answer smaller = full_answer();
  smaller.window = 64240;
  keeper.board()->learn(0, 0, {}, smaller);
  EXPECT_TRUE(turn(keeper, 10));
  keeper.board()->learn(0, 0, {}, full_answer());
  EXPECT_FALSE(turn(keeper, 10));
  EXPECT_EQ(offer(keeper, 11).window, 64240);
}

TEST_F(Offers, AreMadeAgainAfterTheClockWasSteppedBack) {
  OfferKeeper keeper = started(500);
  learn(keeper, full_answer());
  ASSERT_TRUE(turn(keeper, 500));
  EXPECT_TRUE(turn(keeper, 10));
  EXPECT_FALSE(turn(keeper, 10));
  EXPECT_TRUE(offer(keeper, 11).timestamps);
}

std::vector<int> windows_tried(const OfferKeeper& keeper, std::size_t listen, Epoch epoch) {
  std::vector<int> windows;
  const auto tries = keeper.histories().at(listen).tries(epoch);
  for (const auto& offer : tries.all()) windows.push_back(offer.window);
  return windows;
}

TEST_F(Offers, OfOneEpochAllOutliveARestart) {
  const OfferKeeper first = started(5);
  settings_.splice.early_data.per_connection_bytes = 8192;
  const OfferKeeper second = started(10);
  settings_.splice.early_data.per_connection_bytes = 4096;
  const OfferKeeper third = started(10);
  const OfferKeeper fourth = started(10);
  EXPECT_EQ(windows_tried(fourth, 0, 10), (std::vector<int>{4096, 8192, 65535}));
}

TEST_F(Offers, MoveWithTheirListenToAnotherService) {
  const OfferKeeper before = started(10);
  ServiceLayout layout(settings_.services);
  settings_.services[0].name = "web-2";
  layout.apply(settings_.services);
  settings_.splice.early_data.per_connection_bytes = 8192;
  OfferKeeper renamed(settings_, layout, HostFacts{}, before);
  renamed.begin(10);
  EXPECT_EQ(windows_tried(renamed, 1, 10), (std::vector<int>{8192, 65535}));
}

TEST_F(Offers, AreTheRunningOnesAgainAfterAReloadWasRefused) {
  settings_.splice.early_data.per_connection_bytes = 8192;
  const OfferKeeper running = started(5);
  const ServiceLayout layout(settings_.services);
  config::Settings refused = settings_;
  refused.splice.early_data.per_connection_bytes = 4096;
  OfferKeeper wanted(refused, layout, HostFacts{}, running);
  wanted.begin(10);
  ASSERT_EQ(offer(wanted, 10).window, 4096);
  OfferKeeper back(settings_, layout, HostFacts{}, wanted);
  back.begin(10);
  EXPECT_EQ(windows_tried(back, 0, 10), (std::vector<int>{8192, 4096, 8192}));
}

TEST_F(Offers, OfTheDaemonBeforeAreStillTried) {
  const OfferKeeper before = started(10);
  settings_.splice.early_data.per_connection_bytes = 8192;
  const OfferKeeper after = started(10);
  EXPECT_EQ(offer(after, 10).window, 8192);
  const auto tries = after.histories().at(0).tries(11);
  ASSERT_EQ(tries.all().size(), 2U);
  EXPECT_EQ(tries[1].window, 65535);
}

std::vector<config::Service> services_of(std::size_t services, std::uint16_t listens,
                                         std::uint16_t backends) {
  std::vector<config::Service> result(services);
  for (std::size_t i = 0; i < services; ++i) {
    const std::array octets{std::uint8_t{10}, static_cast<std::uint8_t>(i >> 8),
                            static_cast<std::uint8_t>(i), std::uint8_t{1}};
    const wire::Address address = wire::Address::from_ipv4(octets);
    result[i].name = "service-" + std::to_string(i);
    for (std::uint16_t port = 1; port <= listens; ++port) {
      result[i].listen.push_back({address, port});
    }
    for (std::uint16_t port = 1; port <= backends; ++port) {
      result[i].backends.push_back({{address, port}});
    }
  }
  return result;
}

// 64 backends each, as many as there may be. A start that is quadratic in them takes minutes.
TEST_F(Offers, AreLaidOutInLinearTime) {
  const double growth = test::growth(20, [this](std::size_t services) {
    settings_.services = services_of(services, 1, 64);
    return [this, layout = ServiceLayout(settings_.services)] {
      EXPECT_EQ(OfferKeeper(settings_, layout, HostFacts{}).histories().size(),
                settings_.services.size());
    };
  });
  EXPECT_LT(growth, test::linear_growth_max);
}

TEST_F(Offers, AreReadInLinearTime) {
  const double growth = test::growth(2, [this](std::size_t services) {
    settings_.services = services_of(services, 100, 0);
    settings_.splice.early_data.per_connection_bytes = 65535;
    started(10);
    settings_.splice.early_data.per_connection_bytes = 8192;  // another offer than in the file
    return [this, layout = ServiceLayout(settings_.services)] {
      const OfferKeeper keeper(settings_, layout, HostFacts{});
      EXPECT_EQ(offer(keeper, 10).window, 65535);
    };
  });
  EXPECT_LT(growth, test::linear_growth_max);
}

TEST_F(Offers, MoveWithTheirListensInLinearTime) {
  const double growth = test::growth(2, [this](std::size_t services) {
    settings_.services = services_of(services, 100, 0);
    ServiceLayout layout(settings_.services);
    const auto before = std::make_shared<OfferKeeper>(settings_, layout, HostFacts{});
    for (config::Service& service : settings_.services) service.name += "-renamed";
    layout.apply(settings_.services);
    return [this, layout, before] {
      const OfferKeeper keeper(settings_, layout, HostFacts{}, *before);
      EXPECT_EQ(keeper.histories().size(), 2 * before->histories().size());
    };
  });
  EXPECT_LT(growth, test::linear_growth_max);
}

}  // namespace
}  // namespace synward
