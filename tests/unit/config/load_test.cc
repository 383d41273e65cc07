// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/load.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "tests/support/temporary_directory.h"
#include "tests/unit/config/support.h"

namespace synward::config::test {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view ten_mistakes =
    "interfaces:\n"
    "  client: [eth0]\n"
    "  servr: [eth1]\n"
    "services:\n"
    "  - name: web\n"
    "    listen: [\"203.0.113.10:443\", \"[2001:db8::1]:443\"]\n"
    "    backends: [\"198.51.100.10:443\"]\n"
    "    when_down: rest\n"
    "  - name: web\n"
    "    listen: [\"203.0.113.10:443\"]\n"
    "half_open:\n"
    "  backlog: 0x100\n"
    "  backlog: 256\n"
    "  synack_timeout: 1\n"
    "splice:\n"
    "  engine: kernel\n"
    "metrics: {listen: \"[::1]:9477\"}\n";

TEST(ConfigLoad, FindsTenMistakesInOneRunEachAtItsPlace) {
  EXPECT_EQ(problems_of(ten_mistakes),
            "3:3: unknown key 'servr' in interfaces; did you mean 'server'?\n"
            "6:34: listen: [2001:db8::1]:443 is IPv6, but no backend is\n"
            "8:16: when_down: 'rest' is not one of drop, reset; did you mean 'reset'?\n"
            "9:11: name: duplicate service name 'web'; it is already on line 5\n"
            "10:14: listen: overlapping listen 203.0.113.10:443; it is already on line 6\n"
            "12:12: backlog: '0x100' is not a decimal number, 1 to 16777216\n"
            "13:3: duplicate key 'backlog'; it is already on line 12\n"
            "14:19: synack_timeout: '1' is not a duration such as 200ms, 1s or 2h10m; "
            "did you mean '1s'?\n"
            "16:11: engine: 'kernel' is not in this version\n"
            "17:19: listen: '[::1]:9477' is IPv6, which the HTTP server of Debian 12 lacks; "
            "use IPv4\n");
}

TEST(ConfigLoad, FormatsAProblemAsCompilersDo) {
  const Loaded loaded = load_text(ten_mistakes);
  ASSERT_EQ(loaded.problems.size(), 10U);
  EXPECT_EQ(format_problem("synward.yaml", loaded.problems.front()),
            "synward.yaml:3:3: error: unknown key 'servr' in interfaces; did you mean 'server'?");
}

TEST(ConfigLoad, TakesDefaultsForEverythingButInterfacesAndServices) {
  Settings settings = loaded_settings(required);
  EXPECT_EQ(settings.interfaces.client, std::vector<std::string>{"eth0"});
  EXPECT_EQ(settings.interfaces.server, std::vector<std::string>{"eth1"});
  ASSERT_EQ(settings.services.size(), 1U);
  EXPECT_EQ(settings.services[0].name, "web");
  EXPECT_TRUE(settings.services[0].backends.empty());
  EXPECT_EQ(settings.services[0].when_down, WhenDown::drop);
  settings.interfaces = {};
  settings.services.clear();
  EXPECT_EQ(settings, Settings());
}

TEST(ConfigLoad, ReadsEveryKey) {
  const Settings settings = loaded_settings(with_required(
      "half_open: {backlog: 010, synack_timeout: 200ms, synack_retries: 2, high_watermark: 60%,\n"
      "  low_watermark: 5%}\n"
      "cookies: {key_file: /tmp/key}\n"
      "splice: {engine: userspace, connections: 7, connect_timeout: 1s500ms, idle: 1s,\n"
      "  half_closed_idle: 2s,\n"
      "  early_data: {per_connection: 1KiB, total: 1GiB}, unknown_segments: reset, adopt: 0s}\n"
      "shield: {mode: off, tracked_syns: 5/s, unknown_segments: 6/s}\n"
      "workers: 3\nqueue_start: 100\nmark: 0x10/255\nrealtime: 50\n"
      "on_overload: drop\non_exit: pass\n"
      "metrics: {listen: 0.0.0.0:80}\ncontrol: {socket: /tmp/socket}\n"));
  const HalfOpen half_open{10, 200ms, 2, 60, 5};
  EXPECT_EQ(settings.half_open, half_open);
  EXPECT_EQ(settings.cookies.key_file, "/tmp/key");
  const Splice splice{SpliceEngine::userspace, 7,  1500ms, 1s, 2s, {1024, 1 << 30},
                      UnknownSegments::reset,  0ms};
  EXPECT_EQ(settings.splice, splice);
  EXPECT_EQ(settings.shield, (Shield{ShieldMode::off, 5, 6}));
  EXPECT_EQ(settings.workers, 3U);
  EXPECT_EQ(settings.queue_start, 100);
  EXPECT_EQ(settings.mark, (Mark{0x10, 255}));
  EXPECT_EQ(settings.realtime, 50U);
  EXPECT_EQ(settings.on_overload, OnPressure::drop);
  EXPECT_EQ(settings.on_exit, OnPressure::pass);
  EXPECT_EQ(wire::to_string(settings.metrics_listen), "0.0.0.0:80");
  EXPECT_EQ(settings.control_socket, "/tmp/socket");
}

TEST(ConfigLoad, ReadsWordsThatYamlTakesForBooleansAndNumbers) {
  const Settings settings = loaded_settings(
      "interfaces: {client: [on, 010, 1e3], server: ['null', \"~\"]}\n"
      "services: [{name: yes, listen: [203.0.113.10:443], mode: always}]\n"
      "workers: auto\nrealtime: off\nshield: {mode: off}\nqueue_start: \"010\"\n");
  EXPECT_EQ(settings.interfaces.client, (std::vector<std::string>{"on", "010", "1e3"}));
  EXPECT_EQ(settings.interfaces.server, (std::vector<std::string>{"null", "~"}));
  EXPECT_EQ(settings.services[0].name, "yes");
  EXPECT_EQ(settings.workers, std::nullopt);
  EXPECT_EQ(settings.realtime, std::nullopt);
  EXPECT_EQ(settings.shield.mode, ShieldMode::off);
  EXPECT_EQ(settings.queue_start, 10);
}

TEST(ConfigLoad, CallsAnUnreadableFileAProblemAtItsStart) {
  EXPECT_EQ(listed(load_file("/nonexistent/synward.yaml")),
            "1:1: cannot read the file: No such file or directory\n");
  EXPECT_EQ(listed(load_file("/")), "1:1: cannot read the file: Is a directory\n");
}

TEST(ConfigLoad, RefusesALineThatYamlWouldPassOver) {
  EXPECT_EQ(listed(load_text(std::string(required) + "%on_exit: drop\n")),
            std::to_string(1 + std::ranges::count(std::string_view(required), '\n')) +
                ":1: a line that begins with '%' is no part of it; a comment begins with '#'\n");
}

TEST(ConfigLoad, RefusesAFileWithoutEnd) {
  EXPECT_EQ(listed(load_file("/dev/zero")), "1:1: the file is larger than 1048576 bytes\n");
}

// A syntax error of YAML, or a list where an endpoint should be.
TEST(ConfigLoad, SaysThatAnIPv6EndpointWantsQuotes) {
  for (const auto* const listen :
       {"[2001:db8::1]:80", "\n    - [2001:db8::1]:80", "['203.0.113.1:80', [2001:db8::1]:80]"}) {
    const std::string found = problems_of(
        "interfaces: {client: [eth0], server: [eth1]}\nservices:\n"
        "  - name: web\n    listen: " +
        std::string(listen) + "\n");
    EXPECT_NE(found.find("; quote an IPv6 endpoint: \"[2001:db8::1]:443\"\n"), std::string::npos)
        << found;
  }
}

TEST(ConfigLoad, ReadsAPipeAsLongAsSomebodyWrites) {
  const synward::test::TemporaryDirectory directory;
  const std::string path = directory.path() / "fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::thread writer([&path] { std::ofstream(path) << required; });
  EXPECT_EQ(load_file(path).settings, load_text(required).settings);
  writer.join();
}

TEST(ConfigLoad, DoesNotWaitForEverForAWriter) {
  const synward::test::TemporaryDirectory directory;
  const std::string path = directory.path() / "fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(listed(load_file(path)), "1:1: nobody has written to it for 5 s\n");
}

TEST(ConfigLoad, ReadsAFile) {
  const synward::test::TemporaryDirectory directory;
  const std::string path = directory.path() / "synward.yaml";
  std::ofstream(path) << required;
  EXPECT_EQ(load_file(path).settings, load_text(required).settings);
}

}  // namespace
}  // namespace synward::config::test
