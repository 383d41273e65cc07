// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/incidents.h"

#include <gtest/gtest.h>

namespace synward {
namespace {

using service::LogLevel;
using std::chrono::seconds;

class IncidentsTest : public testing::Test {
 protected:
  IncidentsTest() {
    workers.emplace_back(std::vector<std::size_t>{1});
    workers.emplace_back(std::vector<std::size_t>{1});
    for (Counters& worker : workers) worker.services[0].half_open_limit.set(500);
  }
  std::vector<Incidents::Line> at(int second) {
    return incidents.turn(Instant(seconds(second)), {names, workers, queues, {}});
  }
  std::vector<std::string> texts_at(int second) {
    std::vector<std::string> texts;
    for (const auto& line : at(second)) texts.push_back(line.text);
    return texts;
  }
  void refuse(std::uint64_t connections) {
    workers[0].services[0].backends[0].failures[0].add(connections);
  }

  const std::vector<metrics::ServiceNames> names{{"web", {"198.51.100.10:80"}}};
  std::deque<Counters> workers;
  std::vector<metrics::QueueSample> queues{{.number = 24100}, {.number = 24101}};
  Incidents incidents;
};

using Texts = std::vector<std::string>;

TEST_F(IncidentsTest, CalmSaysNothing) {
  EXPECT_EQ(texts_at(1), Texts{});
  EXPECT_EQ(texts_at(2), Texts{});
}

TEST_F(IncidentsTest, AFailingBackendIsToldAtOnceAndThenOncePerPauseWithAllThatCame) {
  at(1);
  refuse(3);
  EXPECT_EQ(texts_at(2), Texts{"web: backend 198.51.100.10:80 refused 3 connection(s) in 1 s"});
  for (int second = 3; second < 62; ++second) {
    refuse(2);
    EXPECT_EQ(texts_at(second), Texts{}) << second;
  }
  EXPECT_EQ(texts_at(62), Texts{"web: backend 198.51.100.10:80 refused 118 connection(s) in 60 s"});
  EXPECT_EQ(texts_at(63), Texts{});
}

TEST_F(IncidentsTest, OneKindDoesNotSilenceAnother) {
  at(1);
  refuse(1);
  ASSERT_EQ(at(2).size(), 1U);
  workers[1].services[0].backends[0].failures[1].add();
  workers[1].services[0].dropped[synward_reason_flow_table_full].add(7);
  queues[0].dropped_full = 1000;
  EXPECT_EQ(texts_at(3),
            (Texts{"web: flow_table_full dropped 7 packet(s) in 1 s: no room for another "
                   "connection (splice.connections)",
                   "web: backend 198.51.100.10:80 did not answer for 1 connection(s) in 1 s",
                   "queue 24100 (SYNs) dropped 1000 packet(s) in 1 s: more come than this worker "
                   "can take"}));
}

TEST_F(IncidentsTest, WhatClientsDoWrongStaysInTheMetrics) {
  at(1);
  workers[0].services[0].dropped[synward_reason_unknown_segment].add(1'000'000);
  EXPECT_EQ(texts_at(2), Texts{});
}

TEST_F(IncidentsTest, TheHalfOpenQueueIsToldWhenItPassesItsWatermarksAndNotBetween) {
  const auto fill = [this](std::int64_t first, std::int64_t second) {
    workers[0].services[0].half_open_connections.set(first);
    workers[1].services[0].half_open_connections.set(second);
  };
  fill(500, 299);
  EXPECT_EQ(texts_at(1), Texts{});
  fill(500, 300);
  const auto lines = at(2);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].level, LogLevel::warning);
  EXPECT_TRUE(lines[0].text.starts_with(
      "web: the half-open queue is above its high watermark (800 of 1000)"));
  fill(200, 200);
  EXPECT_EQ(texts_at(3), Texts{});
  fill(500, 500);
  EXPECT_EQ(texts_at(4), Texts{});
  fill(399, 0);
  EXPECT_EQ(texts_at(5), Texts{"web: the half-open queue is below its low watermark again (399 of "
                               "1000), after 3 s"});
}

}  // namespace
}  // namespace synward
