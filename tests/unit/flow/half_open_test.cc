// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flow/half_open.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <vector>

#include "tests/unit/flow/support.h"

namespace synward::flow {
namespace {

constexpr Duration tick = TimerWheel<HalfOpenEntry>::tick;

struct HalfOpenTest : testing::Test {
  HalfOpenQueue queue{100, test_hash_key, boot};
};

TEST_F(HalfOpenTest, an_entry_is_at_most_64_bytes) {
  EXPECT_LE(sizeof(HalfOpenEntry), 64U);
}

TEST_F(HalfOpenTest, remembers_by_client_port_and_listen) {
  const ConnectionKey key = spread_key(7);
  HalfOpenEntry* const entry = queue.insert(key, boot + 5s, 1s);
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->client_isn, 0U);
  EXPECT_EQ(entry->waits, 0);
  EXPECT_EQ(queue.find(key), entry);
  ConnectionKey other = key;
  other.listen = 1;
  EXPECT_EQ(queue.find(other), nullptr);
  queue.erase(*entry);
  EXPECT_EQ(queue.find(key), nullptr);
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_EQ(queue.next_deadline(), std::nullopt);
}

// H1
TEST_F(HalfOpenTest, is_bounded_and_has_room_again_after_an_erase) {
  for (std::uint32_t i = 0; i < 100; ++i) ASSERT_NE(queue.insert(spread_key(i), boot, 1s), nullptr);
  EXPECT_EQ(queue.insert(spread_key(100), boot, 1s), nullptr);
  EXPECT_EQ(queue.size(), 100U);
  queue.erase(*queue.find(spread_key(40)));
  EXPECT_NE(queue.insert(spread_key(100), boot, 1s), nullptr);
  for (std::uint32_t i = 0; i <= 100; ++i) {
    EXPECT_EQ(queue.find(spread_key(i)) != nullptr, i != 40) << i;
  }
}

TEST_F(HalfOpenTest, a_queue_of_capacity_zero_remembers_nothing) {
  HalfOpenQueue none(0, test_hash_key, boot);
  EXPECT_EQ(none.insert(spread_key(1), boot, 1s), nullptr);
  EXPECT_EQ(none.find(spread_key(1)), nullptr);
  EXPECT_EQ(none.oldest(), nullptr);
  EXPECT_EQ(none.pop_expired(boot + 1h), nullptr);
  EXPECT_EQ(none.prefix_entries(spread_key(1).client), 0U);
}

TEST_F(HalfOpenTest, the_oldest_is_the_first_inserted_whatever_was_rearmed_or_erased) {
  EXPECT_EQ(queue.oldest(), nullptr);
  for (std::uint32_t i = 0; i < 4; ++i) queue.insert(spread_key(i), boot + i * 1ms, 1s);
  queue.arm(*queue.find(spread_key(0)), boot, 60s);
  queue.erase(*queue.find(spread_key(2)));
  for (const std::uint32_t expected : {0U, 1U, 3U}) {
    ASSERT_EQ(queue.oldest(), queue.find(spread_key(expected)));
    queue.erase(*queue.oldest());
  }
  EXPECT_EQ(queue.oldest(), nullptr);
}

TEST_F(HalfOpenTest, counts_the_entries_of_a_prefix) {
  const wire::Address inside = ipv4_client(0x010209), outside = ipv4_client(0x010309);
  for (std::uint16_t port = 1; port <= 5; ++port) {
    queue.insert({.client = inside, .client_port = port, .listen = 0}, boot, 1s);
  }
  EXPECT_EQ(queue.prefix_entries(ipv4_client(0x0102fe)), 5U);
  EXPECT_EQ(queue.prefix_entries(outside), 0U);
  while (queue.oldest() != nullptr) queue.erase(*queue.oldest());
  EXPECT_EQ(queue.prefix_entries(inside), 0U);
}

TEST_F(HalfOpenTest, age_survives_the_wrap_of_its_microseconds) {
  const Instant before_wrap(std::chrono::microseconds((std::int64_t{1} << 32) - 10));
  const HalfOpenEntry* const entry = queue.insert(spread_key(0), before_wrap, 1s);
  EXPECT_EQ(age(*entry, before_wrap + 3s), 3s);
}

// H2, by its numbers: the caller's loop as the engine runs it.
TEST_F(HalfOpenTest, waits_double_so_that_four_retries_are_at_1_3_7_15_and_the_end_at_31_seconds) {
  const WaitSchedule schedule{.synack_timeout = 1s, .retries = 4};
  queue.insert(spread_key(0), boot, schedule.wait(0));

  std::vector<Duration> fired;
  while (const auto next = queue.next_deadline()) {
    HalfOpenEntry* const entry = queue.pop_expired(*next);
    ASSERT_NE(entry, nullptr);
    fired.push_back(*next - boot);
    ++entry->waits;
    if (schedule.over(*entry)) {
      queue.erase(*entry);
    } else {
      queue.arm(*entry, *next, schedule.wait(entry->waits));
    }
  }
  const std::vector<Duration> expected{1s, 3s, 7s, 15s, 31s};
  ASSERT_EQ(fired.size(), expected.size());
  for (std::size_t i = 0; i < fired.size(); ++i) {
    EXPECT_GE(fired[i], expected[i]);
    EXPECT_LE(fired[i], expected[i] + tick * static_cast<std::int64_t>(i + 1));
  }
  EXPECT_EQ(queue.size(), 0U);
}

TEST_F(HalfOpenTest, the_schedule_scales_with_synack_timeout_and_retries) {
  const WaitSchedule twice{.synack_timeout = 500ms, .retries = 2};
  EXPECT_EQ(twice.wait(0), 500ms);
  EXPECT_EQ(twice.wait(2), 2s);
  HalfOpenEntry entry{};
  entry.waits = 2;
  EXPECT_FALSE(twice.over(entry));
  entry.waits = 3;
  EXPECT_TRUE(twice.over(entry));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// P8
TEST(HalfOpenMemory, a_million_entries_stay_within_80_mebibytes_and_cost_nothing_before) {
  constexpr std::size_t mebibyte = 1024 * 1024;
  constexpr std::uint32_t million = 1'000'000;
  const std::size_t before = resident_bytes();
  HalfOpenQueue queue(million, test_hash_key, boot);
  EXPECT_LE(resident_bytes() - before, mebibyte);
  for (std::uint32_t i = 0; i < million; ++i) queue.insert(spread_key(i), boot, 1s);
  EXPECT_EQ(queue.size(), million);
  EXPECT_LE(resident_bytes() - before, 80 * mebibyte);
}
#endif

}  // namespace
}  // namespace synward::flow
