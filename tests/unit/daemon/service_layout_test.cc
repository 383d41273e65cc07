// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/service_layout.h"

#include <gtest/gtest.h>

namespace synward {
namespace {

wire::Endpoint endpoint(const char* text) {
  return wire::parse_endpoint(text).value_or(wire::Endpoint{});
}

config::Service service(const char* name, std::vector<const char*> listen,
                        std::vector<const char*> backends = {}) {
  config::Service result{.name = name, .listen = {}, .backends = {}};
  for (const char* text : listen) result.listen.push_back(endpoint(text));
  for (const char* text : backends) result.backends.push_back({endpoint(text)});
  return result;
}

const config::Service web = service("web", {"203.0.113.10:443"}, {"[2001:db8:2::10]:443"});
const config::Service mail = service("mail", {"203.0.113.25:25"});

TEST(ServiceLayout, ATransparentServiceStandsUnderItsListenAddresses) {
  const auto names = ServiceLayout({web, mail}).names();
  ASSERT_EQ(names.size(), 2U);
  EXPECT_EQ(names[0].name, "web");
  EXPECT_EQ(names[0].backends, std::vector<std::string>{"[2001:db8:2::10]:443"});
  EXPECT_EQ(names[1].backends, std::vector<std::string>{"203.0.113.25:25"});
}

TEST(ServiceLayout, NumbersAreKeptOverReloadsAndAbsences) {
  ServiceLayout layout({web, mail});
  const std::uint16_t listen_of_mail =
      layout.directory().find_listens(endpoint("203.0.113.25:25")).front();
  layout.apply({service("dns", {"203.0.113.53:53"}), mail});
  EXPECT_EQ(layout.names()[0].name, "web");
  EXPECT_EQ(layout.names()[2].name, "dns");
  EXPECT_TRUE(layout.plans()[0].listens.empty());
  EXPECT_EQ(layout.directory().find_listens(endpoint("203.0.113.25:25")).front(), listen_of_mail);
  EXPECT_TRUE(layout.directory().listen(0).retired);
  layout.apply({web, mail});
  EXPECT_FALSE(layout.directory().listen(0).retired);
  EXPECT_EQ(layout.directory().listen_count(), 3U);
}

// Numbers are 16 bits and for the life of the process.
TEST(ServiceLayout, RunsOutOfNumbersOnlyWhereNewOnesAreNeeded) {
  ServiceLayout layout({mail});
  config::Service many = service("many", {}, {"198.51.100.1:80"});
  for (std::uint16_t port = 1; port < 65535; ++port) {
    many.listen.push_back({web.listen.front().address, port});
  }
  ASSERT_TRUE(layout.has_room_for({mail, many}));
  layout.apply({mail, many});
  EXPECT_TRUE(layout.has_room_for({mail, many}));  // all of them have theirs
  EXPECT_FALSE(layout.has_room_for({mail, service("dns", {"203.0.113.53:53"})}));
}

TEST(ServiceLayout, ABackendKeepsItsPositionAndOneThatLeftGetsNothingNew) {
  ServiceLayout layout({service("web", {"203.0.113.10:443"}, {"198.51.100.1:443"})});
  layout.apply({service("web", {"203.0.113.10:443"}, {"198.51.100.2:443", "198.51.100.3:443"})});
  const auto& directory = layout.directory();
  EXPECT_EQ(directory.backend(0, 0), endpoint("198.51.100.1:443"));
  EXPECT_EQ(std::vector(directory.candidates(0).begin(), directory.candidates(0).end()),
            (std::vector<std::uint16_t>{1, 2}));
  EXPECT_FALSE(directory.listens_before(endpoint("198.51.100.1:443")).empty());
  EXPECT_EQ(layout.backend_counts(), std::vector<std::size_t>{3});
}

TEST(ServiceLayout, AListenThatMovesToAnotherServiceIsFoundThereFirst) {
  ServiceLayout layout({web});
  config::Service renamed = web;
  renamed.name = "www";
  layout.apply({renamed});
  const auto listens = layout.directory().find_listens(endpoint("203.0.113.10:443"));
  ASSERT_EQ(listens.size(), 2U);
  EXPECT_EQ(layout.directory().listen(listens[0]).service, 1U);
  EXPECT_FALSE(layout.directory().listen(listens[0]).retired);
  EXPECT_TRUE(layout.directory().listen(listens[1]).retired);
}

}  // namespace
}  // namespace synward
