// SPDX-License-Identifier: GPL-2.0-or-later
//
// Limits of a service, and what belongs to it but is not in this version.
#include "tests/unit/config/support.h"

namespace synward::config::test {
namespace {

std::string with_service_keys(std::string_view keys) {
  return "interfaces: {client: [eth0], server: [eth1]}\n"
         "services:\n"
         "  - name: web\n"
         "    listen: ['203.0.113.10:443']\n"
         "    " +
         std::string(keys) + "\n";
}

struct Refusal {
  std::string_view keys;
  std::string_view problem;  // its place in line 5
};

void expect_refused(const Refusal& refusal) {
  EXPECT_EQ(problems_of(with_service_keys(refusal.keys)),
            "5:" + std::string(refusal.problem) + "\n")
      << refusal.keys;
}

TEST(ConfigLimits, SynAcksPerPrefix) {
  const auto value = [](std::string_view keys) {
    return loaded_settings(with_service_keys(keys)).services[0].limits.synacks_per_prefix;
  };
  EXPECT_EQ(value(""), 1000U);
  EXPECT_EQ(value("limits: {}"), 1000U);
  EXPECT_EQ(value("limits: {synacks_per_prefix: 0/s}"), 0U);
  EXPECT_EQ(value("limits: {synacks_per_prefix: 100000000/s}"), 100'000'000U);
  expect_refused({"limits: {synacks_per_prefix: 100000001/s}",
                  "34: synacks_per_prefix: '100000001/s' is out of range; the range is 0/s to "
                  "100000000/s"});
  expect_refused({"limits: {synacks_per_perfix: 1/s}",
                  "14: unknown key 'synacks_per_perfix' in limits; did you mean "
                  "'synacks_per_prefix'?"});
}

TEST(ConfigLimits, WhatIsDoneAnywayIsAccepted) {
  EXPECT_EQ(problems_of(with_service_keys(
                "limits: {connections_per_source: 0, connection_rate_per_source: 0/s, "
                "prefixes: {ipv4: 32, ipv6: 64}}")),
            "");
  EXPECT_EQ(problems_of(with_service_keys("health: off")), "");
}

TEST(ConfigLimits, WhatComesLaterIsRefused) {
  expect_refused({"limits: {connections_per_source: 10}",
                  "38: connections_per_source: '10' is not in this version"});
  expect_refused({"limits: {connection_rate_per_source: 10/s}",
                  "42: connection_rate_per_source: '10/s' is not in this version"});
  expect_refused({"limits: {prefixes: {ipv4: 24}}", "31: ipv4: '24' is not in this version"});
  expect_refused(
      {"health: {interval: 5s, timeout: 2s, rise: 2, fall: 3}", "13: health: not in this version"});
  expect_refused({"allow: ['192.0.2.0/24']", "13: allow: '192.0.2.0/24' is not in this version"});
  expect_refused({"deny: ['2001:db8::/32']", "12: deny: '2001:db8::/32' is not in this version"});
  expect_refused({"only: ['192.0.2.0/24']", "12: only: '192.0.2.0/24' is not in this version"});
  expect_refused(
      {"backends: ['10.0.0.1:1 drain']", "16: backends: 'drain' is not in this version"});
  EXPECT_EQ(problems_after_required("detection: {dwell: 10s}\n"),
            "3:12: detection: not in this version\n");
}

TEST(ConfigLimits, AndCheckedAllTheSame) {
  expect_refused({"limits: {prefixes: {ipv6: 129}}",
                  "31: ipv6: '129' is out of range; the range is 16 to 128"});
  expect_refused({"deny: ['192.0.2.0/33']",
                  "12: deny: the length of '192.0.2.0/33': '33' is out of range; the range is 0 to "
                  "32"});
  expect_refused({"deny: ['192.0.2.1']",
                  "12: deny: '192.0.2.1' is not a network such as 203.0.113.0/24 or "
                  "2001:db8::/32"});
  expect_refused({"health: on", "13: health: 'on' is not one of off"});
}

}  // namespace
}  // namespace synward::config::test
