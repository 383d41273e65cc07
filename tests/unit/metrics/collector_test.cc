// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/collector.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "proxy/wire/address.h"
#include "tests/unit/metrics/fake_workers.h"

namespace synward::metrics {
namespace {

using test::FakeWorkers;

std::size_t index(auto enumerator) {
  return static_cast<std::size_t>(enumerator);
}

TEST(Collector, AddsCountersAndGaugesOverWorkers) {
  FakeWorkers workers;
  workers.first.services[0].syns_received.add(7);
  workers.second.services[0].syns_received.add(5);
  workers.second.services[1].syns_received.add(1);
  workers.first.services[0].half_open_connections.set(3);
  workers.second.services[0].half_open_connections.set(4);
  workers.first.services[0].half_open_limit.set(32768);
  workers.second.services[0].half_open_limit.set(32768);
  const auto samples = workers.samples();
  EXPECT_EQ(samples.at(R"(synward_syns_received_total{protected_service="web"})"), 12);
  EXPECT_EQ(samples.at(R"(synward_syns_received_total{protected_service="mail"})"), 1);
  EXPECT_EQ(samples.at(R"(synward_half_open_connections{protected_service="web"})"), 7);
  EXPECT_EQ(samples.at(R"(synward_half_open_limit{protected_service="web"})"), 65536);
}

// Two workers that were full one after the other were never full together.
TEST(Collector, PeakIsThatOfAllWorkersTogether) {
  FakeWorkers workers;
  Occupancy& first = workers.first.services[0].half_open;
  Occupancy& second = workers.second.services[0].half_open;
  for (int i = 0; i < 3; ++i) first.enter();
  first.leave();
  first.leave();
  for (int i = 0; i < 3; ++i) second.enter();
  second.leave();
  const auto samples = workers.samples();
  EXPECT_EQ(samples.at(R"(synward_half_open_peak{protected_service="web"})"), 4);
  EXPECT_EQ(samples.at(R"(synward_half_open_peak{protected_service="mail"})"), 0);
}

TEST(Collector, LabelsFollowTheEnumerations) {
  FakeWorkers workers;
  ServiceCounters& web = workers.first.services[0];
  web.cookies_redeemed[index(RedeemSource::cookie)].add(2);
  web.cookies_rejected[index(RejectReason::replayed)].add(3);
  web.connections_closed[index(CloseReason::backend_timeout)].add(4);
  web.bytes_translated[index(Direction::to_client)].add(1500);
  web.connections[index(Side::backend)][index(tcp::State::syn_received)].add(6);
  web.connections_spliced.add(8);
  web.options_left_out[index(LeftOut::multipath)].add(9);
  const auto samples = workers.samples();
  EXPECT_EQ(
      samples.at(R"(synward_cookies_redeemed_total{protected_service="web",source="cookie"})"), 2);
  EXPECT_EQ(
      samples.at(R"(synward_cookies_rejected_total{protected_service="web",reason="replayed"})"),
      3);
  EXPECT_EQ(
      samples.at(
          R"(synward_connections_closed_total{protected_service="web",reason="backend_timeout"})"),
      4);
  EXPECT_EQ(samples.at(
                R"(synward_bytes_translated_total{protected_service="web",direction="to_client"})"),
            1500);
  EXPECT_EQ(
      samples.at(
          R"(synward_connections{protected_service="web",side="backend",state="syn_received"})"),
      6);
  EXPECT_EQ(samples.at(
                R"(synward_connections_spliced_total{protected_service="web",engine="userspace"})"),
            8);
  EXPECT_EQ(
      samples.at(R"(synward_options_left_out_total{protected_service="web",option="multipath"})"),
      9);
}

TEST(Collector, NamesBackends) {
  FakeWorkers workers;
  workers.first.services[0].backends[1].syns_sent.add(2);
  workers.second.services[0].backends[1].syns_sent.add(2);
  workers.second.services[0].backends[1].failures[index(BackendFailure::refused)].add(1);
  const auto samples = workers.samples();
  EXPECT_EQ(
      samples.at(
          R"(synward_backend_syns_sent_total{protected_service="web",backend="198.51.100.11:443"})"),
      4);
  EXPECT_EQ(
      samples.at(
          R"(synward_backend_failures_total{protected_service="web",backend="198.51.100.11:443",reason="refused"})"),
      1);
  EXPECT_EQ(
      samples.at(
          R"(synward_backend_syns_sent_total{protected_service="mail",backend="203.0.113.25:25"})"),
      0);
}

TEST(Collector, BackendListedTwiceIsOneSeries) {
  FakeWorkers workers;
  workers.first.services[0].backends[0].syns_sent.add(2);
  workers.first.services[0].backends[1].syns_sent.add(3);
  MetricsSource source = workers.source();
  source.services[0].backends = {"198.51.100.10:443", "198.51.100.10:443"};
  const auto families = Collector(source).Collect();
  const auto sent = std::ranges::find(families, "synward_backend_syns_sent_total",
                                      &prometheus::MetricFamily::name);
  ASSERT_NE(sent, families.end());
  ASSERT_EQ(sent->metric.size(), 2);
  EXPECT_EQ(sent->metric[0].counter.value, 5);
}

TEST(Collector, HistogramBucketsAreCumulativeSeconds) {
  FakeWorkers workers;
  workers.first.services[0].handshake.observe_us(100);    // le 0.0001
  workers.second.services[0].handshake.observe_us(2000);  // le 0.0025
  workers.second.services[0].handshake.observe_us(20'000'000);
  const auto samples = workers.samples();
  const auto bucket = [&samples](const std::string& le) {
    return samples.at("synward_handshake_seconds_bucket{protected_service=\"web\",le=\"" + le +
                      "\"}");
  };
  EXPECT_EQ(bucket("0.0001"), 1);
  EXPECT_EQ(bucket("0.001"), 1);
  EXPECT_EQ(bucket("0.0025"), 2);
  EXPECT_EQ(bucket("15"), 2);
  EXPECT_EQ(bucket("+Inf"), 3);
  EXPECT_EQ(samples.at(R"(synward_handshake_seconds_count{protected_service="web"})"), 3);
  EXPECT_DOUBLE_EQ(samples.at(R"(synward_handshake_seconds_sum{protected_service="web"})"),
                   20.0021);
}

TEST(Collector, EverySeriesExistsAtZeroFromTheStart) {
  const FakeWorkers workers;
  std::map<std::string, int> series;  // per metric
  for (const auto& [name, value] : workers.samples()) {
    ++series[name.substr(0, name.find('{'))];
    if (!name.starts_with("synward_") || name.starts_with("synward_build_info")) continue;
    if (!name.starts_with("synward_config_last_reload")) {
      EXPECT_EQ(value, 0) << name;
    }
  }
  EXPECT_EQ(series.at("synward_connections"), 2 * 2 * 11);
  EXPECT_EQ(series.at("synward_dropped_packets_total"), (2 + 1) * synward_reason_count);
  EXPECT_EQ(series.at("synward_backend_failures_total"), 3 * 3);
  EXPECT_EQ(series.at("synward_cookies_redeemed_total"), 2 * 2);
  EXPECT_EQ(series.at("synward_connections_closed_total"), 2 * 7);
  EXPECT_EQ(series.at("synward_connections_gave_way_total"), 2 * 2);
  EXPECT_EQ(series.at("synward_connections_spliced_total"), 2 * 2);
  EXPECT_EQ(series.at("synward_half_open_displaced_total"), 2);
  EXPECT_EQ(series.at("synward_queue_dropped_total"), 2 * 2);
  EXPECT_EQ(series.at("synward_backend_connect_seconds_bucket"), 2 * 14);
}

TEST(Collector, NoneHasDropsOnly) {
  FakeWorkers workers;
  workers.first.none().dropped[synward_reason_bad_ip_header].add(2);
  workers.second.none().dropped[synward_reason_bad_ip_header].add(3);
  std::size_t of_none = 0;
  for (const auto& [name, value] : workers.samples()) {
    if (!name.contains("protected_service=\"none\"")) continue;
    ++of_none;
    EXPECT_TRUE(name.starts_with("synward_dropped_packets_total{")) << name;
    EXPECT_EQ(value, name.contains("\"bad_ip_header\"") ? 5 : 0) << name;
  }
  EXPECT_EQ(of_none, std::size_t{synward_reason_count});
}

TEST(Collector, ShowsQueues) {
  FakeWorkers workers;
  workers.queues[0].waiting = 17;
  workers.queues[0].dropped_full = 2;
  workers.queues[1].dropped_socket = 3;
  const auto samples = workers.samples();
  EXPECT_EQ(samples.at(R"(synward_queue_depth{queue="24100",role="syn"})"), 17);
  EXPECT_EQ(samples.at(R"(synward_queue_dropped_total{queue="24100",role="syn",kind="full"})"), 2);
  EXPECT_EQ(samples.at(R"(synward_queue_dropped_total{queue="24101",role="flow",kind="socket"})"),
            3);
}

TEST(Collector, LargeCountersAreWrittenToTheUnit) {
  FakeWorkers workers;
  workers.first.services[0].bytes_translated[0].add(123'456'789'012'345);
  EXPECT_TRUE(workers.exposition().contains("\"to_backend\"} 123456789012345\n"));
}

TEST(Collector, RemembersHowTheLastReloadEnded) {
  const FakeWorkers workers;
  Collector collector(workers.source());
  const auto samples = [&collector] {
    return test::parse_samples(prometheus::TextSerializer().Serialize(collector.Collect()));
  };
  EXPECT_EQ(samples().at("synward_config_last_reload_successful"), 1);
  EXPECT_NEAR(samples().at("synward_config_last_reload_timestamp_seconds"),
              static_cast<double>(std::time(nullptr)), 60);
  collector.reload_finished(false);
  EXPECT_EQ(samples().at("synward_config_last_reload_successful"), 0);
}

TEST(Collector, DescribesTheProcess) {
  const auto samples = FakeWorkers().samples();
  const auto now = static_cast<double>(std::time(nullptr));
  EXPECT_GT(samples.at("process_start_time_seconds"), now - 3600);
  EXPECT_LT(samples.at("process_start_time_seconds"), now + 2);
  EXPECT_GE(samples.at("process_open_fds"), 3);
  EXPECT_GT(samples.at("process_max_fds"), samples.at("process_open_fds"));
  EXPECT_GT(samples.at("process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(samples.at("process_virtual_memory_bytes"),
            samples.at("process_resident_memory_bytes"));
  EXPECT_GE(samples.at("process_threads"), 1);
  EXPECT_GE(samples.at("process_cpu_seconds_total"), 0);
}

// prometheus-cpp validates nothing of what a Collectable returns.
TEST(Collector, PromtoolAcceptsTheExposition) {
  FakeWorkers workers;
  workers.first.services[0].handshake.observe_us(1234);
  EXPECT_EQ(test::promtool_findings(workers.exposition()), "");
}

// For ThreadSanitizer: a scrape while a worker counts.
TEST(Collector, CollectsWhileAWorkerWrites) {
  FakeWorkers workers;
  const Collector collector(workers.source());
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    while (!stop) {
      workers.first.services[0].syns_received.add();
      workers.first.services[0].handshake.observe_us(300);
      workers.first.services[0].half_open_connections.add(1);
    }
  });
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(collector.Collect().empty());
  stop = true;
  worker.join();
}

}  // namespace
}  // namespace synward::metrics
