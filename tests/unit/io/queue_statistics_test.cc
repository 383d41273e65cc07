// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/queue_statistics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "daemon/io/queue_holder.h"

namespace synward::io {
namespace {

TEST(QueueStatistics, reads_the_lines_of_linux) {
  const auto queues = parse_queue_statistics(
      "24100   1171    12 2 65531     3     4  1000  1\n"
      "24101 -410265     0 2 65531     0     0        0  1\n");
  ASSERT_EQ(queues.size(), 2U);
  EXPECT_EQ(queues[0], (QueueStatistics{.number = 24100,
                                        .port_id = 1171,
                                        .waiting = 12,
                                        .dropped_full = 3,
                                        .dropped_socket = 4}));
  EXPECT_EQ(queues[1].port_id, static_cast<std::uint32_t>(-410265));
}

TEST(QueueStatistics, skips_what_it_does_not_know) {
  EXPECT_TRUE(parse_queue_statistics("").empty());
  EXPECT_TRUE(parse_queue_statistics("\n\nnumber port waiting\n24100 1 2\n").empty());
  EXPECT_TRUE(parse_queue_statistics("70000 1 2 3 4 5 6 7 8\n").empty());
  EXPECT_EQ(parse_queue_statistics("1 1 2 3 4 5 6 7 8 and more later").size(), 1U);
}

TEST(QueueStatistics, names_the_module_if_the_file_is_missing) {
  const auto queues = read_queue_statistics("/nonexistent/nfnetlink_queue");
  ASSERT_FALSE(queues);
  EXPECT_NE(queues.error().find("modprobe nfnetlink_queue"), std::string::npos);
}

class QueueTotalsTest : public testing::Test {
 protected:
  ~QueueTotalsTest() override { std::filesystem::remove(path); }
  QueueStatistics after(std::string_view full, std::string_view socket) {
    std::ofstream(path) << "24100 1171 12 2 65531 " << full << ' ' << socket << " 1000 1\n";
    return totals.look()[24100];
  }

  const std::string path = testing::TempDir() + "queue_totals_" + std::to_string(getpid());
  QueueTotals totals{path};
};

TEST_F(QueueTotalsTest, GoOnWhereTheKernelsCountersBeginAgain) {
  EXPECT_EQ(after("4294967290", "7").dropped_full, 4'294'967'290U);
  EXPECT_EQ(after("10", "4294967295").dropped_full, 4'294'967'306U);
  const QueueStatistics queue = after("10", "0");
  EXPECT_EQ(queue.dropped_full, 4'294'967'306U);
  EXPECT_EQ(queue.dropped_socket, 4'294'967'296U);
  EXPECT_EQ(after("9", "0").dropped_full, 2 * 4'294'967'296U + 9);
}

TEST_F(QueueTotalsTest, StayWhatTheyWereWhileNobodyTells) {
  EXPECT_EQ(after("3", "4").waiting, 12U);
  std::filesystem::remove(path);
  const QueueStatistics queue = totals.look()[24100];
  EXPECT_EQ(queue.dropped_full, 3U);
  EXPECT_EQ(queue.dropped_socket, 4U);
  EXPECT_EQ(queue.waiting, 0U);
}

TEST(QueueHolder, finds_the_inode_of_a_netfilter_port) {
  const char* const text =
      "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"
      "00000000bc1f3f4e 0   1171       00000111 0        0        0     2        0        18001\n"
      "00000000e62d0a6b 12  1171       00000000 0        0        0     2        0        18002\n"
      "00000000e62d0a6c 12  4294557031 00000000 0        0        0     2        0        18003\n";
  EXPECT_EQ(netlink_inode(text, 1171), 18002U);
  EXPECT_EQ(netlink_inode(text, 4294557031U), 18003U);
  EXPECT_EQ(netlink_inode(text, 1), std::nullopt);
}

}  // namespace
}  // namespace synward::io
