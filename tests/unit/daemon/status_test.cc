// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/status.h"

#include <gtest/gtest.h>

namespace synward {
namespace {

using namespace std::chrono_literals;

constexpr std::optional<std::string> healthy;

class StatusTest : public testing::Test {
 protected:
  std::optional<std::string> turn(std::chrono::milliseconds at) {
    return line_.turn(Instant(at), figures_, unhealthy_, reload_refused_);
  }
  StatusLine line_;
  StatusFigures figures_{
      .services = 3, .half_open = 812, .syns_received = 1000, .connections = 240};
  std::optional<std::string> unhealthy_;
  bool reload_refused_ = false;
};

TEST_F(StatusTest, SaysWhatIsProtectedAndHowBusyItIs) {
  EXPECT_EQ(turn(0s), "protecting 3 services: 812 half-open, 0 SYN/s, 240 connections");
  figures_.syns_received += 60'000;
  EXPECT_EQ(turn(5s), "protecting 3 services: 812 half-open, 12000 SYN/s, 240 connections");
}

TEST_F(StatusTest, CountsOneAsOne) {
  figures_ = {.services = 1, .half_open = 0, .syns_received = 0, .connections = 1};
  EXPECT_EQ(turn(0s), "protecting 1 service: 0 half-open, 0 SYN/s, 1 connection");
}

TEST_F(StatusTest, FiguresWaitForTheirTime) {
  turn(0s);
  figures_.connections = 241;
  EXPECT_EQ(turn(4999ms), std::nullopt);
  EXPECT_EQ(turn(5s), "protecting 3 services: 812 half-open, 0 SYN/s, 241 connections");
}

TEST_F(StatusTest, TheSameLineIsSentOnce) {
  turn(0s);
  EXPECT_EQ(turn(5s), std::nullopt);
  EXPECT_EQ(turn(10s), std::nullopt);
}

// The rate of the seconds since the figures were last read, sent or not.
TEST_F(StatusTest, TheRateForgetsWhatIsLongAgo) {
  turn(0s);
  EXPECT_EQ(turn(60s), std::nullopt);
  figures_.syns_received += 500;
  EXPECT_EQ(turn(65s), "protecting 3 services: 812 half-open, 100 SYN/s, 240 connections");
}

TEST_F(StatusTest, HealthIsToldAtOnce) {
  turn(0s);
  unhealthy_ = "worker 1 makes no progress";
  EXPECT_EQ(turn(1s), "not healthy: worker 1 makes no progress");
  EXPECT_EQ(turn(2s), std::nullopt);
  unhealthy_ = healthy;
  EXPECT_EQ(turn(3s), "protecting 3 services: 812 half-open, 0 SYN/s, 240 connections");
}

TEST_F(StatusTest, ANewServiceIsToldAtOnce) {
  turn(0s);
  figures_.services = 4;
  EXPECT_EQ(turn(1s), "protecting 4 services: 812 half-open, 0 SYN/s, 240 connections");
}

TEST_F(StatusTest, ARefusedReloadIsToldUntilTheNextOne) {
  turn(0s);
  reload_refused_ = true;
  EXPECT_EQ(turn(1s),
            "protecting 3 services: 812 half-open, 0 SYN/s, 240 connections; the last reload was "
            "refused, everything is as before it");
  reload_refused_ = false;
  EXPECT_EQ(turn(2s), "protecting 3 services: 812 half-open, 0 SYN/s, 240 connections");
}

TEST(StatusFigures, SumOverWorkersAndServices) {
  std::deque<Counters> workers;
  for (int worker = 0; worker < 2; ++worker) {
    Counters& counters = workers.emplace_back(std::vector<std::size_t>{1, 1});
    for (ServiceCounters& service : counters.services) {
      service.half_open_connections.set(3);
      service.syns_received.add(10);
      auto& client = service.connections[static_cast<std::size_t>(Side::client)];
      client[static_cast<std::size_t>(tcp::State::syn_sent)].set(7);
      client[static_cast<std::size_t>(tcp::State::established)].set(5);
      client[static_cast<std::size_t>(tcp::State::close_wait)].set(1);
      client[static_cast<std::size_t>(tcp::State::time_wait)].set(9);
    }
  }
  const StatusFigures sum = sum_figures(2, workers);
  EXPECT_EQ(sum.services, 2U);
  EXPECT_EQ(sum.half_open, 12);
  EXPECT_EQ(sum.syns_received, 40U);
  EXPECT_EQ(sum.connections, 24);
}

}  // namespace
}  // namespace synward
