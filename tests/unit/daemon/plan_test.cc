// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace synward {
namespace {

using ::testing::ElementsAre;

wire::Address address(const char* text) {
  return wire::parse_address(text).value_or(wire::Address{});
}

TEST(Plan, F1DirectedBroadcastsAreNoSourcesAndNotOurOwnForTheRules) {
  const config::Settings settings;
  const ServiceLayout layout(settings.services);
  HostFacts host;
  host.network.own_addresses = {address("192.0.2.1")};
  host.network.broadcasts = {address("192.0.2.255")};
  EXPECT_THAT(engine_settings(settings, layout, host, 1, 0).own_addresses,
              ElementsAre(address("192.0.2.1"), address("192.0.2.255")));
  EXPECT_THAT(ruleset_plan(settings, layout, host, 1).own_addresses,
              ElementsAre(address("192.0.2.1")));
}

}  // namespace
}  // namespace synward
