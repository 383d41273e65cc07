// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/dump.h"

#include "tests/unit/config/support.h"

namespace synward::config::test {
namespace {

using namespace std::chrono_literals;

void expect_round_trip(const Settings& settings) {
  const std::string text = dump(settings);
  EXPECT_EQ(loaded_settings(text), settings) << text;
}

Settings least() {
  return loaded_settings(required);
}

TEST(ConfigDump, LoadsAgainToTheDefaults) {
  expect_round_trip(least());
}

TEST(ConfigDump, LoadsAgainToEveryOtherValue) {
  Settings settings = least();
  settings.services.push_back(
      {.name = "both",
       .listen = {endpoint("203.0.113.11:1"), endpoint("[2001:db8::1]:65535")},
       .backends = {{endpoint("198.51.100.1:80"), 3}, {endpoint("[2001:db8::2]:80")}},
       .when_down = WhenDown::reset,
       .limits = {.synacks_per_prefix = 0}});
  settings.half_open = {64, 10ms, 8, 100, 99};
  settings.cookies.key_file = "/tmp/key";
  settings.splice = {
      SpliceEngine::userspace, 16'777'216, 60s, 3'661'001ms, 1s, {1 << 20, 1ULL << 40},
      UnknownSegments::reset,  0ms};
  settings.shield = {ShieldMode::off, 1, 2};
  settings.workers = 64;
  settings.queue_start = 0;
  settings.mark = {1, 0xffffffff};
  settings.realtime = 99;
  settings.metrics_listen = endpoint("0.0.0.0:1");
  settings.control_socket = "/tmp/socket";
  expect_round_trip(settings);
}

TEST(ConfigDump, QuotesNamesThatYamlReadsAsSomethingElse) {
  Settings settings = least();
  settings.interfaces.client = {"null", "~",  "on",  "010", "1e3", "- a", "a: b", "#x",
                                "[a]",  "\"", "\\n", "'",   "a,b", "&a",  "*a",   "!x"};
  std::erase_if(settings.interfaces.client,  // spaces, colons and stars are no names
                [](const std::string& name) { return name.find_first_of(" *:") != name.npos; });
  settings.services[0].name = "null";
  settings.cookies.key_file = "/a \"b\" \\ #c: {d}, \u00e9";
  expect_round_trip(settings);
}

TEST(ConfigDump, IsTheSameAfterARoundTrip) {
  const std::string text = dump(least());
  EXPECT_EQ(dump(loaded_settings(text)), text);
}

TEST(ConfigDump, ShowsUnitsAsInTheFile) {
  const std::string text = dump(least());
  for (const auto* const line :
       {"    limits: {synacks_per_prefix: 1000/s}\n", "  synack_timeout: 1s\n",
        "  high_watermark: 80%\n", "  idle: 2h10m\n",
        "  early_data: {per_connection: 16KiB, total: 64MiB}\n", "  half_closed_idle: 10m\n",
        "shield: {mode: auto, tracked_syns: 20000/s, unknown_segments: 20000/s}\n",
        "workers: auto\n", "mark: 0x53590000/0xffff0000\n", "realtime: off\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace synward::config::test
