// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/backend/directory.h"

#include <gtest/gtest.h>

#include "tests/support/growth.h"

namespace synward::backend {
namespace {

wire::Endpoint endpoint(const char* text) {
  return wire::parse_endpoint(text).value_or(wire::Endpoint{});
}

TEST(Directory, AListenThatIsConfiguredStandsBeforeARetiredOne) {
  ServicePlan web{.listens = {endpoint("203.0.113.1:80")}, .backends = {endpoint("10.0.0.1:80")}};
  const ServicePlan other{.listens = {endpoint("203.0.113.2:80")}, .backends = web.backends};
  Directory directory({web, other});
  web.listens.clear();
  directory.apply({web, other});
  EXPECT_EQ(directory.listens_before(endpoint("10.0.0.1:80")).front(), 1);
  EXPECT_TRUE(directory.listen(0).retired);
}

// As many as a configuration may have. A step that is quadratic in them takes minutes.
TEST(Directory, HoldsThousandsOfListensInFrontOfTheSameBackends) {
  ServicePlan plan;
  for (std::uint16_t i = 0; i < 4096; ++i) {
    plan.listens.push_back({endpoint("203.0.113.1:80").address, static_cast<std::uint16_t>(i + 1)});
  }
  for (std::uint16_t i = 0; i < 64; ++i) {
    plan.backends.push_back({endpoint("10.0.0.1:80").address, static_cast<std::uint16_t>(i + 1)});
  }
  Directory directory({plan});
  directory.apply({plan});
  EXPECT_EQ(directory.listen_count(), 4096);
  EXPECT_EQ(directory.listens_before(plan.backends.back()).size(), 4096U);
}

// A transparent service has each of its listens as a backend. Those of former reloads stay.
TEST(Directory, NumbersTransparentListensInLinearTime) {
  const double growth = test::growth(400, [](std::size_t listens) {
    ServicePlan plan;
    for (std::size_t i = 1; i <= listens; ++i) {
      plan.listens.push_back({endpoint("203.0.113.1:80").address, static_cast<std::uint16_t>(i)});
    }
    return [plan] {
      const Directory directory({plan});
      EXPECT_EQ(directory.backend_count(0), plan.listens.size());
      EXPECT_TRUE(directory.has_backend(0, plan.listens.back()));
    };
  });
  EXPECT_LT(growth, test::linear_growth_max);
}

TEST(Directory, TellsWhatHasANumberAlready) {
  const ServicePlan web{.listens = {endpoint("203.0.113.1:80")},
                        .backends = {endpoint("10.0.0.1:80")}};
  const ServicePlan none{.listens = {}, .backends = {}};
  const Directory directory({web, none});
  EXPECT_TRUE(directory.has_listen(0, endpoint("203.0.113.1:80")));
  EXPECT_FALSE(directory.has_listen(1, endpoint("203.0.113.1:80")));
  EXPECT_TRUE(directory.has_backend(0, endpoint("10.0.0.1:80")));
  EXPECT_FALSE(directory.has_backend(0, endpoint("10.0.0.1:81")));
}

}  // namespace
}  // namespace synward::backend
