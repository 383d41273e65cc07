// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/address.h"

#include <gtest/gtest.h>

#include "tests/support/must.h"

namespace synward::wire {
namespace {

using test::must;

TEST(Address, PrintsWhatItParses) {
  for (const char* text : {"0.0.0.0", "203.0.113.10", "255.255.255.255", "::", "::1", "2001:db8::1",
                           "fe80::1:2:3:4"}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_EQ(to_string(must(address)), text);
  }
}

TEST(Address, TellsTheFamiliesApart) {
  EXPECT_TRUE(must(parse_address("0.0.0.0")).is_ipv4());
  EXPECT_FALSE(must(parse_address("::")).is_ipv4());
  EXPECT_FALSE(must(parse_address("::203.0.113.10")).is_ipv4());
  EXPECT_NE(parse_address("0.0.0.0"), parse_address("::"));
}

TEST(Address, RefusesWhatIsNotANumericAddress) {
  for (const char* text : {"", "localhost", "203.0.113", "203.0.113.256", "203.0.113.10/24",
                           " 203.0.113.10", "2001:db8::g", "fe80::1%eth0", "::ffff:203.0.113.10"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
}

TEST(Address, RefusesTextBehindANul) {
  EXPECT_FALSE(parse_address(std::string_view("203.0.113.10\0.example", 21)));
}

TEST(Address, OrderIsThatOfTheBytes) {
  EXPECT_LT(must(parse_address("10.0.0.1")), must(parse_address("10.0.0.2")));
  EXPECT_LT(must(parse_address("10.0.0.2")), must(parse_address("2001:db8::1")));
}

TEST(EndpointText, PrintsWhatItParses) {
  for (const char* text : {"203.0.113.10:443", "[2001:db8::1]:65535", "[::1]:1"}) {
    const auto endpoint = parse_endpoint(text);
    ASSERT_TRUE(endpoint.has_value()) << text;
    EXPECT_EQ(to_string(must(endpoint)), text);
  }
}

TEST(EndpointText, RefusesPortsAndBracketsThatAreNone) {
  for (const char* text :
       {"203.0.113.10", "203.0.113.10:", "203.0.113.10:0", "203.0.113.10:65536", "203.0.113.10:-1",
        "203.0.113.10:+1", "203.0.113.10:0x50", "203.0.113.10:80 ", "[203.0.113.10]:80",
        "2001:db8::1:80", "[2001:db8::1]", "[2001:db8::1:80", "[]:80", ":80", ""}) {
    EXPECT_FALSE(parse_endpoint(text)) << text;
  }
}

}  // namespace
}  // namespace synward::wire
