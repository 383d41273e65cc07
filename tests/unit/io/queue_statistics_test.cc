// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/queue_statistics.h"

#include <gtest/gtest.h>

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
