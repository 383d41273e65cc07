// SPDX-License-Identifier: GPL-2.0-or-later
//
// One value at a time is wrong; the rest of the file is fine.
#include "tests/unit/config/support.h"

namespace synward::config::test {
namespace {

struct Refusal {
  std::string_view yaml;
  std::string_view problem;
};

void expect_refused(const Refusal& refusal) {
  EXPECT_EQ(problems_after_required(refusal.yaml), std::string(refusal.problem) + "\n")
      << refusal.yaml;
}

TEST(ConfigRefuses, ValuesWhosePartDoesNotExistYet) {
  expect_refused({"splice: {engine: kernel}", "3:18: engine: 'kernel' is not in this version"});
  expect_refused({"shield: {mode: xdp}", "3:16: mode: 'xdp' is not in this version"});
  expect_refused({"on_overload: pass", "3:14: on_overload: 'pass' is not in this version"});
  expect_refused({"shield: {mode: tc}", "3:16: mode: 'tc' is not in this version"});
}

TEST(ConfigRefuses, WordsThatAreNoneOfTheChoice) {
  expect_refused({"on_exit: drop", "3:10: on_exit: 'drop' is not in this version"});
  expect_refused({"on_exit: off", "3:10: on_exit: 'off' is not one of drop, pass"});
  expect_refused(
      {"on_exit: Pass", "3:10: on_exit: 'Pass' is not one of drop, pass; did you mean 'pass'?"});
  expect_refused(
      {"splice: {engine: atuo}",
       "3:18: engine: 'atuo' is not one of auto, userspace, kernel; did you mean 'auto'?"});
  expect_refused(
      {"splice: {unknown_segments: reject}",
       "3:28: unknown_segments: 'reject' is not one of drop, reset; did you mean 'reset'?"});
  expect_refused(
      {"realtime: no", "3:11: realtime: 'no' is neither off nor a decimal number, 1 to 99"});
  expect_refused({"workers: Auto",
                  "3:10: workers: 'Auto' is neither auto nor a decimal number, 1 to 64; "
                  "did you mean 'auto'?"});
}

TEST(ConfigRefuses, WordsThatAreNearOneWhosePartDoesNotExistYet) {
  expect_refused({"shield: {mode: xpd}",
                  "3:16: mode: 'xpd' is not one of auto, off, xdp, tc; did you mean 'xdp'?"});
  expect_refused({"splice: {engine: Kernel}",
                  "3:18: engine: 'Kernel' is not one of auto, userspace, kernel; "
                  "did you mean 'kernel'?"});
  expect_refused(
      {"on_exit: drip", "3:10: on_exit: 'drip' is not one of drop, pass; did you mean 'drop'?"});
}

TEST(ConfigRefuses, ValuesOutOfRangeAndNamesTheRange) {
  expect_refused({"half_open: {backlog: 0}",
                  "3:22: backlog: '0' is out of range; the range is 1 to 16777216"});
  expect_refused({"half_open: {synack_timeout: 9ms}",
                  "3:29: synack_timeout: '9ms' is out of range; the range is 10ms to 64s"});
  expect_refused({"half_open: {synack_retries: 9}",
                  "3:29: synack_retries: '9' is out of range; the range is 0 to 8"});
  expect_refused({"half_open: {high_watermark: 101%}",
                  "3:29: high_watermark: '101%' is out of range; the range is 2% to 100%"});
  expect_refused({"half_open: {high_watermark: 1%}",
                  "3:29: high_watermark: '1%' is out of range; the range is 2% to 100%"});
  expect_refused({"half_open: {low_watermark: 0%}",
                  "3:28: low_watermark: '0%' is out of range; the range is 1% to 99%"});
  expect_refused({"splice: {connections: 16777217}",
                  "3:23: connections: '16777217' is out of range; the range is 1 to 16777216"});
  expect_refused({"splice: {connect_timeout: 61s}",
                  "3:27: connect_timeout: '61s' is out of range; the range is 100ms to 60s"});
  expect_refused(
      {"splice: {idle: 999ms}", "3:16: idle: '999ms' is out of range; the range is 1s to 168h"});
  expect_refused(
      {"splice: {adopt: 25h}", "3:17: adopt: '25h' is out of range; the range is 0s to 24h"});
  expect_refused({"splice: {early_data: {per_connection: 2MiB}}",
                  "3:39: per_connection: '2MiB' is out of range; the range is 1KiB to 1MiB"});
  expect_refused({"shield: {tracked_syns: 0/s}",
                  "3:24: tracked_syns: '0/s' is out of range; the range is 1/s to 100000000/s"});
  expect_refused({"workers: 65", "3:10: workers: '65' is out of range; the range is 1 to 64"});
  expect_refused({"queue_start: 65535",
                  "3:14: queue_start: '65535' is out of range; the range is 0 to 65533"});
  expect_refused({"realtime: 0", "3:11: realtime: '0' is out of range; the range is 1 to 99"});
}

TEST(ConfigRefuses, NumbersBeyondEveryWidthAsOutOfRange) {
  expect_refused(
      {"workers: 99999999999999999999999",
       "3:10: workers: '99999999999999999999999' is out of range; the range is 1 to 64"});
  expect_refused({"splice: {idle: 99999999999999999999h}",
                  "3:16: idle: '99999999999999999999h' is out of range; the range is 1s to 168h"});
  expect_refused({"splice: {early_data: {total: 99999999999GiB}}",
                  "3:30: total: '99999999999GiB' is out of range; the range is 1KiB to 1024GiB"});
}

TEST(ConfigRefuses, WrongTypes) {
  expect_refused({"workers: {}", "3:10: workers: expected a single value, found a map of keys"});
  expect_refused({"workers: [1]", "3:10: workers: expected a single value, found a list"});
  expect_refused({"half_open: 5", "3:12: half_open: expected a map of keys, found a single value"});
  expect_refused({"half_open:", "3:1: half_open: has no value"});
  expect_refused({"on_exit: ~", "3:1: on_exit: has no value"});
  EXPECT_EQ(problems_of("interfaces: {client: eth0, server: {a: b}}\n"
                        "services: {name: web, listen: ['203.0.113.10:443']}\n"),
            "1:22: client: expected a list, found a single value\n"
            "1:36: server: expected a list, found a map of keys\n"
            "2:11: services: expected a list, found a map of keys\n");
}

TEST(ConfigRefuses, MetricsWhereNobodyCanReachThem) {
  expect_refused({"metrics: {listen: '[::1]:9477'}",
                  "3:19: listen: '[::1]:9477' is IPv6, which the HTTP server of Debian 12 lacks; "
                  "use IPv4"});
  expect_refused(
      {"metrics: {listen: 224.0.0.1:9477}",
       "3:19: listen: '224.0.0.1:9477' is a multicast address; nobody can connect to it"});
  EXPECT_NE(problems_after_required("metrics: {listen: 9477}"), "");
  expect_refused({"metrics: {listen: 127.0.0.1:0}",
                  "3:19: listen: the port of '127.0.0.1:0' is out of range; "
                  "the range is 1 to 65535"});
  EXPECT_EQ(problems_after_required("metrics: {listen: '::1:9477'}").find("did you mean"),
            std::string::npos);
}

TEST(ConfigRefuses, PathsThatAreNotAbsoluteOrTooLong) {
  expect_refused({"cookies: {key_file: cookie.key}",
                  "3:21: key_file: 'cookie.key' is not the absolute path of a file"});
  expect_refused({"control: {socket: /run/synward/}",
                  "3:19: socket: '/run/synward/' is not the absolute path of a file"});
  const std::string longest = "/" + std::string(106, 'a');
  EXPECT_EQ(problems_after_required("control: {socket: " + longest + "}"), "");
  EXPECT_EQ(problems_after_required("control: {socket: " + longest + "a}"),
            "3:19: socket: a path of 108 bytes is too long; the range is 2 to 107\n");
}

}  // namespace
}  // namespace synward::config::test
