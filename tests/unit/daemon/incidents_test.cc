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
    return incidents.turn(Instant(seconds(second)), {names, workers, queues});
  }
  std::vector<std::string> texts_at(int second) {
    std::vector<std::string> texts;
    for (const auto& line : at(second)) texts.push_back(line.text);
    return texts;
  }
  void refuse(std::uint64_t connections) {
    workers[0].services[0].backends[0].failures[0].add(connections);
  }

  void drop(Reason reason, std::uint64_t packets) {
    workers[0].services[0].dropped.at(reason).add(packets);
  }
  // Entries by worker, which are pressed from seven tenths on.
  void press(std::int64_t first, std::int64_t second, std::uint64_t syns) {
    for (const auto& [worker, entries] : {std::pair(0, first), std::pair(1, second)}) {
      ServiceCounters& counters = workers[static_cast<std::size_t>(worker)].services[0];
      counters.half_open_connections.set(entries);
      counters.half_open_pressured.set(entries * 10 >= counters.half_open_limit.value() * 7 ? 1
                                                                                            : 0);
    }
    workers[0].services[0].syns_received.add(syns);
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

TEST_F(IncidentsTest, WhoGaveWayInAFullTableIsTold) {
  at(1);
  workers[0].services[0].connections_gave_way[0].add(3);
  workers[1].services[0].connections_gave_way[1].add(2);
  EXPECT_EQ(texts_at(2), (Texts{"web: splice.connections is nearly reached, silent connection(s) "
                                "ended before their time: 3 in 1 s",
                                "web: splice.connections is nearly reached, connection(s) of a "
                                "network or service above its share ended: 2 in 1 s"}));
}

TEST_F(IncidentsTest, AFewPacketsThatClientsSentWrongStayInTheMetrics) {
  at(1);
  for (int second = 2; second < 20; ++second) {
    drop(synward_reason_unknown_segment, 900);
    EXPECT_EQ(texts_at(second), Texts{});
  }
}

// ACK, SYN-ACK and RST floods: nothing of them is remembered, so no queue is pressed.
TEST_F(IncidentsTest, AFloodOfSegmentsIsToldWhenItBeginsAndWhenItIsOver) {
  at(1);
  drop(synward_reason_unknown_segment, 4000);
  drop(synward_reason_bad_options, 90);
  EXPECT_EQ(texts_at(3),
            Texts{"web: a flood: 2045 packets/s are dropped, mostly unknown_segment (a segment of "
                  "no connection, which redeems no challenge either)"});
  for (int second = 4; second <= 8; ++second) {
    drop(synward_reason_unknown_segment, 600);  // fewer than begin one, but not over
    EXPECT_EQ(texts_at(second), Texts{}) << second;
  }
  for (int second = 9; second <= 12; ++second) EXPECT_EQ(texts_at(second), Texts{}) << second;
  EXPECT_EQ(texts_at(13), Texts{"web: the flood of dropped packets is over, after 7 s: 7090 "
                                "packets, at most 2045/s, mostly unknown_segment (a segment of no "
                                "connection, which redeems no challenge either)"});
  EXPECT_EQ(texts_at(14), Texts{});
}

TEST_F(IncidentsTest, AFloodThatComesAndGoesIsOne) {
  at(1);
  std::size_t lines = 0;
  for (int second = 2; second < 60; ++second) {
    if (second % 4 == 0) drop(synward_reason_unknown_segment, 100'000);
    lines += at(second).size();
  }
  EXPECT_EQ(lines, 1U);
}

TEST_F(IncidentsTest, AFloodOfWhatNoServiceIsKnownForIsToldToo) {
  at(1);
  workers[1].none().dropped[synward_reason_bad_tcp_header].add(5000);
  EXPECT_EQ(texts_at(2), Texts{"none: a flood: 5000 packets/s are dropped, mostly bad_tcp_header "
                               "(TCP header is missing, too short, or its data offset is "
                               "impossible)"});
}

// Bounds have their own line, and early data come twice on any path that loses packets.
TEST_F(IncidentsTest, WhatIsNoAttackMakesNoFlood) {
  at(1);
  drop(synward_reason_early_data_out_of_order, 10'000);
  drop(synward_reason_early_data_duplicate, 10'000);
  EXPECT_EQ(texts_at(2), Texts{});
  drop(synward_reason_flow_table_full, 10'000);
  EXPECT_EQ(at(3).size(), 1U);
}

// Two workers stop at 26 214 entries each, 80 % of their shares of 65536, and rounded down: their
// sum is less than 80 % of the whole.
TEST_F(IncidentsTest, PressureIsWhatTheWorkersSayWhateverTheSum) {
  for (Counters& worker : workers) worker.services[0].half_open_limit.set(32768);
  at(1);
  press(26214, 26214, 100'000);
  EXPECT_EQ(texts_at(2), Texts{"web: the half-open queue is above its high watermark (52428 of "
                               "65536), 100000 SYN/s: old entries give way, SYN-ACKs are hardly "
                               "repeated, cookies stay good"});
  press(30000, 26214, 50'000);
  workers[1].services[0].half_open_displaced.add(9);
  workers[0].services[0].half_open_untracked.add(3);
  EXPECT_EQ(texts_at(3), Texts{});
  press(13000, 13000, 0);
  for (int second = 4; second < 8; ++second) EXPECT_EQ(texts_at(second), Texts{});
  EXPECT_EQ(texts_at(8), Texts{"web: the half-open queue is below its low watermark again (26000 "
                               "of 65536), after 2 s: 150000 SYNs, at most 100000/s, 56214 entries "
                               "at most; 9 entries gave way, 3 SYNs were answered without one"});
  EXPECT_EQ(texts_at(9), Texts{});
}

TEST_F(IncidentsTest, PressureOnOneWorkerIsPressure) {
  at(1);
  press(400, 10, 400);
  const auto lines = at(2);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].level, LogLevel::warning);
  EXPECT_TRUE(lines[0].text.contains("(410 of 1000, on 1 worker(s)), 400 SYN/s")) << lines[0].text;
}

// One network holds a tenth of a queue: seven press nobody, however many SYNs they send.
TEST_F(IncidentsTest, AFloodFromFewNetworksIsToldWhenItBeginsAndWhenItIsOver) {
  at(1);
  const auto flood = [&](std::uint64_t syns) {
    press(50, 50, syns);
    workers[0].services[0].half_open_untracked.add(syns - 10);
  };
  flood(5000);
  const auto began = at(2);
  ASSERT_EQ(began.size(), 1U);
  EXPECT_EQ(began[0].level, LogLevel::warning);
  EXPECT_EQ(began[0].text,
            "web: a flood of SYNs from few networks: 5000 SYN/s, 4990/s of them beyond their "
            "networks' shares: answered by cookie alone, or above `limits.synacks_per_prefix` not "
            "at all");
  for (int second = 3; second <= 10; ++second) {
    flood(5000);
    EXPECT_EQ(texts_at(second), Texts{}) << second;
  }
  flood(600);  // fewer than begin one, but not over
  EXPECT_EQ(texts_at(11), Texts{});
  for (int second = 12; second <= 15; ++second) EXPECT_EQ(texts_at(second), Texts{}) << second;
  EXPECT_EQ(texts_at(16), Texts{"web: the flood of SYNs is over, after 10 s: 45600 SYNs, at most "
                                "5000/s, 100 entries at most; 0 entries gave way, 45500 SYNs were "
                                "answered without one"});
  EXPECT_EQ(texts_at(17), Texts{});
}

// What no answer is given to is a flood as well, beside the bound's own line.
TEST_F(IncidentsTest, AFloodThatIsLimitedIsToldWhenItBeginsAndWhenItIsOver) {
  at(1);
  Texts texts;
  for (int second = 2; second <= 20; ++second) {
    if (second <= 11) drop(synward_reason_synack_limit, 5000);
    for (const std::string& text : texts_at(second)) texts.push_back(text);
  }
  EXPECT_EQ(texts,
            (Texts{"web: a flood of SYNs from few networks: 5000 SYN/s, 5000/s of them beyond "
                   "their networks' shares: answered by cookie alone, or above "
                   "`limits.synacks_per_prefix` not at all",
                   "web: synack_limit dropped 5000 packet(s) in 1 s: more SYNs of its network than "
                   "limits.synacks_per_prefix allows",
                   "web: the flood of SYNs is over, after 10 s: 50000 SYNs, at most 5000/s, 0 "
                   "entries at most; 0 entries gave way, 0 SYNs were answered without one, 50000 "
                   "were dropped (synack_limit)"}));
}

TEST_F(IncidentsTest, AFloodThatComesToPressTheQueueStaysOne) {
  at(1);
  workers[0].services[0].half_open_untracked.add(2000);
  EXPECT_EQ(at(2).size(), 1U);
  press(400, 400, 2000);
  const auto pressed = at(3);
  ASSERT_EQ(pressed.size(), 1U);
  EXPECT_TRUE(pressed[0].text.contains("above its high watermark (800 of 1000), 2000 SYN/s"))
      << pressed[0].text;
  EXPECT_EQ(texts_at(4), Texts{});
  press(10, 10, 0);
  for (int second = 5; second <= 8; ++second) EXPECT_EQ(texts_at(second), Texts{}) << second;
  const auto ended = at(9);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_TRUE(ended[0].text.contains("below its low watermark again (20 of 1000), after 3 s"))
      << ended[0].text;
}

// A signal wakes the main thread before its time.
TEST_F(IncidentsTest, ARateNeedsTime) {
  at(1);
  drop(synward_reason_unknown_segment, 100);
  EXPECT_EQ(incidents.turn(Instant(std::chrono::milliseconds(1010)), {names, workers, queues}),
            std::vector<Incidents::Line>{});
}

}  // namespace
}  // namespace synward
